/* SPDX-License-Identifier: Apache-2.0 */
/* Chance, and sequences of DPDK in it. Thread: the composer's, before the workers start. */
#include "core/spread_key.h"

#include "base/assert.h"
#include "base/rng.h"

#include <rte_random.h>
#include <rte_thash.h>
#include <string.h>

#define PORT_BITS 16u
#define IP4_PORT_AT (8u * 10) /* of the destination port in a tuple, in bits */
#define IP6_PORT_AT (8u * 34)

const struct spread_key spread_default_key = {
    .bytes = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
              0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
              0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa}};

static struct spread_key drawn;
static struct rte_thash_ctx *drawn_by; /* NULL: nothing is drawn */

/* Writes the sequence for one family's port into the key and returns the table for it. */
static struct rte_thash_subtuple_helper *add_port(struct rte_thash_ctx *ctx, const char *name,
                                                  uint32_t at)
{
    return rte_thash_add_helper(ctx, name, PORT_BITS, at) == 0 ? rte_thash_get_helper(ctx, name)
                                                               : NULL;
}

bool spread_key_make(uint64_t seed)
{
    ASSERT(drawn_by == NULL);
    struct rng rng = {.state = seed};
    uint64_t chance[SPREAD_KEY_BYTES / 8];
    for (unsigned i = 0; i < SPREAD_KEY_BYTES / 8; i++)
        chance[i] = rng_next(&rng);
    rte_srand(rng_next(&rng));
    struct rte_thash_ctx *ctx =
        rte_thash_init_ctx("sluice", SPREAD_KEY_BYTES, SPREAD_BUCKET_BITS, (uint8_t *)chance, 0);
    if (ctx == NULL)
        return false;
    struct spread_key key = {.ip4_port = add_port(ctx, "ip4", IP4_PORT_AT),
                             .ip6_port = add_port(ctx, "ip6", IP6_PORT_AT)};
    if (key.ip4_port == NULL || key.ip6_port == NULL) {
        rte_thash_free_ctx(ctx);
        return false;
    }
    memcpy(key.bytes, rte_thash_get_key(ctx), sizeof(key.bytes));
    drawn = key;
    drawn_by = ctx;
    return true;
}

void spread_key_forget(void)
{
    rte_thash_free_ctx(drawn_by);
    drawn_by = NULL;
}

const struct spread_key *spread_key(void)
{
    return drawn_by != NULL ? &drawn : &spread_default_key;
}
