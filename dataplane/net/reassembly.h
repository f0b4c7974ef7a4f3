/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets in pieces, put together in bounded memory (RFC 791, RFC 815, RFC 1122 section 3.3.2; RFC
 * 8200 section 4.5, RFC 5722). One worker's: the port facade brings all fragments of a packet to
 * the worker of its addresses.
 *
 *   begun -> waiting -> whole      all bytes are here: a frame again, see net->whole
 *                    -> timed out  NET_REASSEMBLY_US after the first fragment came
 *                    -> evicted    made place for another
 *                    -> dead       its fragments contradict each other: it holds no memory, but its
 *                                  place, so that what still comes is recognised; then as above
 *
 * Who gets how much: sources are dealt out to shares by a secret hash, and a share has a bound.
 * What goes beyond it pushes out the oldest of the same share; beyond the bound of all, the oldest
 * of all goes.
 *
 * The rules are in reassembly.c, the places in reassembly_table.c. Owner: struct net. Thread: the
 * worker. Bound: NET_DATAGRAMS_*, NET_FRAGMENT*.
 */
#pragma once

#include "base/list.h"
#include "base/pool.h"
#include "base/wheel.h"
#include "net/net_priv.h"

#define DATAGRAM_BUCKETS 256u

/* What makes fragments those of one packet. Hashed as it lies: no padding. */
struct datagram_key {
    struct ip_addr src;
    struct ip_addr dst;
    uint32_t id;
    uint32_t proto; /* IPv4; of IPv6 0: the first fragment's counts alone */
};
static_assert(sizeof(struct datagram_key) == 40, "no padding is hashed");

/* A fragment as its header tells; the mbuf begins with its data. first < end <= 65535. */
struct fragment {
    struct datagram_key key;
    uint32_t first; /* place of its first byte in the packet */
    uint32_t end;   /* of the byte behind its last */
    bool has_more;
    uint8_t next; /* the protocol of the packet, if it is the first */
};

struct fragment_piece {
    struct rte_mbuf *m;
    uint32_t first;
    uint32_t end;
};

/* pieces[] is sorted and without overlap; bytes is the sum of what they hold, mbufs of what they
 * take; end is 0 until the last fragment is here, and no piece ends behind it. */
struct datagram {
    struct list_node bucket_link;
    struct list_node age_link;   /* oldest first */
    struct list_node share_link; /* oldest first */
    struct datagram_key key;
    uint64_t expires_us;
    uint32_t bytes;
    uint32_t end;
    uint32_t mbufs;
    uint16_t share;
    uint8_t n;
    bool is_dead;
    uint8_t ecn_seen; /* one bit for each value that was */
    uint8_t next;     /* this and all below are the first fragment's */
    uint8_t tos;
    uint8_t hop_limit;
    uint16_t port;
    uint16_t vlan;
    struct ether_mac src_mac;
    uint32_t header_bytes; /* in front of its data */
    struct fragment_piece pieces[NET_FRAGMENTS_PER_DATAGRAM_MAX];
};

struct datagram_share {
    struct list_node datagrams; /* oldest first */
    uint32_t n;
    uint32_t mbufs;
};

struct reassembly {
    struct pool pool;
    uint32_t mbufs;
    uint32_t mbufs_max;       /* NET_FRAGMENT_MBUFS_MAX, or less */
    struct wheel_timer timer; /* armed while there is a datagram, for the oldest */
    struct net *net;
    struct list_node by_age;
    struct list_node buckets[DATAGRAM_BUCKETS];
    struct datagram_share shares[NET_FRAGMENT_SHARES_MAX];
};

/* Nothing under way. */
void reassembly_init(struct net *n);

/* Gives back what is under way. */
void reassembly_done(struct net *n);

/* Takes in a fragment; takes ownership of `m`. When it was the last that was missing, net->whole is
 * the packet in a frame of its own, as if it had come so: from the ethernet header on, without the
 * options and extension headers in front of the pieces, which were looked at. */
void reassembly_input(struct net *n, const struct net_packet *p, const struct fragment *f,
                      struct rte_mbuf *m);

/* The datagram of `key`; NULL: not under way. */
struct datagram *datagram_find(struct net *n, const struct datagram_key *key);

/* A new one without a piece; others may have to make place. */
struct datagram *datagram_begin(struct net *n, const struct datagram_key *key);

/* Room for `mbufs` more in `d`: others may have to make place. False: there is none. */
bool datagram_make_room(struct net *n, struct datagram *d, uint32_t mbufs);

/* Counts `mbufs` to or from `d`, its share and all. */
void datagram_charge(struct net *n, struct datagram *d, int32_t mbufs);

/* Lets go of the pieces. */
void datagram_empty(struct net *n, struct datagram *d);

/* Forgets `d`, which has no pieces any more. */
void datagram_forget(struct net *n, struct datagram *d);

/* Asserts what stands above. */
void check_datagram(const struct datagram *d);
