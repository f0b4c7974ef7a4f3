/* SPDX-License-Identifier: Apache-2.0 */
/* See path_mtu.h. */
#include "net/path_mtu.h"

#include "base/assert.h"

static_assert((NET_PATH_MTU_SETS_MAX & (NET_PATH_MTU_SETS_MAX - 1)) == 0, "spread evenly");

static struct path_mtu *set_of(const struct path_mtus *t, const struct siphash_key *key,
                               const struct ip_addr *dst)
{
    uint64_t hash = siphash(key, dst->bytes, ip_addr_is_v4(dst) ? 16 : 8);
    const struct path_mtu *set = t->sets[hash % NET_PATH_MTU_SETS_MAX];
    return (struct path_mtu *)(uintptr_t)set; /* who looks only, does not write */
}

static struct path_mtu *find(const struct path_mtus *t, const struct siphash_key *key,
                             uint64_t now_us, const struct ip_addr *dst)
{
    struct path_mtu *set = set_of(t, key, dst);
    for (unsigned i = 0; i < NET_PATH_MTU_WAYS; i++) {
        if (set[i].until_us > now_us && ip_addr_eq(&set[i].dst, dst))
            return &set[i];
    }
    return NULL;
}

const struct path_mtu *path_mtu_find(const struct path_mtus *t, const struct siphash_key *key,
                                     uint64_t now_us, const struct ip_addr *dst)
{
    return find(t, key, now_us, dst);
}

enum path_mtu_verdict path_mtu_learn(struct path_mtus *t, const struct siphash_key *key,
                                     uint64_t now_us, const struct path_mtu *news)
{
    struct path_mtu *place = find(t, key, now_us, &news->dst);
    bool is_known = place != NULL;
    struct path_mtu *set = set_of(t, key, &news->dst);
    for (unsigned i = 0; i < NET_PATH_MTU_WAYS && !is_known; i++) {
        if (place == NULL || set[i].until_us < place->until_us)
            place = &set[i];
    }
    bool is_pushed = !is_known && place->until_us > now_us;
    *place = *news;
    place->until_us = now_us + NET_PATH_MTU_US;
    if (place->mtu < NET_PATH_MTU_MIN)
        place->mtu = NET_PATH_MTU_MIN;
    ASSERT_HOT(find(t, key, now_us, &news->dst) == place);
    return is_pushed ? PATH_MTU_PUSHED : PATH_MTU_KEPT;
}

bool path_mtu_passed(struct path_mtus *t, const struct siphash_key *key, uint64_t now_us,
                     const struct ip_addr *dst, uint16_t bytes, uint16_t link_mtu)
{
    struct path_mtu *known = find(t, key, now_us, dst);
    if (known == NULL || known->mtu >= bytes)
        return false;
    known->mtu = bytes;
    if (bytes >= link_mtu)
        known->until_us = 0;
    return true;
}
