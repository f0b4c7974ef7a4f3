/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk along the extension headers of an IPv6 packet (RFC 8200, section 4), as a host does it
 * that is the destination: options are looked at and skipped, a routing header must have arrived,
 * the fragment header of a packet that is whole means nothing (RFC 6946), all others end the walk.
 * Bounded in headers, bytes and options (RFC 8504, section 5.3). Pure; thread: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum ip6_walk_end {
    IP6_WALK_UPPER,    /* `proto`, which is no extension header that we know, begins at `offset` */
    IP6_WALK_FRAGMENT, /* the fragment header of one of several begins at `offset` */
    IP6_WALK_REFUSED,  /* broken or beyond a bound: dropped in silence */
    IP6_WALK_HEADER,   /* `pointer` is at a field with a value that is wrong */
    IP6_WALK_OPTION,   /* `pointer` is at an option that we must know */
    IP6_WALK_MISPLACED /* `pointer` says hop-by-hop where that cannot be */
};

/* Where the walk stands. Begins as {.bytes, .len, .offset, .next_at, .proto} behind a header whose
 * field `next_at` said that `proto` begins at `offset`. */
struct ip6_walk {
    const uint8_t *bytes; /* of the packet, from the IPv6 header on */
    uint32_t len;         /* of them, in one piece */
    uint32_t offset;
    uint32_t next_at;
    uint32_t pointer;
    uint32_t ext_bytes; /* walked so far */
    uint8_t proto;
    uint8_t n_headers; /* walked so far */
    uint8_t n_options;
    bool has_fragment; /* a fragment header was among them */
    bool tells_groups; /* of IP6_WALK_OPTION: the sender is told even if a group was addressed */
};

/* Walks on from where `w` stands. */
enum ip6_walk_end ip6_walk(struct ip6_walk *w);
