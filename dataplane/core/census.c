/* SPDX-License-Identifier: Apache-2.0 */
/* See census.h. */
#include "core/census.h"

#include "base/assert.h"
#include "core/core.h"

#include <stdlib.h>

#define COUNT_BITS 24u
#define SETS_MIN 128u

static_assert(CENSUS_COUNT_MAX == (1u << COUNT_BITS) - 1, "a count's bits");
static_assert(IMAGE_CONNS_MAX <= CENSUS_COUNT_MAX, "a limit can be counted to");
static_assert(CENSUS_WAYS * sizeof(uint64_t) == 64, "a set is a cache line");

/* A place: the upper part of its key, and the count; 0: free. */
struct census {
    uint64_t mask; /* sets - 1 */
    _Alignas(64) uint64_t places[];
};

enum taken { TAKEN, TAKEN_NOT_FULL, TAKEN_NOT_PLACE };

struct census *census_new(uint64_t conns)
{
    uint64_t sets = SETS_MIN;
    while (sets < CENSUS_PLACES_MAX / CENSUS_WAYS && sets * CENSUS_WAYS < 4 * conns)
        sets *= 2; /* a connection counts for two keys at most */
    size_t bytes = sizeof(struct census) + sets * CENSUS_WAYS * sizeof(uint64_t);
    struct census *c = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    if (c == NULL)
        return NULL;
    memset(c, 0, bytes);
    c->mask = sets - 1;
    return c;
}

void census_free(struct census *c)
{
    free(c);
}

static uint64_t tag_of(uint64_t key)
{
    return key >> COUNT_BITS;
}

static uint32_t count_of(uint64_t place)
{
    return (uint32_t)(place & CENSUS_COUNT_MAX);
}

/* The places that the key may have. */
static uint64_t *set_of(const struct census *c, uint64_t key)
{
    uint64_t set = key & CENSUS_COUNT_MAX & c->mask;
    return (uint64_t *)(uintptr_t)&c->places[set * CENSUS_WAYS];
}

static bool exchange(uint64_t *place, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(place, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* The key's place, else a free one, else NULL; *ret is what it holds. */
static uint64_t *find(const struct census *c, uint64_t key, uint64_t *ret)
{
    uint64_t *set = set_of(c, key), *empty = NULL;
    for (unsigned i = 0; i < CENSUS_WAYS; i++) {
        uint64_t place = __atomic_load_n(&set[i], __ATOMIC_RELAXED);
        if (tag_of(place) == tag_of(key)) {
            *ret = place;
            return &set[i];
        }
        if (place == 0 && empty == NULL)
            empty = &set[i];
    }
    *ret = 0;
    return empty;
}

uint32_t census_count(const struct census *c, uint64_t key)
{
    uint64_t place;
    find(c, key, &place);
    return count_of(place);
}

static enum taken take(struct census *c, uint64_t key, uint32_t most)
{
    for (unsigned i = 0; i < CENSUS_TRIES_MAX; i++) {
        uint64_t was;
        uint64_t *place = find(c, key, &was);
        if (place == NULL)
            return TAKEN_NOT_PLACE;
        if (count_of(was) >= most)
            return TAKEN_NOT_FULL;
        if (exchange(place, was, tag_of(key) << COUNT_BITS | (count_of(was) + 1)))
            return TAKEN;
    }
    return TAKEN_NOT_PLACE;
}

/* Others are faster now and then, and each of them is done with it. */
static void give(struct census *c, uint64_t key)
{
    uint64_t was, *place;
    do {
        place = find(c, key, &was);
        ASSERT(place != NULL && count_of(was) > 0);
    } while (!exchange(place, was, count_of(was) == 1 ? 0 : was - 1));
}

/* Never 0, in neither part. */
static uint64_t key_of(const struct core *core, const struct siphash_key *of, const void *what,
                       size_t bytes)
{
    struct siphash_key key = {core->hash_key.k0 ^ of->k0, core->hash_key.k1 ^ of->k1};
    return siphash(&key, what, bytes) | 1ULL << COUNT_BITS;
}

/* What a listener's are counted under: the policy's at its port. */
static uint64_t key_of_listener(const struct core *core, const struct image_conn_limit *limit,
                                const struct image_bind *bind)
{
    uint32_t port = (uint32_t)bind->port << 1 | image_is_udp_bind(bind->kind);
    return key_of(core, &(struct siphash_key){limit->id, 1}, &port, sizeof(port));
}

/* And a client's: an address, of IPv6 a link's, for a host can have all of them. */
static uint64_t key_of_client(const struct core *core, const struct image_conn_limit *limit,
                              const struct ip_addr *client)
{
    return key_of(core, &(struct siphash_key){limit->id, 2}, client->bytes,
                  ip_addr_is_v4(client) ? 16 : 8);
}

static const struct image_conn_limit *limit_of(const struct core *core, const struct image_view *v,
                                               uint32_t bind)
{
    uint32_t limit = v->binds[bind].limit;
    return core->census == NULL || limit == IMAGE_NONE ? NULL : &v->conn_limits[limit];
}

enum stat_id census_against(const struct core *core, const struct image_view *v, uint32_t bind,
                            const struct ip_addr *client)
{
    const struct image_conn_limit *limit = limit_of(core, v, bind);
    if (limit == NULL)
        return STAT_COUNT;
    uint64_t listener = key_of_listener(core, limit, &v->binds[bind]);
    if (limit->conns_max != 0 && census_count(core->census, listener) >= limit->conns_max)
        return STAT_core_conns_refused;
    if (limit->client_conns_max == 0 || v->binds[bind].is_proxied)
        return STAT_COUNT; /* who the client is tells its header */
    uint64_t key = key_of_client(core, limit, client);
    bool is_full = census_count(core->census, key) >= limit->client_conns_max;
    return is_full ? STAT_core_conns_refused_client : STAT_COUNT;
}

/* Counts one under the key; *ret is the key then. False: no more may come in. */
static bool enter(struct core *core, uint64_t key, uint32_t most, enum stat_id refused,
                  uint64_t *ret)
{
    if (most == 0 || *ret != 0)
        return true;
    enum taken taken = take(core->census, key, most);
    if (taken == TAKEN)
        *ret = key;
    else
        stat_inc(core, taken == TAKEN_NOT_FULL ? refused : STAT_core_conns_uncounted);
    return taken != TAKEN_NOT_FULL;
}

bool census_enter(struct core *core, const struct image_view *v, uint32_t bind,
                  const struct ip_addr *client, struct census_hold *hold)
{
    const struct image_conn_limit *limit = limit_of(core, v, bind);
    struct census_hold was = *hold;
    if (limit == NULL)
        return true;
    if (!enter(core, key_of_listener(core, limit, &v->binds[bind]), limit->conns_max,
               STAT_core_conns_refused, &hold->listener))
        return false;
    if (client == NULL || enter(core, key_of_client(core, limit, client), limit->client_conns_max,
                                STAT_core_conns_refused_client, &hold->client))
        return true;
    if (was.listener == 0 && hold->listener != 0)
        give(core->census, hold->listener);
    *hold = was;
    return false;
}

void census_leave(struct core *core, struct census_hold *hold)
{
    if (hold->listener != 0)
        give(core->census, hold->listener);
    if (hold->client != 0)
        give(core->census, hold->client);
    *hold = (struct census_hold){0, 0};
}
