/* SPDX-License-Identifier: Apache-2.0 */
/* Marks: planned, set, looked at. */
#include "sim_mark.h"

#include "base/assert.h"
#include "base/container.h"
#include "frame.h"
#include "net/net_wire.h"
#include "sim_world.h"
#include "tcp/tcp_types.h"

#define TCP_BYTES 20u
#define LOSS_MAX 10000u /* in a million: four SYNs in a row are not lost, and their answers */
/* Frames: SYNs that came at once and were lost go again at once. */
#define DROPS_OVER_MIN SIM_SESSIONS_MAX

static void plan_wire(struct sim_wire_plan *w, struct rng *r)
{
    bool has_chance = sim_one_in(r, 2);
    if (has_chance)
        w->mark = sim_between(r, 1000, sim_one_in(r, 4) ? 1000000 : 100000);
    if (!has_chance || sim_one_in(r, 3))
        w->mark_over = sim_between(r, 1, sim_one_in(r, 2) ? 8 : 64);
}

/* Loss beside marks, and queues that drop what they cannot mark: these tell more seldom, as
 * acknowledgements and SYNs have to come through in the end. */
static void plan_mishaps(struct sim_wire_plan *w, struct rng *r)
{
    if (sim_one_in(r, 2))
        w->loss = sim_between(r, 100, LOSS_MAX);
    w->drops_unmarked = w->loss == 0 || sim_one_in(r, 2);
    if (!w->drops_unmarked)
        return;
    w->mark = w->mark < LOSS_MAX ? w->mark : LOSS_MAX;
    w->mark_over += w->mark_over > 0 ? DROPS_OVER_MIN : 0;
}

void sim_plan_marks(struct sim_plan *p, bool marks)
{
    struct rng r = {p->seed ^ 0x6d61726b};
    bool is_mixed = sim_one_in(&r, 3);
    bool is_nobody = !is_mixed && sim_one_in(&r, 6);
    p->no_ecn = is_mixed ? rng_below(&r, UINT32_MAX) : is_nobody ? UINT32_MAX : 0;
    bool is_calm = sim_one_in(&r, 3); /* then every mark is accounted for */
    bool is_light = !p->is_calm && sim_one_in(&r, 4);
    for (unsigned i = 0; i < array_len(p->wires); i++) {
        if (marks)
            plan_wire(&p->wires[i], &r);
        else if (is_light)
            p->wires[i].mark = sim_between(&r, 100, 20000);
        if (marks && !is_calm)
            plan_mishaps(&p->wires[i], &r);
    }
    p->is_calm &= !marks || is_calm;
}

bool sim_has_ecn(const struct sim_plan *p, unsigned number)
{
    ASSERT(number <= SIM_BOX);
    return (p->no_ecn >> number & 1) == 0;
}

/* The ECN field; 0 where there is none. */
static unsigned ecn_of(const uint8_t *frame, size_t len)
{
    bool is_v4;
    const uint8_t *ip = frame_find_ip((uint8_t *)(uintptr_t)frame, len, &is_v4);
    if (ip == NULL || ip + 2 > frame + len)
        return 0;
    return is_v4 ? ip[1] & TCP_ECN_MASK : ip[1] >> 4 & TCP_ECN_MASK;
}

bool sim_is_capable(const uint8_t *frame, size_t len)
{
    unsigned ecn = ecn_of(frame, len);
    return ecn != 0 && ecn != TCP_ECN_CE;
}

bool sim_is_marked(const uint8_t *frame, size_t len)
{
    return ecn_of(frame, len) == TCP_ECN_CE;
}

void sim_mark(uint8_t *frame, size_t len)
{
    bool is_v4;
    uint8_t *ip = frame_find_ip(frame, len, &is_v4);
    ASSERT(sim_is_capable(frame, len));
    ip[1] |= (uint8_t)(is_v4 ? TCP_ECN_CE : TCP_ECN_CE << 4);
    frame_close_ip(frame, len);
}

const char *sim_mark_fault(const uint8_t *frame, size_t len, bool has_ecn)
{
    struct frame_view v;
    if (sim_is_marked(frame, len))
        return "a frame was sent that was marked already";
    if (!sim_is_capable(frame, len))
        return NULL;
    if (!has_ecn)
        return "an ECN-capable frame between two of whom one has no ECN";
    if (!frame_look((uint8_t *)(uintptr_t)frame, len, &v) || v.proto != IPPROTO_NUM_TCP ||
        v.l4_bytes < TCP_BYTES)
        return "an ECN-capable frame that is no segment";
    if ((v.l4[13] & (TCP_SYN | TCP_RST)) != 0 || v.l4_bytes <= (v.l4[12] >> 4) * 4u)
        return "an ECN-capable SYN, reset or segment without data (RFC 3168, 6.1)";
    return NULL;
}
