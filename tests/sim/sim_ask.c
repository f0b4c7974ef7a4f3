/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_ask.h. What may become of questions is in sim_ask_check.c. */
#include "sim_ask.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/minmax.h"
#include "sim.h"

#include <rte_mbuf.h>
#include <string.h>

#define ANSWER_BYTES_MAX 1200u /* which fits every way */
#define LAST_WAIT_US 2000000u  /* for answers to the last question */
#define SURE_US 8000000u       /* nobody forgets a flow so soon */
#define UDP_BYTES 8u

/* What each datagram begins with. */
struct head {
    uint32_t mark;
    uint16_t id; /* of its struct sim_ask */
    uint16_t number;
    uint16_t bytes; /* all of it */
    uint16_t host;  /* who answered; of questions 0 */
};

#define QUESTION 0x61736b3fu
#define ANSWER 0x61736b21u

static_assert(SIM_QUESTION_BYTES_MIN >= sizeof(struct head), "room for its head");

/* None that a request or a connection has. */
static uint32_t key_of(const struct head *h)
{
    return 0x80000000u | (h->mark == ANSWER ? 0x40000000u : 0) | (uint32_t)h->id << 12 | h->number;
}

static uint32_t ip_bytes(bool is_ip6)
{
    return is_ip6 ? 40 : 20;
}

/* False: no buffer, or no way: it is as if it had been lost. */
static void send_datagram(struct sim_host *from, const struct head *h,
                          const struct net_udp_header *udp)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(from->core.mbufs);
    if (m == NULL)
        return;
    uint8_t *at = (void *)rte_pktmbuf_append(m, h->bytes);
    ASSERT(at != NULL);
    memcpy(at, h, sizeof(*h));
    sim_pattern_fill(key_of(h), 0, at + sizeof(*h), h->bytes - sizeof(*h));
    net_udp_output(from->net, m, udp);
    from->is_awake = true;
}

/* The datagram as it should be. False: it is not. */
static bool read_datagram(const struct rte_mbuf *m, uint32_t mark, struct head *ret)
{
    static uint8_t flat[2048];
    if (m->pkt_len < sizeof(*ret) || m->pkt_len > sizeof(flat))
        return false;
    const uint8_t *at = rte_pktmbuf_read(m, 0, m->pkt_len, flat);
    memcpy(ret, at, sizeof(*ret));
    return ret->mark == mark && ret->bytes == m->pkt_len &&
           sim_pattern_is(key_of(ret), 0, at + sizeof(*ret), ret->bytes - sizeof(*ret));
}

/* --- who asks --- */

static void end(struct sim_ask *a)
{
    wheel_disarm(&a->host->core.wheel, &a->timer);
    a->is_over = true;
    sim_session_ended(a->sim);
}

void sim_ask_stop(struct sim_ask *a)
{
    if (!a->is_over)
        end(a);
}

/* As long as planned, or as the limit lets it be. */
static uint32_t question_bytes(const struct sim_ask *a)
{
    uint32_t around = ip_bytes(a->plan->is_ip6) + UDP_BYTES;
    uint32_t bytes = a->n_asked % 3 == 2 ? SIM_QUESTION_BYTES_MIN : a->plan->bytes;
    uint32_t most = a->limit == 0 ? bytes : a->limit > around ? a->limit - around : 0;
    return (uint32_t)max64(min64(bytes, most), SIM_QUESTION_BYTES_MIN);
}

static void ask(struct sim_ask *a)
{
    struct sim *s = a->sim;
    struct sim_question *q = &a->questions[a->n_asked];
    *q = (struct sim_question){.at_us = s->now_us, .bytes = question_bytes(a), .limit = a->limit};
    struct head h = {QUESTION, (uint16_t)a->plan->id, (uint16_t)a->n_asked, (uint16_t)q->bytes, 0};
    struct net_udp_header udp = {.src = a->plan->is_ip6 ? a->host->addr6 : a->host->addr4,
                                 .dst = a->plan->is_ip6 ? s->vip6 : s->vip4,
                                 .src_port = (uint16_t)(SIM_ASK_PORT + a->plan->id),
                                 .dst_port = SIM_UDP_PORT};
    a->n_asked++;
    sim_note(s, "question %u.%u of %u bytes", a->plan->id, h.number, q->bytes);
    send_datagram(a->host, &h, &udp);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct sim_ask *a = container_of(timer, struct sim_ask, timer);
    if (a->n_asked == a->plan->n_questions) {
        end(a);
        return;
    }
    ask(a);
    bool is_last = a->n_asked == a->plan->n_questions;
    uint64_t wait_us = is_last ? LAST_WAIT_US : a->plan->pause_us;
    wheel_arm(&a->host->core.wheel, &a->timer, a->sim->now_us + wait_us);
}

void sim_ask_init(struct sim_ask *a, struct sim *sim, struct sim_ask_plan *plan)
{
    *a = (struct sim_ask){.sim = sim,
                          .plan = plan,
                          .host = &sim->hosts[plan->client],
                          .timer = {.on_expire = on_timer}};
    wheel_arm(&a->host->core.wheel, &a->timer, sim->now_us + plan->start_us);
}

/* Whose port it is; NULL: nobody's. */
static struct sim_ask *ask_of(const struct sim_host *h, uint16_t port)
{
    struct sim *s = h->sim;
    unsigned id = (unsigned)port - SIM_ASK_PORT;
    return id < s->plan.asks.n && s->asks[id].host == h ? &s->asks[id] : NULL;
}

static void take_answer(struct sim_host *host, const struct rte_mbuf *m,
                        const struct net_udp_header *udp)
{
    struct head h;
    struct sim *s = host->sim;
    struct sim_ask *a = ask_of(host, udp->dst_port);
    const struct ip_addr *vip = ip_addr_is_v4(&udp->dst) ? &s->vip4 : &s->vip6;
    if (a == NULL || !read_datagram(m, ANSWER, &h)) {
        sim_fail(s, "host %u got a datagram at port %u that answers nothing", host->number,
                 udp->dst_port);
        return;
    }
    if (!ip_addr_eq(&udp->src, vip) || udp->src_port != SIM_UDP_PORT)
        sim_fail(s, "question %u.%u was answered by another than was asked", h.id, h.number);
    if (h.id != a->plan->id || h.number >= a->n_asked)
        sim_fail(s, "port %u got the answer to question %u.%u", udp->dst_port, h.id, h.number);
    else
        a->questions[h.number].answers++;
}

/* --- who answers --- */

/* A flow stays where it began, whatever happens to the list that its endpoint was found in. */
static void check_stays(struct sim_host *host, struct sim_ask *a)
{
    struct sim *s = host->sim;
    bool may_move = s->plan.is_short || s->plan.moves_vip6 || s->wires.n_full > 0;
    bool is_sure = a->seen_us != 0 && s->now_us - a->seen_us < SURE_US;
    if (is_sure && !may_move && a->seen_by != host->number)
        sim_fail(s, "questions of port %u went to host %u, then to %u", SIM_ASK_PORT + a->plan->id,
                 a->seen_by, host->number);
    a->seen_us = s->now_us;
    a->seen_by = host->number;
}

static void take_question(struct sim_host *host, const struct rte_mbuf *m,
                          const struct net_udp_header *udp)
{
    struct head h;
    struct sim *s = host->sim;
    if (!read_datagram(m, QUESTION, &h) || h.id >= s->plan.asks.n ||
        h.number >= s->asks[h.id].n_asked) {
        sim_fail(s, "host %u got a datagram that asks nothing", host->number);
        return;
    }
    struct sim_ask *a = &s->asks[h.id];
    a->questions[h.number].seen++;
    check_stays(host, a);
    h.mark = ANSWER;
    h.bytes = (uint16_t)min64(h.bytes, ANSWER_BYTES_MAX);
    h.host = (uint16_t)host->number;
    struct net_udp_header back = {
        .src = udp->dst, .dst = udp->src, .src_port = udp->dst_port, .dst_port = udp->src_port};
    send_datagram(host, &h, &back);
}

static bool input(void *owner, struct rte_mbuf *m, const struct net_udp_header *udp)
{
    struct sim_host *host = owner;
    bool is_client = host->number < host->sim->plan.n_clients;
    if (is_client)
        take_answer(host, m, udp);
    else if (udp->dst_port == SIM_UDP_PORT)
        take_question(host, m, udp);
    else if (host->sim->plan.has_dead_ends)
        return false; /* nobody listens there */
    else
        sim_fail(host->sim, "host %u got a datagram for port %u", host->number, udp->dst_port);
    rte_pktmbuf_free(m);
    return true;
}

static void on_error(void *owner, const struct net_icmp_error *e)
{
    struct sim_host *host = owner;
    struct sim_ask *a = ask_of(host, e->local_port);
    if (a == NULL || e->kind != NET_ICMP_TOO_BIG || e->mtu == 0)
        return;
    sim_note(host->sim, "port %u is told %u", e->local_port, e->mtu);
    if (a->limit == 0 || e->mtu < a->limit)
        a->limit = e->mtu;
}

const struct net_udp_ops sim_ask_ops = {.input = input, .icmp_error = on_error};
