/* SPDX-License-Identifier: Apache-2.0 */
/* Troubles: begun, kept up, ended. */
#include "sim_trouble.h"

#include "base/assert.h"
#include "drivers/net/mem.h"
#include "sim.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

/* When trouble `i` begins, and when it is over. */
static uint64_t begin_us(const struct sim *s, unsigned i)
{
    return SIM_START_US + s->plan.troubles[i].at_us;
}

static uint64_t end_us(const struct sim *s, unsigned i)
{
    return begin_us(s, i) + s->plan.troubles[i].for_us;
}

/* The appliance's port on the LAN. */
static struct sim_port *box_port(struct sim *s, uint32_t lan)
{
    return &s->wires.ports[s->n_hosts + lan];
}

/* The port's send queues stand still (a pause frame came), with room for `room` frames each. */
static void stall(struct sim_port *p, unsigned room)
{
    ASSERT(room <= MEM_QUEUE_FRAMES_MAX);
    if (p->is_stalled)
        return;
    p->is_stalled = true;
    for (unsigned queue = 0; queue < p->queues; queue++) {
        ASSERT(rte_ring_empty(p->out[queue])); /* a round ends with all collected */
        for (unsigned n = room; n < MEM_QUEUE_FRAMES_MAX; n++) {
            struct rte_mbuf *m = rte_pktmbuf_alloc(sim_host_mbufs());
            if (m == NULL || rte_ring_sp_enqueue(p->out[queue], m) != 0) {
                rte_pktmbuf_free(m);
                break;
            }
            p->n_fillers[queue]++;
        }
    }
}

/* They move again. */
static void go_on(struct sim_port *p)
{
    p->is_stalled = false;
    for (unsigned queue = 0; queue < p->queues; queue++) {
        for (; p->n_fillers[queue] > 0; p->n_fillers[queue]--) {
            void *m = NULL;
            int error = rte_ring_sc_dequeue(p->out[queue], &m);
            ASSERT(error == 0);
            rte_pktmbuf_free(m);
        }
    }
}

/* All of the appliance's buffers but `amount` go; those that come back go too. */
static void drain(struct sim *s, uint32_t amount)
{
    struct rte_mempool *pool = sim_box_mbufs(s->plan.has_few_mbufs);
    while (rte_mempool_avail_count(pool) > amount) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
        ASSERT(m != NULL && s->troubles.n_held < SIM_BOX_MBUFS);
        s->troubles.held[s->troubles.n_held++] = m;
    }
}

static void give_back(struct sim *s)
{
    rte_pktmbuf_free_bulk(s->troubles.held, s->troubles.n_held);
    s->troubles.n_held = 0;
}

/* Lies of the hosts on a LAN: on their way to the appliance's port there. */
static void set_lies(struct sim *s, const struct sim_trouble *t, uint32_t amount)
{
    struct sim_lies *lies = &box_port(s, t->lan)->lies;
    *(t->kind == SIM_TROUBLE_shrink ? &lies->shrink : &lies->renege) = amount;
}

static void begin(struct sim *s, unsigned i)
{
    const struct sim_trouble *t = &s->plan.troubles[i];
    sim_note(s, "trouble: %s on LAN %u, %u, for %lu us", sim_trouble_name(t->kind), t->lan,
             t->amount, t->for_us);
    s->troubles.is_on[i] = true;
    if (t->kind == SIM_TROUBLE_nap)
        s->troubles.naps++;
    else if (t->kind == SIM_TROUBLE_stall)
        stall(box_port(s, t->lan), t->amount);
    else if (t->kind == SIM_TROUBLE_drain)
        drain(s, t->amount);
    else
        set_lies(s, t, t->amount);
}

static void end(struct sim *s, unsigned i)
{
    const struct sim_trouble *t = &s->plan.troubles[i];
    if (s->troubles.is_on[i]) {
        if (t->kind == SIM_TROUBLE_nap)
            s->troubles.naps--;
        else if (t->kind == SIM_TROUBLE_stall)
            go_on(box_port(s, t->lan));
        else if (t->kind == SIM_TROUBLE_drain)
            give_back(s);
        else
            set_lies(s, t, 0);
        s->box.is_awake = true;
        sim_note(s, "trouble: %s is over", sim_trouble_name(t->kind));
    }
    s->troubles.is_on[i] = false;
    s->troubles.is_over[i] = true;
}

void sim_trouble_poll(struct sim *s)
{
    for (unsigned i = 0; i < s->plan.n_troubles; i++) {
        if (s->troubles.is_over[i])
            continue;
        if (s->now_us >= end_us(s, i))
            end(s, i);
        else if (s->now_us >= begin_us(s, i) && !s->troubles.is_on[i])
            begin(s, i);
        else if (s->troubles.is_on[i] && s->plan.troubles[i].kind == SIM_TROUBLE_drain)
            drain(s, s->plan.troubles[i].amount);
    }
}

uint64_t sim_trouble_next_us(const struct sim *s)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < s->plan.n_troubles; i++) {
        uint64_t due = s->troubles.is_on[i] ? end_us(s, i) : begin_us(s, i);
        if (!s->troubles.is_over[i] && due < next)
            next = due;
    }
    return next;
}

void sim_trouble_end(struct sim *s)
{
    for (unsigned i = 0; i < s->plan.n_troubles; i++) {
        if (!s->troubles.is_over[i])
            end(s, i);
    }
}
