/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of ways that are narrower than the interface they leave by (RFC 1191 section 6.3,
 * RFC 8201 section 5.2), by destination: so that the next connection need not find it out again,
 * which takes a round trip where routers speak, and two timeouts where they do not.
 *
 * Who writes: tcp alone, after it has believed a router, for the quoted segment was in flight, or
 * has seen what arrives and what does not. So whoever wants to be in it must answer a handshake;
 * to lie here about a destination, one must have its traffic in hand or be it. What is remembered
 * is never below NET_PATH_MTU_MIN: whoever shares an address with a liar (behind a NAT) has
 * somewhat smaller packets for ten minutes. Narrower paths each connection finds out for itself.
 *
 * A table of sets of NET_PATH_MTU_WAYS places. A secret hash chooses the set, of IPv6 by the /64:
 * who has one has all addresses in it, and yet only these few places. The oldest gives way.
 *
 * Owner: whoever embeds it. Pure. Bound: NET_PATH_MTU_SETS_MAX sets. Cost: a hash and two lines.
 */
#pragma once

#include "base/ip_addr.h"
#include "base/siphash.h"
#include "net/net_limits.h"

#include <stdbool.h>
#include <stdint.h>

#define NET_PATH_MTU_WAYS 4u

struct path_mtu {
    struct ip_addr dst;
    uint64_t until_us; /* it is believed until then; 0: the place is free */
    uint16_t mtu;
    bool is_told; /* by a router; else found out by what arrives */
};

struct path_mtus {
    struct path_mtu sets[NET_PATH_MTU_SETS_MAX][NET_PATH_MTU_WAYS];
};

/* What becomes of it. */
enum path_mtu_verdict {
    PATH_MTU_KEPT,   /* in a free place, or in its own */
    PATH_MTU_PUSHED, /* another one, still believed, had to go for it */
};

/* Packets to `dst` of more than `mtu` bytes do not arrive. */
enum path_mtu_verdict path_mtu_learn(struct path_mtus *t, const struct siphash_key *key,
                                     uint64_t now_us, const struct path_mtu *news);

/* One of `bytes` has arrived; the interface takes `link_mtu`. True: that was not known. */
bool path_mtu_passed(struct path_mtus *t, const struct siphash_key *key, uint64_t now_us,
                     const struct ip_addr *dst, uint16_t bytes, uint16_t link_mtu);

/* What is believed of the way to `dst`; NULL: nothing. */
const struct path_mtu *path_mtu_find(const struct path_mtus *t, const struct siphash_key *key,
                                     uint64_t now_us, const struct ip_addr *dst);
