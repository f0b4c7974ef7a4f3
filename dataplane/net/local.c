/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of our addresses. Pure; owner: whoever embeds it. */
#include "net/local.h"

#include "base/assert.h"

#include <string.h>

static uint32_t slot_of(const struct ip_addr *addr)
{
    uint64_t half[2];
    memcpy(half, addr->bytes, sizeof(half));
    uint64_t mixed = (half[0] ^ (half[1] * 0x9e3779b97f4a7c15ULL)) * 0xbf58476d1ce4e5b9ULL;
    return (uint32_t)(mixed >> 40) % LOCAL_SLOTS;
}

void local_build(struct local_table *t, const struct net_address *addresses, uint32_t n)
{
    ASSERT(n <= NET_ADDRESSES_MAX);
    t->n = 0;
    memset(t->slots, 0, sizeof(t->slots));
    for (uint32_t i = 0; i < n; i++) {
        if (local_find_any(t, &addresses[i].addr) != NULL)
            continue;
        uint32_t slot = slot_of(&addresses[i].addr);
        while (t->slots[slot] != 0)
            slot = (slot + 1) % LOCAL_SLOTS;
        t->entries[t->n] = addresses[i];
        t->slots[slot] = (uint16_t)++t->n;
    }
    ASSERT(t->n <= n);
}

const struct net_address *local_find_any(const struct local_table *t, const struct ip_addr *addr)
{
    ASSERT_HOT(t->n <= NET_ADDRESSES_MAX);
    for (uint32_t slot = slot_of(addr); t->slots[slot] != 0; slot = (slot + 1) % LOCAL_SLOTS) {
        const struct net_address *entry = &t->entries[t->slots[slot] - 1];
        if (ip_addr_eq(&entry->addr, addr))
            return entry;
    }
    return NULL;
}

const struct net_address *local_find(const struct local_table *t, const struct ip_addr *addr)
{
    const struct net_address *entry = local_find_any(t, addr);
    return entry != NULL && t->is_held[entry - t->entries] ? NULL : entry;
}
