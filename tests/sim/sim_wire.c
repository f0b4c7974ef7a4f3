/* SPDX-License-Identifier: Apache-2.0 */
/* The wires: a heap of frames by their time. Owner: the simulator. Thread: its only one. */
#include "sim_wire.h"

#include "base/assert.h"
#include "sim.h"
#include "sim_cut.h"
#include "sim_icmp.h"
#include "sim_mark.h"

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdlib.h>
#include <string.h>

#define NO_FRAME UINT32_MAX
#define ETHER_BYTES 14u
#define ETHER_FRAME_BYTES_MIN 60u /* a shorter one is padded (IEEE 802.3) */
#define COLLECT_MAX 64u

void sim_wires_init(struct sim_wires *w, const struct sim *sim)
{
    const struct sim_plan *plan = &sim->plan;
    struct sim_frame *frames = w->frames;
    if (frames == NULL)
        frames = calloc(SIM_FRAMES_MAX, sizeof(*frames));
    ASSERT(frames != NULL);
    *w = (struct sim_wires){
        .sim = sim, .plan = plan, .rng = {plan->seed ^ 0x77697265}, .frames = frames};
    for (uint32_t i = 0; i < SIM_FRAMES_MAX; i++)
        frames[i].next_free = i + 1 < SIM_FRAMES_MAX ? i + 1 : NO_FRAME;
}

static bool is_before(const struct sim_wires *w, uint32_t a, uint32_t b)
{
    const struct sim_frame *x = &w->frames[a];
    const struct sim_frame *y = &w->frames[b];
    return x->due_us != y->due_us ? x->due_us < y->due_us : x->serial < y->serial;
}

static void heap_push(struct sim_wires *w, uint32_t frame)
{
    uint32_t at = w->n_heap++;
    for (; at > 0 && is_before(w, frame, w->heap[(at - 1) / 2]); at = (at - 1) / 2)
        w->heap[at] = w->heap[(at - 1) / 2];
    w->heap[at] = frame;
}

static uint32_t heap_pop(struct sim_wires *w)
{
    ASSERT(w->n_heap > 0);
    uint32_t top = w->heap[0];
    uint32_t last = w->heap[--w->n_heap];
    uint32_t at = 0;
    for (uint32_t child = 1; child < w->n_heap; child = 2 * at + 1) {
        if (child + 1 < w->n_heap && is_before(w, w->heap[child + 1], w->heap[child]))
            child++;
        if (!is_before(w, w->heap[child], last))
            break;
        w->heap[at] = w->heap[child];
        at = child;
    }
    w->heap[at] = last;
    return top;
}

static bool happens(struct sim_wires *w, uint32_t in_a_million)
{
    return in_a_million > 0 && !w->is_perfect && rng_below(&w->rng, 1000000) < in_a_million;
}

/* Frames to a port arrive in their order, but for those that the plan holds back. */
static uint64_t due_time(struct sim_wires *w, struct sim_port *port, uint64_t now_us)
{
    const struct sim_wire_plan *plan = &w->plan->wires[port->lan];
    uint64_t due = now_us + plan->delay_us;
    if (plan->jitter_us > 0)
        due += rng_below(&w->rng, plan->jitter_us + 1);
    due = (due + plan->grain_us - 1) / plan->grain_us * plan->grain_us;
    if (happens(w, plan->reorder))
        return due + 1 + rng_below(&w->rng, plan->reorder_us);
    if (due < port->last_due_us)
        due = port->last_due_us;
    port->last_due_us = due;
    return due;
}

static bool is_ip(const uint8_t *bytes, uint32_t len)
{
    return len > ETHER_BYTES &&
           ((bytes[12] == 0x08 && bytes[13] == 0x00) || (bytes[12] == 0x86 && bytes[13] == 0xdd));
}

/* A free frame on its way to `port`, its bytes still to be filled in; NULL: the wire is full. */
static struct sim_frame *new_frame(struct sim_wires *w, unsigned from, unsigned port,
                                   uint64_t now_us)
{
    uint32_t index = w->first_free;
    if (index == NO_FRAME) {
        w->n_full++;
        return NULL;
    }
    struct sim_frame *f = &w->frames[index];
    w->first_free = f->next_free;
    f->due_us = due_time(w, &w->ports[port], now_us);
    f->serial = w->serial++;
    f->port = (uint8_t)port;
    f->from = (uint8_t)from;
    w->ports[port].n_on_way++;
    heap_push(w, index);
    return f;
}

/* Does a hop on the way of a LAN not take it? Then the sender is told, unless the hop is a black
 * hole. */
static bool is_too_big(struct sim_wires *w, const uint8_t *bytes, uint16_t len, unsigned from,
                       unsigned lan, uint64_t now_us)
{
    uint32_t mtu = w->plan->wires[lan].path_mtu;
    if (mtu == 0 || len <= ETHER_BYTES + mtu || !is_ip(bytes, len))
        return false;
    w->n_lost++;
    if (w->plan->wires[lan].is_silent)
        return true;
    struct sim_frame *f = new_frame(w, from, from, now_us);
    if (f != NULL)
        f->len = sim_too_big(bytes, len, lan, (uint16_t)mtu, f->bytes);
    return true;
}

/* Does a queue on the way to `port` tell of congestion now? */
static bool is_congested(struct sim_wires *w, unsigned port)
{
    const struct sim_wire_plan *plan = &w->plan->wires[w->ports[port].lan];
    bool is_long = plan->mark_over > 0 && w->ports[port].n_on_way >= plan->mark_over;
    return happens(w, plan->mark) || (is_long && !w->is_perfect);
}

/* One copy of the frame on its way to `port`. */
static void put_on_wire(struct sim_wires *w, const uint8_t *bytes, uint16_t len, unsigned from,
                        unsigned port, uint64_t now_us)
{
    const struct sim_wire_plan *plan = &w->plan->wires[w->ports[port].lan];
    bool is_corrupt = happens(w, plan->corrupt);
    bool is_told = is_congested(w, port);
    bool is_marked = is_told && sim_is_capable(bytes, len);
    bool is_dropped = is_told && !is_marked && plan->drops_unmarked;
    ASSERT(len <= SIM_FRAME_BYTES_MAX);
    if (happens(w, plan->loss) || is_dropped || (is_corrupt && !is_ip(bytes, len))) {
        w->n_lost++;
        return;
    }
    struct sim_frame *f = new_frame(w, from, port, now_us);
    if (f == NULL)
        return;
    f->len = len;
    memcpy(f->bytes, bytes, len);
    for (; f->len < ETHER_FRAME_BYTES_MIN; f->len++)
        f->bytes[f->len] = 0xa5;
    sim_lie(&w->ports[port].lies, &w->rng, f->bytes, f->len); /* before: it makes checksums right */
    if (is_marked) {
        sim_mark(f->bytes, f->len);
        w->n_marked++;
    }
    if (is_corrupt) {
        uint32_t at = ETHER_BYTES + rng_below(&w->rng, f->len - ETHER_BYTES);
        f->bytes[at] ^= (uint8_t)(1 + rng_below(&w->rng, 255));
    }
}

/* As it is, or in pieces. */
static void put_whole_or_cut(struct sim_wires *w, const uint8_t *bytes, uint16_t len, unsigned from,
                             unsigned port, uint64_t now_us)
{
    struct sim_piece pieces[SIM_PIECES_MAX];
    unsigned n = 0;
    if (happens(w, w->plan->wires[w->ports[port].lan].cut))
        n = sim_cut(bytes, len, &w->rng, pieces);
    for (unsigned i = 0; i < n; i++)
        put_on_wire(w, pieces[i].bytes, pieces[i].len, from, port, now_us);
    if (n == 0)
        put_on_wire(w, bytes, len, from, port, now_us);
}

/* What came damaged to who forwards it leaves damaged, and says anything; and of what goes within
 * another packet the outer one says what is the inner one's to say. */
static bool is_ecn_unseen(const struct sim_plan *p)
{
    bool is_forwarded = p->passes.forwarded || p->asks.n > 0;
    bool is_damaged = p->wires[0].corrupt > 0 || p->wires[1].corrupt > 0;
    return is_forwarded && (is_damaged || p->is_carried);
}

/* A backend's answer to a client, around the appliance. False: it is none. */
static bool go_around(struct sim_wires *w, unsigned from, const uint8_t *bytes, uint16_t len,
                      uint64_t now_us)
{
    uint8_t answer[SIM_FRAME_BYTES_MAX];
    unsigned client;
    if (!w->plan->is_carried || from < w->plan->n_clients || from >= w->sim->n_hosts ||
        !sim_dsr_return(w->sim, bytes, len, answer, &client))
        return false;
    if (is_too_big(w, bytes, len, from, 0, now_us))
        return true;
    put_whole_or_cut(w, answer, len, from, client, now_us);
    if (happens(w, w->plan->wires[0].duplicate))
        put_whole_or_cut(w, answer, len, from, client, now_us);
    return true;
}

/* A switch: to whoever has the MAC, or to all but the sender. */
static void forward(struct sim_wires *w, unsigned from, const struct rte_mbuf *m, uint64_t now_us)
{
    uint8_t flat[SIM_FRAME_BYTES_MAX];
    uint16_t len = (uint16_t)m->pkt_len;
    ASSERT(m->pkt_len <= sizeof(flat));
    const uint8_t *bytes = rte_pktmbuf_read(m, 0, len, flat);
    bool is_group = (bytes[0] & 1) != 0;
    w->n_sent++;
    if (is_too_big(w, bytes, len, from, w->ports[from].lan, now_us) ||
        go_around(w, from, bytes, len, now_us))
        return;
    for (unsigned to = 0; to < w->n_ports; to++) {
        const struct sim_port *p = &w->ports[to];
        if (to == from || p->lan != w->ports[from].lan)
            continue;
        if (!is_group && memcmp(bytes, p->mac.bytes, sizeof(p->mac)) != 0)
            continue;
        if (w->ecn_fault == NULL && !is_ecn_unseen(w->plan))
            w->ecn_fault = sim_mark_fault(bytes, len, w->ports[from].has_ecn && p->has_ecn);
        put_whole_or_cut(w, bytes, len, from, to, now_us);
        if (happens(w, w->plan->wires[p->lan].duplicate))
            put_whole_or_cut(w, bytes, len, from, to, now_us);
    }
}

void sim_wires_collect(struct sim_wires *w, uint64_t now_us)
{
    for (unsigned from = 0; from < w->n_ports; from++) {
        for (unsigned queue = 0; queue < w->ports[from].queues && !w->ports[from].is_stalled;
             queue++) {
            struct rte_mbuf *burst[COLLECT_MAX];
            unsigned n;
            while ((n = rte_ring_sc_dequeue_burst(w->ports[from].out[queue], (void **)burst,
                                                  COLLECT_MAX, NULL)) > 0) {
                for (unsigned i = 0; i < n; i++) {
                    forward(w, from, burst[i], now_us);
                    rte_pktmbuf_free(burst[i]);
                }
            }
        }
    }
}

/* By which queue of the port: its flow's, as on a veth whose sender stays on its core, or any. */
static unsigned queue_of(struct sim_wires *w, const struct sim_frame *f)
{
    const struct siphash_key key = {w->plan->seed, 0};
    unsigned queues = w->ports[f->port].queues;
    if (queues == 1)
        return 0;
    if (w->plan->mixes_queues || f->len < 58)
        return rng_below(&w->rng, queues);
    bool is_ip4 = f->bytes[12] == 0x08; /* addresses and ports, where there are any */
    return (unsigned)(siphash(&key, f->bytes + (is_ip4 ? 26 : 22), is_ip4 ? 12 : 36) % queues);
}

static bool deliver(struct sim_wires *w, const struct sim_frame *f)
{
    struct sim_port *p = &w->ports[f->port];
    struct rte_mbuf *m = rte_pktmbuf_alloc(p->mbufs);
    if (m == NULL)
        return false;
    char *at = rte_pktmbuf_append(m, f->len);
    ASSERT(at != NULL);
    memcpy(at, f->bytes, f->len);
    *p->is_awake = true;
    if (rte_ring_sp_enqueue(p->in[queue_of(w, f)], m) != 0) {
        rte_pktmbuf_free(m);
        return false;
    }
    bool is_marked = sim_is_marked(f->bytes, f->len);
    p->n_marked_in += is_marked;
    w->ports[f->from].n_marked_out += is_marked;
    return true;
}

unsigned sim_wires_deliver(struct sim_wires *w, uint64_t now_us)
{
    unsigned n = 0;
    while (w->n_heap > 0 && w->frames[w->heap[0]].due_us <= now_us) {
        uint32_t index = heap_pop(w);
        struct sim_frame *f = &w->frames[index];
        w->ports[f->port].n_on_way--;
        struct siphash_key key = {w->digest, now_us ^ (uint64_t)f->port << 56};
        w->digest = siphash(&key, f->bytes, f->len);
        if (deliver(w, f))
            w->n_delivered++;
        else
            w->n_full++;
        f->next_free = w->first_free;
        w->first_free = index;
        n++;
    }
    return n;
}

uint64_t sim_wires_next_us(const struct sim_wires *w)
{
    return w->n_heap == 0 ? UINT64_MAX : w->frames[w->heap[0]].due_us;
}
