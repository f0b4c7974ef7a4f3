/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Candidates are counted through so that none comes twice: block by block, and in a block bucket by
 * bucket of the worker's. Toeplitz's hash is linear: that of a tuple is that of the tuple with port
 * 0, and what the port adds; so the addresses are hashed once for all candidates.
 */
#include "core/spread_aim.h"

#include "base/assert.h"

#include <rte_thash.h>

#define PORTS (SPREAD_AIM_PORT_LAST - SPREAD_AIM_PORT_FIRST + 1)

static_assert(SPREAD_AIM_PORT_FIRST % SPREAD_BUCKETS_MAX == 0 && PORTS % SPREAD_BUCKETS_MAX == 0,
              "blocks are whole");

/* What the port adds to the hash: it is the low half of its word. */
static uint32_t port_hash(const struct spread_aim *a, uint32_t port)
{
    const uint32_t(*part)[16] = &a->spread->parts[a->port_word * 8u + 4];
    return part[0][port >> 12] ^ part[1][port >> 8 & 15] ^ part[2][port >> 4 & 15] ^
           part[3][port & 15];
}

static uint32_t n_buckets(const struct spread_aim *a)
{
    return a->spread->first_bucket[a->worker + 1u] - a->spread->first_bucket[a->worker];
}

void spread_aim_init(struct spread_aim *a, const struct spread *s, unsigned worker,
                     const struct ip_addr *src, const struct ip_addr *dst, uint16_t src_port)
{
    ASSERT_HOT(worker <= UINT8_MAX);
    struct spread_tuple t;
    spread_tuple_of(src, dst, src_port, 0, &t);
    *a = (struct spread_aim){.spread = s,
                             .hash = spread_hash(s, &t),
                             .worker = (uint8_t)worker,
                             .port_word = (uint8_t)(t.n - 1)};
    if (s->key != NULL)
        a->solver = ip_addr_is_v4(src) ? s->key->ip4_port : s->key->ip6_port;
    uint32_t owned = n_buckets(a);
    if (owned > 0)
        a->n = a->solver != NULL ? PORTS / SPREAD_BUCKETS_MAX * owned : PORTS;
}

bool spread_aim_port(const struct spread_aim *a, uint32_t i, uint16_t *ret_port)
{
    const struct spread *s = a->spread;
    ASSERT_HOT(i < a->n);
    uint32_t port = SPREAD_AIM_PORT_FIRST + i;
    if (a->solver != NULL) {
        uint32_t owned = n_buckets(a);
        uint32_t wanted = s->bucket[s->first_bucket[a->worker] + i % owned];
        port = SPREAD_AIM_PORT_FIRST + i / owned * SPREAD_BUCKETS_MAX;
        port ^= rte_thash_get_complement(a->solver, a->hash ^ port_hash(a, port), wanted);
    }
    bool fits = s->worker_of[(a->hash ^ port_hash(a, port)) % SPREAD_BUCKETS_MAX] == a->worker;
    ASSERT_HOT(fits || a->solver == NULL);
    if (fits)
        *ret_port = (uint16_t)port;
    return fits;
}
