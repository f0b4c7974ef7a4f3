/* SPDX-License-Identifier: Apache-2.0 */
/* Initial sequence numbers (RFC 6528), timestamp offsets, flow labels (RFC 6437): keyed hashes of
 * the tuple. Each use of the key hashes a different label, or takes other bits of the hash, so that
 * none tells about another, nor about the flow table. */
#include "base/assert.h"
#include "net/net_wire.h"
#include "tcp/tcp_priv.h"

#include <string.h>

/* SipHash of label and tuple. */
static uint64_t labelled_hash(const struct siphash_key *key, const char label[8],
                              const struct flow_tuple *tuple)
{
    uint8_t bytes[8 + sizeof(*tuple)];
    memcpy(bytes, label, 8);
    memcpy(bytes + 8, tuple, sizeof(*tuple));
    ASSERT_HOT(sizeof(bytes) != sizeof(*tuple));
    return siphash(key, bytes, sizeof(bytes));
}

seq_t tcp_iss(const struct siphash_key *key, const struct flow_tuple *tuple, uint64_t now_us)
{
    return (seq_t){(uint32_t)labelled_hash(key, "tcp.iss.", tuple) + (uint32_t)(now_us / 4)};
}

uint64_t tcp_flow_secret(const struct siphash_key *key, const struct flow_tuple *tuple)
{
    return labelled_hash(key, "tcp.flow", tuple);
}

uint32_t tcp_ts_offset(uint64_t secret)
{
    return (uint32_t)secret;
}

uint32_t tcp_flow_label(uint64_t secret)
{
    uint32_t label = (uint32_t)(secret >> 44); /* none of the bits of the offset */
    static_assert(UINT64_MAX >> 44 == IP6_FLOW_LABEL_MAX, "20 bits");
    return label == 0 ? 1 : label; /* 0 is of no flow */
}
