/* SPDX-License-Identifier: Apache-2.0 */
/* The check of an endpoint record: nothing in it is believed before it is looked at. Pure. */
#include "abi/endpoints.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"
#include "base/siphash.h"

#include <stdbool.h>

#define RECORD_FLAGS_KNOWN ENDPOINT_RECORD_HASHED
#define FLAGS_KNOWN (ENDPOINT_READY | ENDPOINT_SERVING | ENDPOINT_TERMINATING)

static bool is_sound(const struct endpoint *e)
{
    return e->port != 0 && !ip_addr_is_zero(&e->addr) && (e->flags & ~FLAGS_KNOWN) == 0 &&
           e->reserved == 0;
}

static uint64_t checksum(const void *endpoints, uint32_t count)
{
    static const struct siphash_key zero;
    return siphash(&zero, endpoints, count * sizeof(struct endpoint));
}

enum endpoints_fault endpoints_check(const void *record, size_t len)
{
    struct endpoint_record head;
    if (len < sizeof(head))
        return ENDPOINTS_FAULT_LENGTH;
    memcpy(&head, record, sizeof(head));
    if (head.group >= ENDPOINT_GROUPS_MAX)
        return ENDPOINTS_FAULT_GROUP;
    if (head.count > ENDPOINTS_PER_GROUP_MAX)
        return ENDPOINTS_FAULT_COUNT;
    if ((head.flags & ~RECORD_FLAGS_KNOWN) != 0)
        return ENDPOINTS_FAULT_FLAGS;
    if (len != sizeof(head) + head.count * sizeof(struct endpoint))
        return ENDPOINTS_FAULT_LENGTH;
    const uint8_t *endpoints = (const uint8_t *)record + sizeof(head); /* of any alignment */
    if (checksum(endpoints, head.count) != head.checksum)
        return ENDPOINTS_FAULT_CHECKSUM;
    for (uint32_t i = 0; i < head.count; i++) {
        struct endpoint e;
        memcpy(&e, endpoints + i * sizeof(e), sizeof(e));
        if (!is_sound(&e))
            return ENDPOINTS_FAULT_ENDPOINT;
    }
    return ENDPOINTS_FAULT_OK;
}

uint64_t endpoints_checksum(const struct endpoint *endpoints, uint32_t count)
{
    return checksum(endpoints, count);
}

const char *endpoints_fault_name(enum endpoints_fault fault)
{
    static const char *const names[] = {ENDPOINTS_FAULT_LIST(X_NAME)};
    ASSERT((unsigned)fault < array_len(names));
    return names[fault];
}

const char *endpoints_fault_help(enum endpoints_fault fault)
{
    static const char *const helps[] = {ENDPOINTS_FAULT_LIST(X_TEXT)};
    ASSERT((unsigned)fault < array_len(helps));
    return helps[fault];
}
