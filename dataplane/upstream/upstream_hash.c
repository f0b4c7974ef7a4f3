/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes that tell an endpoint (balancing Maglev). They have no secret: every worker and every box
 * has to come to the same, and so have connections that are passed on and flows that are forwarded.
 * Pure.
 */
#include "base/siphash.h"
#include "core/flow_table.h"
#include "upstream/upstream.h"

uint64_t upstream_hash(struct slice key)
{
    static const struct siphash_key open;
    return siphash(&open, key.ptr, key.len);
}

uint64_t upstream_hash_client(const struct ip_addr *client)
{
    return upstream_hash(slice_of(client->bytes, sizeof(client->bytes)));
}

uint64_t upstream_hash_ends(const struct flow_tuple *ends, uint8_t proto)
{
    struct {
        struct flow_tuple ends;
        uint32_t proto;
    } key = {*ends, proto};
    static_assert(sizeof(key) == sizeof(struct flow_tuple) + 4, "no padding in what is hashed");
    return upstream_hash(slice_of(&key, sizeof(key)));
}
