/* SPDX-License-Identifier: Apache-2.0 */
/* The attacker as somebody on the LAN: his pace, his port, the MACs that he answers for. */
#include "attack.h"

#include "base/assert.h"
#include "base/container.h"
#include "frame.h"
#include "net/net_wire.h"
#include "worker.h"

#include <malloc.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <string.h>

#define GRAIN_US 100u  /* he sends what is due so often */
#define BURST_MAX 256u /* frames he takes in a round */
#define LOOKS_A_HEAP 64u
#define SPOOFED_FIRST 100u
#define SPOOFED_LAST 249u

typedef void (*send_fn)(struct attack *a);

static const struct {
    uint32_t rate;
    uint32_t conns;
    send_fn send;
} kinds[] = {
#define X(name, rate, conns, help) {rate, conns, attack_##name##_send},
    ATTACK_LIST(X)
#undef X
};

static struct attack *attack_of(const struct sim_stranger *x)
{
    return (struct attack *)(uintptr_t)x;
}

void attack_send(struct attack *a, const uint8_t *frame, size_t len)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(sim_host_mbufs());
    if (m == NULL)
        return;
    memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
    if (rte_ring_sp_enqueue(a->stranger.port->out[0], m) != 0)
        rte_pktmbuf_free(m);
}

void attack_send_tcp(struct attack *a, const struct frame_ends *ends, const struct frame_tcp *tcp)
{
    uint8_t frame[FRAME_BYTES_MAX];
    attack_send(a, frame, frame_make_tcp(frame, ends, tcp));
}

struct frame_ends attack_ends(struct attack *a, bool is_v6)
{
    struct frame_ends ends = {.src_mac = a->stranger.port->mac,
                              .dst_mac = sim_box_port(0)->info.mac,
                              .dst = is_v6 ? a->sim->vip6 : a->sim->vip4};
    ip_addr_parse(is_v6 ? "2001:db8::6:0" : "198.18.0.0", &ends.src);
    ends.src.bytes[15] =
        (uint8_t)(SPOOFED_FIRST + rng_below(&a->rng, SPOOFED_LAST - SPOOFED_FIRST + 1));
    if (is_v6)
        frame_put32(&ends.src.bytes[8], (uint32_t)rng_next(&a->rng));
    return ends;
}

bool attack_honest(struct attack *a, struct stream_addrs *ret, struct frame_ends *ret_ends)
{
    uint32_t first = rng_below(&a->rng, a->sim->plan.n_sessions);
    for (uint32_t i = 0; i < a->sim->plan.n_sessions; i++) {
        const struct sim_client *c = &a->sim->clients[(first + i) % a->sim->plan.n_sessions];
        if (c->stream == NULL || c->plan->is_h2)
            continue;
        stream_addrs(c->stream, ret);
        *ret_ends = attack_ends(a, !ip_addr_is_v4(&ret->remote));
        ret_ends->src = ret->local;
        return true;
    }
    return false;
}

/* Whoever asks for the MAC of an address that he uses gets his. */
static void answer_for(struct attack *a, uint8_t *frame, size_t len)
{
    uint8_t answer[FRAME_BYTES_MAX];
    struct frame_view v;
    struct frame_ends ends = attack_ends(a, false);
    if (len >= 42 && frame_get16(frame + 12) == ETHERTYPE_ARP &&
        frame_get16(frame + 20) == ARP_REQUEST && frame[41] >= SPOOFED_FIRST &&
        frame[41] <= SPOOFED_LAST) {
        ends.src = ip_addr_from_v4(frame + 38);
        ends.dst = ip_addr_from_v4(frame + 28);
        attack_send(a, answer, frame_make_arp(answer, &ends, ARP_REPLY));
    } else if (frame_look(frame, len, &v) && v.proto == IPPROTO_NUM_ICMP6 && v.l4_bytes >= 24 &&
               v.l4[0] == ICMP6_SOLICIT && frame_get16(v.l4 + 20) == 6) {
        ends.src = ip_addr_from_v6(v.l4 + 8);
        ends.dst = ip_addr_from_v6(v.ip + 8);
        attack_send(a, answer,
                    frame_make_nd(answer, &ends, ICMP6_ADVERT, ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE,
                                  &ends.src));
    }
}

static unsigned receive(struct attack *a)
{
    struct rte_mbuf *burst[BURST_MAX];
    unsigned n =
        rte_ring_sc_dequeue_burst(a->stranger.port->in[0], (void **)burst, BURST_MAX, NULL);
    for (unsigned i = 0; i < n; i++) {
        uint8_t *frame = rte_pktmbuf_mtod(burst[i], uint8_t *);
        answer_for(a, frame, burst[i]->data_len);
        attack_tcp_receive(a, frame, burst[i]->data_len);
        rte_pktmbuf_free(burst[i]);
    }
    a->n_received += n;
    return n;
}

/* How many packets are due by now. */
static uint64_t due(const struct attack *a, uint64_t now_us)
{
    uint64_t begin = SIM_START_US + ATTACK_BEGIN_US;
    uint64_t until = now_us < SIM_START_US + ATTACK_END_US ? now_us : SIM_START_US + ATTACK_END_US;
    return until <= begin ? 0 : (until - begin) * kinds[a->name].rate / 1000000;
}

static bool poll(struct sim_stranger *x, uint64_t now_us)
{
    struct attack *a = attack_of(x);
    bool did = receive(a) > 0;
    for (uint64_t n = due(a, now_us); a->n_sent < n; a->n_sent++) {
        kinds[a->name].send(a);
        did = true;
    }
    return did;
}

static uint64_t next_us(const struct sim_stranger *x)
{
    const struct attack *a = attack_of(x);
    uint64_t now_us = a->sim->now_us;
    if (now_us >= SIM_START_US + ATTACK_END_US)
        return UINT64_MAX;
    uint64_t begin = SIM_START_US + ATTACK_BEGIN_US;
    return now_us < begin ? begin : now_us - now_us % GRAIN_US + GRAIN_US;
}

static void raise32(uint32_t *high, uint32_t now)
{
    *high = now > *high ? now : *high;
}

/* What the process has from the heap: OpenSSL's, that is, and what streams of TLS have. */
static void look_at_heap(struct attack *a)
{
    struct mallinfo2 m = mallinfo2();
    uint64_t now = m.uordblks + m.hblkhd;
    if (a->heap_before == 0 && a->sim->now_us >= SIM_START_US + ATTACK_BEGIN_US)
        a->heap_before = now;
    a->heap_high = now > a->heap_high && a->heap_before > 0 ? now : a->heap_high;
}

static void look_at_proxy(struct attack *a)
{
    struct proxy_counts now;
    struct proxy_counts *high = &a->proxy_high;
    proxy_counts(worker_proxy(a->sim->box.workers[0]), &now);
    raise32(&high->conns, now.conns);
    raise32(&high->exchanges, now.exchanges);
    raise32(&high->head_bufs, now.head_bufs);
    raise32(&high->upstream_busy, now.upstream_busy);
    high->held_bytes = now.held_bytes > high->held_bytes ? now.held_bytes : high->held_bytes;
}

/* High and low water of the appliance. */
static void look(struct sim_stranger *x)
{
    struct attack *a = attack_of(x);
    uint32_t left = rte_mempool_avail_count(sim_box_mbufs(false));
    a->mbufs_low = left < a->mbufs_low ? left : a->mbufs_low;
    raise32(&a->conns_high, (uint32_t)sim_box_stat(&a->sim->box, STAT_tcp_conns_now));
    raise32(&a->half_open_high, (uint32_t)sim_box_stat(&a->sim->box, STAT_tcp_half_open_now));
    look_at_proxy(a);
    if (a->looks++ % LOOKS_A_HEAP == 0)
        look_at_heap(a);
}

static void begin(struct sim_stranger *x, struct sim *s)
{
    attack_of(x)->sim = s;
    if (attack_is_tls(attack_of(x)->name))
        attack_tls_begin(attack_of(x));
}

void attack_init(struct attack *a, enum attack_name name)
{
    ASSERT((unsigned)name < ATTACK_COUNT && kinds[name].conns <= ATTACK_CONNS_MAX);
    *a = (struct attack){.stranger = {.host_port = SIM_HOSTS_MAX - 1,
                                      .begin = begin,
                                      .poll = poll,
                                      .next_us = next_us,
                                      .look = look},
                         .name = name,
                         .rng = {name + 1},
                         .n_conns = kinds[name].conns,
                         .mbufs_low = UINT32_MAX};
}
