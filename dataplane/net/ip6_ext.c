/* SPDX-License-Identifier: Apache-2.0 */
/* See ip6_ext.h. */
#include "net/ip6_ext.h"

#include "base/assert.h"
#include "net/net_limits.h"
#include "net/net_wire.h"

#define IP6_WALK_ON (-1) /* no end yet */

#define OPTION_PAD1 0u
#define OPTION_PADN 1u
#define OPTION_ACTION 0xc0u /* RFC 8200, section 4.2: what to do with one that is not known */
#define OPTION_SKIP 0x00u
#define OPTION_DROP 0x40u
#define OPTION_TELL 0x80u /* also when a group was addressed */

/* Options of a hop-by-hop or destination header, from `at` to `end`: all but padding is unknown. */
static int walk_options(struct ip6_walk *w, uint32_t at, uint32_t end)
{
    ASSERT_HOT(end <= w->len);
    while (at < end) {
        uint8_t type = w->bytes[at];
        if (type == OPTION_PAD1) {
            at++;
            continue;
        }
        if (end - at < 2 || w->bytes[at + 1] + 2u > end - at)
            return IP6_WALK_REFUSED;
        if (type != OPTION_PADN && ++w->n_options > NET_IP6_OPTIONS_MAX)
            return IP6_WALK_REFUSED;
        if ((type & OPTION_ACTION) == OPTION_DROP)
            return IP6_WALK_REFUSED;
        if ((type & OPTION_ACTION) != OPTION_SKIP) {
            w->pointer = at;
            w->tells_groups = (type & OPTION_ACTION) == OPTION_TELL;
            return IP6_WALK_OPTION;
        }
        at += w->bytes[at + 1] + 2u;
    }
    return IP6_WALK_ON;
}

/* A second one would be a packet in pieces inside of a packet in pieces. */
static int walk_fragment(struct ip6_walk *w)
{
    const struct wire_ip6_fragment *frag = (const void *)&w->bytes[w->offset];
    if (w->has_fragment)
        return IP6_WALK_REFUSED;
    w->has_fragment = true;
    bool is_whole = (be16_host(frag->offset_more) & (IP6_FRAGMENT_OFFSET | IP6_FRAGMENT_MORE)) == 0;
    return is_whole ? IP6_WALK_ON : IP6_WALK_FRAGMENT;
}

/* One extension header. */
static int step(struct ip6_walk *w)
{
    if (w->offset + 8 > w->len || w->n_headers == NET_IP6_EXTENSIONS_MAX)
        return IP6_WALK_REFUSED;
    const uint8_t *ext = &w->bytes[w->offset];
    uint32_t bytes = w->proto == IPPROTO_NUM_FRAGMENT ? 8 : (ext[1] + 1u) * 8;
    if (w->offset + bytes > w->len || w->ext_bytes + bytes > NET_IP6_EXTENSION_BYTES_MAX)
        return IP6_WALK_REFUSED;
    int end = IP6_WALK_ON;
    if (w->proto == IPPROTO_NUM_FRAGMENT) {
        end = walk_fragment(w);
    } else if (w->proto != IPPROTO_NUM_ROUTING) {
        end = walk_options(w, w->offset + 2, w->offset + bytes);
    } else if (ext[3] != 0) { /* segments left of a type that we do not know (RFC 8200, 4.4; RFC
                                 5095 for type 0) */
        w->pointer = w->offset + 2;
        end = IP6_WALK_HEADER;
    }
    if (end != IP6_WALK_ON)
        return end;
    w->n_headers++;
    w->ext_bytes += bytes;
    w->next_at = w->offset;
    w->proto = ext[0];
    w->offset += bytes;
    return IP6_WALK_ON;
}

static bool is_extension(uint8_t proto)
{
    return proto == IPPROTO_NUM_HOP_BY_HOP || proto == IPPROTO_NUM_ROUTING ||
           proto == IPPROTO_NUM_FRAGMENT || proto == IPPROTO_NUM_DEST_OPTIONS;
}

enum ip6_walk_end ip6_walk(struct ip6_walk *w)
{
    while (is_extension(w->proto)) {
        bool is_first = w->next_at == IP6_NEXT_AT;
        if (w->proto == IPPROTO_NUM_HOP_BY_HOP && !is_first) {
            w->pointer = w->next_at;
            return IP6_WALK_MISPLACED;
        }
        int end = step(w);
        if (end != IP6_WALK_ON)
            return (enum ip6_walk_end)end;
    }
    ASSERT_HOT(w->offset <= w->len);
    ASSERT_HOT(w->n_headers <= NET_IP6_EXTENSIONS_MAX);
    return IP6_WALK_UPPER;
}
