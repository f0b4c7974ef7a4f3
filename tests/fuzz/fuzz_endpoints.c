/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoint records: an accepted one has only addresses and ports that can be used. */
#include "abi/endpoints.h"
#include "base/assert.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#define SEED_ENDPOINTS 3u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct endpoint_record *record = malloc(size + sizeof(*record));
    ASSERT(record != NULL);
    memcpy(record, data, size);
    if (size >= sizeof(*record) &&
        record->count <= (size - sizeof(*record)) / sizeof(struct endpoint))
        record->checksum = endpoints_checksum(record->endpoints, record->count);
    if (endpoints_check(record, size) == ENDPOINTS_FAULT_OK) {
        ASSERT(size == sizeof(*record) + record->count * sizeof(struct endpoint));
        for (uint32_t i = 0; i < record->count; i++)
            ASSERT(record->endpoints[i].port != 0);
    }
    free(record);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    struct endpoint_record record = {.group = 7, .count = SEED_ENDPOINTS, .version = 1};
    struct endpoint endpoints[SEED_ENDPOINTS] = {0};
    if (n > 0)
        return 0;
    for (unsigned i = 0; i < SEED_ENDPOINTS; i++) {
        ASSERT(ip_addr_parse("198.18.1.11", &endpoints[i].addr));
        endpoints[i].port = (uint16_t)(8080 + i);
        endpoints[i].weight = 1;
        endpoints[i].flags = ENDPOINT_READY | ENDPOINT_SERVING;
    }
    memcpy(ret, &record, sizeof(record));
    memcpy(ret + sizeof(record), endpoints, sizeof(endpoints));
    return sizeof(record) + sizeof(endpoints);
}
