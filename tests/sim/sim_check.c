/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How each request ended, against how it may end: what the plan promised, what in the plan excuses
 * another end, and what a calm world does not allow.
 */
#include "base/assert.h"
#include "base/container.h"
#include "sim.h"
#include "tcp/tcp_priv.h"
#include "worker.h"

#include <string.h>

/* A cut answer resets the connection, and with it what the client has not read of those before. A
 * stream of HTTP/2 takes none with it. */
static bool has_poison(const struct sim *s, const struct sim_session *session)
{
    bool is_shared = session->pipeline > 1 && !session->is_h2;
    for (uint32_t i = 0; i < session->n_requests && is_shared; i++) {
        if (sim_order_is_excuse(s->plan.requests[session->first_request + i].order))
            return true;
    }
    return false;
}

/* The appliance answers by itself and closes, for the content will not be read to its end. */
static bool is_answered_unread(const struct sim_request *q)
{
    return q->target >= SIM_TARGET_no_backend && (q->up_bytes > 0 || q->expects_continue);
}

/* Then it throws away what comes, for a while, and then resets: an answer that was lost before that
 * is lost for good, also one to a request before it. By HTTP/2 only the stream ends, behind the
 * answer (RFC 9113, section 8.1). */
static bool is_lost_with_reset(const struct sim *s, const struct sim_session *session,
                               const struct sim_request *q)
{
    const struct sim_request *end = &s->plan.requests[session->first_request + session->n_requests];
    for (; q < end && !s->plan.is_calm && !session->is_h2; q++) {
        if (is_answered_unread(q))
            return true;
        if (session->pipeline == 1)
            break;
    }
    return false;
}

/* May the request have ended otherwise than planned? `is_cut`: one before it in its session did. */
static bool is_excused(const struct sim *s, const struct sim_session *session,
                       const struct sim_request *q, bool is_cut)
{
    if (s->plan.is_short || session->abort_at != 0 || is_cut || sim_order_is_excuse(q->order))
        return true;
    if ((s->plan.moves_vip6 && session->is_ip6) || has_poison(s, session) ||
        is_lost_with_reset(s, session, q))
        return true;
    if (s->plan.has_races && session->think_ms > SIM_THINK_MS_MAX)
        return true;
    /* A backend that closes without a word races with the next request, which the appliance may
     * not send again if it has a body or must not be repeated. */
    return s->plan.has_races && (q->up_bytes > 0 || !sim_is_repeatable(q));
}

/* Does the request go by HTTP/2, on either side? */
static bool is_by_h2(const struct sim *s, const struct sim_session *session,
                     const struct sim_request *q)
{
    return session->is_h2 || (s->plan.h2_groups != 0 && q->target == SIM_TARGET_group_b);
}

/* Bytes of bodies that share its connections, or may: those of all such requests. */
static uint64_t shared_bytes(const struct sim *s, const struct sim_session *session,
                             const struct sim_request *q)
{
    uint64_t sum = 0;
    if (!is_by_h2(s, session, q))
        return (uint64_t)q->up_bytes + q->down_bytes;
    for (uint32_t i = 0; i < s->plan.n_sessions; i++) {
        const struct sim_session *other = &s->plan.sessions[i];
        for (uint32_t k = 0; k < other->n_requests; k++) {
            const struct sim_request *p = &s->plan.requests[other->first_request + k];
            if (is_by_h2(s, other, p))
                sum += (uint64_t)p->up_bytes + p->down_bytes;
        }
    }
    return sum;
}

/* An upper bound for how long it waits for the handshakes of its connections: all that there are
 * may come before them, with three steps each; those in pieces wait for their own clock. */
static uint64_t handshakes_us(const struct sim *s, const struct sim_session *session)
{
    const struct sim_tls_plan *t = &s->plan.tls;
    uint64_t steps = sim_box_stat(&s->box, STAT_tls_steps_away);
    uint64_t lanes = t->cores > 0 ? t->cores * SIM_CORE_JOBS_MAX : 1;
    uint64_t pieces = session->piece_bytes > 0 ? 2000 / session->piece_bytes + 2 : 0;
    return (steps / lanes + 6) * t->job_us_max + pieces * 500;
}

/* An upper bound for how long a request may take in a calm world: slow start and windows of the
 * hosts, over both LANs one after the other, and what the plan waits for. */
static uint64_t patience_us(const struct sim *s, const struct sim_session *session,
                            const struct sim_request *q)
{
    uint64_t rtt_us = 1000;
    for (unsigned lan = 0; lan < 2; lan++) {
        const struct sim_wire_plan *w = &s->plan.wires[lan];
        rtt_us += 2 * (w->delay_us + w->jitter_us + w->grain_us);
    }
    uint32_t window = s->plan.host_window_bytes < s->plan.host_buffer_bytes
                          ? s->plan.host_window_bytes
                          : s->plan.host_buffer_bytes;
    uint64_t rounds = 30 + 2 * shared_bytes(s, session, q) / window;
    return q->delay_ms * 1000ull + rounds * rtt_us + handshakes_us(s, session);
}

/* In a calm world nothing waits for a timer that should not have to. */
static void check_calm(struct sim *s, const struct sim_session *session,
                       const struct sim_request *q)
{
    bool is_slow = session->read_pace != 0 || session->write_pace != 0 || session->pipeline > 1;
    if (!s->plan.is_calm || is_slow || s->wires.n_full > 0 || s->wires.n_marked > 0)
        return;
    uint64_t patience = patience_us(s, session, q) + (q->expects_continue ? 1000000 : 0);
    if (q->took_us > patience)
        sim_fail(s, "request %u took %lu us, more than %lu", q->id, q->took_us, patience);
}

/* Without a loss nothing is sent again, by nobody; but for what a closed window was probed with,
 * and for tail-loss probes that came too early: with a cookie both ends measure the first round
 * trip to the appliance only. */
static void check_retransmits(struct sim *s)
{
    if (!s->plan.is_calm || s->wires.n_full > 0)
        return;
    uint64_t n = sim_box_stat(&s->box, STAT_tcp_retransmits);
    uint64_t probes = sim_box_stat(&s->box, STAT_tcp_window_probes);
    for (unsigned i = 0; i < s->n_hosts; i++) {
        n += s->hosts[i].stats.counters[STAT_tcp_retransmits];
        probes += s->hosts[i].stats.counters[STAT_tcp_window_probes];
        if (s->plan.passes.has_cookies)
            probes += s->hosts[i].stats.counters[STAT_tcp_tlp];
    }
    if (n > probes)
        sim_fail(s, "%lu segments were sent again, though nothing was lost", n);
}

/* Only endpoints at which requests failed rest, and none fail where nothing is in the way. */
static void check_ejections(struct sim *s)
{
    uint64_t failures = sim_box_stat(&s->box, STAT_upstream_failures);
    uint64_t ejected = sim_box_stat(&s->box, STAT_upstream_ejected);
    if (ejected > failures || (failures > 0 && (s->plan.is_calm || !s->plan.ejects)))
        sim_fail(s, "%lu endpoints ejected by %lu failures", ejected, failures);
}

/* What one machine, a host or the appliance, has to do with marks. */
struct mark_book {
    const char *who;
    uint64_t arrived; /* with a frame */
    uint64_t merged;  /* segments that its GRO put behind others, marked with marked ones */
    uint64_t seen;    /* by its TCP */
    uint64_t told;    /* to those whom it sent to */
    uint64_t reductions;
    uint64_t conns; /* that it had */
};

/* No mark and no reduction comes from nothing. Where no frame comes late or again each mark is seen
 * (but for GRO), and whoever is told of one slows down, at most once for each. The end of a
 * connection may take away one echo, or add one: a FIN without data has no CWR. By TLS it is two
 * segments more often than one: what it says of its end, and the end. */
static void check_mark_book(struct sim *s, const struct mark_book *b)
{
    bool is_exact = s->plan.is_calm && s->wires.n_full == 0;
    bool is_slower = b->reductions > 0;
    uint64_t ends = b->conns * (s->plan.tls.is_on ? 2 : 1);
    if (b->seen > b->arrived || (is_exact && b->seen + b->merged < b->arrived))
        sim_fail(s, "%s: %lu marks arrived, %lu were seen", b->who, b->arrived, b->seen);
    if ((is_slower && b->told == 0) || (is_exact && !is_slower && b->told > ends) ||
        (is_exact && b->reductions > b->told + ends))
        sim_fail(s, "%s: %lu marks were told, %lu reductions came of it", b->who, b->told,
                 b->reductions);
}

static void check_box_marks(struct sim *s)
{
    const struct sim_port *ports = &s->wires.ports[s->n_hosts];
    struct mark_book b = {
        .who = "the appliance",
        .arrived = ports[0].n_marked_in + ports[1].n_marked_in,
        .merged = sim_box_stat(&s->box, STAT_net_rx_merged),
        .seen = sim_box_stat(&s->box, STAT_tcp_rx_ce),
        .told = ports[0].n_marked_out + ports[1].n_marked_out,
        .reductions = sim_box_stat(&s->box, STAT_tcp_ecn_reductions),
        .conns = sim_box_stat(&s->box, STAT_tcp_accepts) + sim_box_stat(&s->box, STAT_tcp_opens),
    };
    check_mark_book(s, &b);
}

static void check_host_marks(struct sim *s, unsigned host)
{
    const struct sim_port *port = &s->wires.ports[host];
    const uint64_t *counters = s->hosts[host].stats.counters;
    struct mark_book b = {
        .who = port->name,
        .arrived = port->n_marked_in,
        .seen = counters[STAT_tcp_rx_ce],
        .told = port->n_marked_out,
        .reductions = counters[STAT_tcp_ecn_reductions],
        .conns = counters[STAT_tcp_accepts] + counters[STAT_tcp_opens],
    };
    check_mark_book(s, &b);
}

/* The books of marks, of every machine and of the wires. */
static void check_marks(struct sim *s)
{
    const struct sim_wires *w = &s->wires;
    uint64_t arrived = 0;
    for (unsigned i = 0; i < s->n_hosts; i++)
        check_host_marks(s, i);
    check_box_marks(s);
    for (unsigned i = 0; i < w->n_ports; i++)
        arrived += w->ports[i].n_marked_in;
    if (s->plan.is_calm && w->n_full == 0 && arrived != w->n_marked)
        sim_fail(s, "%lu frames were marked, %lu arrived", w->n_marked, arrived);
    if (w->ecn_fault != NULL)
        sim_fail(s, "%s", w->ecn_fault);
}

/* `*shed`: connections that the appliance ended for want of buffers, and that excuse no session
 * yet. */
static void check_session(struct sim *s, const struct sim_session *session, uint64_t *shed)
{
    bool is_cut = false;
    for (uint32_t i = session->first_request; i < session->first_request + session->n_requests;
         i++) {
        const struct sim_request *q = &s->plan.requests[i];
        if (q->outcome == SIM_OUTCOME_open)
            sim_fail(s, "request %u has no end", i);
        uint32_t sent = (sim_is_repeatable(q) ? 2u : 1u) * (1 + s->plan.is_retried * SIM_RETRIES);
        if (q->seen > sent + s->plan.is_mirrored)
            sim_fail(s, "request %u (%s) reached backends %u times", i, q->method, q->seen);
        if (q->outcome == SIM_OUTCOME_complete) {
            check_calm(s, session, q);
            continue;
        }
        bool is_right = is_excused(s, session, q, is_cut);
        if (!is_right && *shed > 0) {
            (*shed)--;
            is_right = true;
        }
        if (!is_right)
            sim_fail(s, "request %u (%s, order %s) is %s, status %u", i, q->method,
                     sim_order_name(q->order), sim_outcome_name(q->outcome), q->status);
        is_cut = true;
    }
}

/* Every connection that there is, free ones left out: its numbers, queues and scoreboard. */
static void check_conns(const struct tcp *t)
{
    ASSERT(t->half_open.all <= t->config.half_open_max && t->half_open.all <= t->conns.used);
    ASSERT(t->timewaits.live <= t->timewaits.count && t->timewaits.count <= t->timewaits.capacity);
    for (uint32_t i = 0; i < t->conns.capacity && t->conns.used > 0; i++) {
        const struct tcp_conn *c = pool_at(&t->conns, i);
        if (c->state != TCP_FREE)
            check_tcp_conn_deep(c);
    }
}

void sim_check_deep(struct sim *s)
{
    for (unsigned i = 0; i < s->box.n_workers; i++)
        check_conns(worker_tcp(s->box.workers[i]));
    for (unsigned i = 0; i < s->n_hosts; i++)
        check_conns(s->hosts[i].tcp);
}

/* Where nothing is lost or late, no check fails. */
static void check_health_checks(struct sim *s)
{
    const struct sim_box *b = &s->box;
    uint64_t bad = sim_box_stat(b, STAT_health_started) - sim_box_stat(b, STAT_health_end_ok) -
                   sim_box_stat(b, STAT_health_end_gone);
    if (s->plan.is_calm && s->wires.n_full == 0 && bad > 0)
        sim_fail(s, "%lu checks failed, though nothing was lost", bad);
}

/* The books of HTTP/2 of one machine. Nobody breaks its rules, runs out of memory where there is
 * enough, or keeps others busy with frames; and in the end there is nothing. */
static void check_h2(struct sim *s, const char *who, const uint64_t *c)
{
    static const enum stat_id never[] = {
        STAT_h2_session_end_fault, STAT_h2_session_end_calm, STAT_h2_session_end_memory,
        STAT_h2_streams_faulty,    STAT_h2_streams_overrun,  STAT_h2_streams_now,
        STAT_h2_sessions_now,      STAT_h2_heap_bytes_now,   STAT_h2_heap_refused};
    for (unsigned i = 0; i < array_len(never); i++) {
        if (c[never[i]] > 0)
            sim_fail(s, "%s: %s is %lu", who, stat_name(never[i]), c[never[i]]);
    }
    uint64_t begun = c[STAT_h2_sessions_accepted] + c[STAT_h2_sessions_opened];
    uint64_t ended =
        c[STAT_h2_session_end_done] + c[STAT_h2_session_end_lost] + c[STAT_h2_session_end_aborted];
    if (begun != ended)
        sim_fail(s, "%s: %lu sessions of HTTP/2 began, %lu ended", who, begun, ended);
}

/* The same of all machines. */
static void check_all_h2(struct sim *s)
{
    uint64_t sums[STAT_COUNT];
    for (unsigned id = 0; id < STAT_COUNT; id++)
        sums[id] = sim_box_stat(&s->box, id);
    if (!s->plan.is_short && s->stranger == NULL)
        check_h2(s, "the appliance", sums);
    for (unsigned i = 0; i < s->n_hosts; i++) {
        const struct sim_host *h = &s->hosts[i];
        check_h2(s, s->wires.ports[i].name, h->stats.counters);
        if (h->h2 != NULL && !sim_h2_is_empty(h->h2))
            sim_fail(s, "%s: something of HTTP/2 is left", s->wires.ports[i].name);
    }
}

/* What the appliance says of handshakes of clients that can be expected of no visitor. */
static void check_never(struct sim *s)
{
    static const enum stat_id never[] = {STAT_proxy_tls_no_certificate,
                                         STAT_proxy_tls_bad_certificate, STAT_proxy_tls_broken,
                                         STAT_proxy_tls_shed};
    for (unsigned i = 0; i < array_len(never); i++) {
        if (sim_box_stat(&s->box, never[i]) > 0)
            sim_fail(s, "%s is %lu", stat_name(never[i]), sim_box_stat(&s->box, never[i]));
    }
}

/* Nothing is lost: each handshake is in the one counter where its client expects it. Who resumes
 * knows so. */
static void check_handshakes(struct sim *s)
{
    static const enum stat_id counters[] = {
#define X(name, counter) STAT_proxy_tls_##counter,
        SIM_VISIT_LIST(X)
#undef X
    };
    uint64_t wanted[STAT_COUNT] = {0};
    for (unsigned i = 0; i < s->plan.tls.n_visits; i++)
        wanted[counters[s->plan.tls.visits[i].kind]]++;
    /* Who refuses while more is on its way to him resets, and may be gone before he is heard. */
    uint64_t unheard =
        wanted[STAT_proxy_tls_peer_alert] - sim_box_stat(&s->box, STAT_proxy_tls_peer_alert);
    if (unheard <= wanted[STAT_proxy_tls_peer_alert]) {
        wanted[STAT_proxy_tls_peer_alert] -= unheard;
        wanted[STAT_proxy_tls_lost] += unheard;
    }
    wanted[STAT_proxy_tls_full] = s->tls.counts.full;
    wanted[STAT_proxy_tls_resumed] = s->tls.counts.resumed;
    for (unsigned id = STAT_proxy_tls_full; id <= STAT_proxy_tls_lost; id++) {
        if (sim_box_stat(&s->box, id) != wanted[id])
            sim_fail(s, "%s is %lu, not %lu", stat_name(id), sim_box_stat(&s->box, id), wanted[id]);
    }
}

static void check_tls(struct sim *s)
{
    const struct sim_tls_plan *t = &s->plan.tls;
    if (s->stranger == NULL)
        check_never(s);
    if (s->plan.is_calm && s->wires.n_full == 0)
        check_handshakes(s);
    if (!t->has_tickets && s->tls.counts.resumed > 0)
        sim_fail(s, "%u sessions were resumed without tickets", s->tls.counts.resumed);
    uint64_t idle = sim_box_stat(&s->box, t->cores > 0 ? STAT_tls_steps_here : STAT_tls_steps_away);
    if (idle > 0)
        sim_fail(s, "%lu steps of handshakes were taken by those who take none", idle);
}

void sim_check(struct sim *s)
{
    sim_box_check(&s->box);
    check_all_h2(s);
    check_tls(s);
    sim_pass_check(s);
    sim_ask_check(s);
    if (s->plan.crowd.n > 0)
        sim_crowd_check(&s->crowd);
    uint64_t shed = sim_box_stat(&s->box, STAT_tcp_shed_memory);
    if (!s->plan.is_calm) /* nor does who shakes hands for ten seconds, on the worst wires */
        shed += sim_box_stat(&s->box, STAT_proxy_tls_slow);
    for (uint32_t i = 0; i < s->plan.n_sessions; i++)
        check_session(s, &s->plan.sessions[i], &shed);
    check_ejections(s);
    check_retransmits(s);
    check_marks(s);
    check_health_checks(s);
}
