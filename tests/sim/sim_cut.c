/* SPDX-License-Identifier: Apache-2.0 */
/* Packets cut into pieces. */
#include "sim_cut.h"

#include "base/assert.h"
#include "frame.h"
#include "net/net_wire.h"

#include <string.h>

#define ETHER_BYTES 14u
#define IP4_BYTES 20u
#define IP6_BYTES 40u
#define SHORTEST 400u /* of what is cut: the first piece shall hold all headers */

/* One piece: headers, then `bytes` of the payload from `offset` on. */
static void make_piece(const uint8_t *frame, const struct frame_view *v, uint32_t id,
                       uint32_t offset, uint32_t bytes, bool has_more, struct sim_piece *ret)
{
    uint32_t header = v->is_v4 ? IP4_BYTES : IP6_BYTES;
    uint8_t *at = ret->bytes + ETHER_BYTES;
    memcpy(ret->bytes, frame, ETHER_BYTES + header);
    if (v->is_v4) {
        frame_put16(at + 2, header + bytes);
        frame_put16(at + 4, id);
        frame_put16(at + 6, offset / 8 | (has_more ? 0x2000u : 0));
    } else {
        struct wire_ip6_fragment f = {
            .next = at[6], .offset_more = be16((uint16_t)(offset | has_more)), .id = be32(id)};
        frame_put16(at + 4, (uint32_t)sizeof(f) + bytes);
        at[6] = IPPROTO_NUM_FRAGMENT;
        memcpy(at + header, &f, sizeof(f));
        header += (uint32_t)sizeof(f);
    }
    ASSERT(ETHER_BYTES + header + bytes <= sizeof(ret->bytes));
    memcpy(at + header, v->l4 + offset, bytes);
    ret->len = (uint16_t)(ETHER_BYTES + header + bytes);
    frame_close(ret->bytes, ret->len);
}

unsigned sim_cut(const uint8_t *frame, uint16_t len, struct rng *rng,
                 struct sim_piece ret[SIM_PIECES_MAX])
{
    struct frame_view v;
    if (!frame_look((uint8_t *)(uintptr_t)frame, len, &v) || v.l4_bytes < SHORTEST ||
        v.l4 != v.ip + (v.is_v4 ? IP4_BYTES : IP6_BYTES))
        return 0;
    uint32_t id = 1 + rng_below(rng, UINT16_MAX);
    uint32_t n = 2 + rng_below(rng, SIM_PIECES_MAX - 1);
    uint32_t step = ((v.l4_bytes + n - 1) / n + 7) / 8 * 8;
    unsigned made = 0;
    for (uint32_t offset = 0; offset < v.l4_bytes; offset += step) {
        uint32_t left = v.l4_bytes - offset;
        ASSERT(made < SIM_PIECES_MAX);
        make_piece(frame, &v, id, offset, left < step ? left : step, left > step, &ret[made++]);
    }
    return made;
}
