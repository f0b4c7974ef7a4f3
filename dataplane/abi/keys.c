/* SPDX-License-Identifier: Apache-2.0 */
/* The check of a segment of keys: nothing in it is believed before it is looked at. Pure. */
#include "abi/keys.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"
#include "base/siphash.h"

uint64_t keys_checksum(const void *data, size_t len)
{
    static const struct siphash_key zero;
    ASSERT(len >= sizeof(struct keys_header));
    return siphash(&zero, (const uint8_t *)data + sizeof(struct keys_header),
                   len - sizeof(struct keys_header));
}

/* Does it lie behind the entries, and within the segment? */
static bool is_inside(uint32_t offset, uint32_t length, size_t begin, size_t end)
{
    return length > 0 && length <= KEYS_PEM_BYTES_MAX && offset >= begin && offset <= end &&
           length <= end - offset;
}

static bool is_sound(const void *data, size_t len, uint32_t i)
{
    const struct keys_header *header = data;
    const struct keys_entry *e = &keys_entries(data)[i];
    size_t begin = keys_tables_end(header);
    bool has_key_or_none = keys_is_bundle(e) ? e->key_offset == 0
                                             : is_inside(e->key_offset, e->key_length, begin, len);
    return (i == 0 || keys_id_order(&e[-1].id, &e->id) < 0) &&
           is_inside(e->certificate_offset, e->certificate_length, begin, len) && has_key_or_none;
}

enum keys_fault keys_check(const void *data, size_t len, uint32_t *ret_index)
{
    const struct keys_header *header = data;
    *ret_index = 0;
    if (len < sizeof(*header) || len > KEYS_BYTES_MAX)
        return KEYS_FAULT_LENGTH;
    if (header->magic != KEYS_MAGIC)
        return KEYS_FAULT_MAGIC;
    if (header->version != KEYS_VERSION)
        return KEYS_FAULT_VERSION;
    if (header->length != len || header->count > KEYS_MAX || header->tickets > KEYS_TICKETS_MAX ||
        keys_tables_end(header) > len)
        return KEYS_FAULT_LENGTH;
    if (header->checksum != keys_checksum(data, len))
        return KEYS_FAULT_CHECKSUM;
    for (uint32_t i = 0; i < header->count; i++) {
        if (!is_sound(data, len, i)) {
            *ret_index = i;
            return KEYS_FAULT_ENTRY;
        }
    }
    return KEYS_FAULT_OK;
}

const char *keys_fault_name(enum keys_fault fault)
{
    static const char *const names[] = {KEYS_FAULT_LIST(X_NAME)};
    ASSERT((unsigned)fault < array_len(names));
    return names[fault];
}

const char *keys_fault_help(enum keys_fault fault)
{
    static const char *const helps[] = {KEYS_FAULT_LIST(X_TEXT)};
    ASSERT((unsigned)fault < array_len(helps));
    return helps[fault];
}
