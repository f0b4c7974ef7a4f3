/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines of a connection. It has three at most (retransmission, delayed acknowledgement,
 * waiting) and one wheel timer, armed for the nearest; a deadline that is taken back leaves the
 * timer where it is: it fires once for nothing, which is cheaper than to move it with every
 * segment.
 */
#include "base/assert.h"
#include "tcp/tcp_priv.h"
#include "tcp/trace.h"

/* Arms the wheel for the nearest deadline. */
static void sync_wheel(struct tcp_conn *c)
{
    uint64_t next_us = UINT64_MAX;
    for (unsigned i = 0; i < TCP_DEADLINES; i++) {
        if (c->deadline_us[i] != 0 && c->deadline_us[i] < next_us)
            next_us = c->deadline_us[i];
    }
    if (next_us != UINT64_MAX)
        wheel_arm(&c->tcp->core->wheel, &c->timer, next_us);
}

void tcp_deadline_set(struct tcp_conn *c, enum tcp_deadline which, uint64_t at_us)
{
    ASSERT_HOT(which < TCP_DEADLINES);
    ASSERT_HOT(c->state > TCP_CLOSED);
    c->deadline_us[which] = at_us;
    if (at_us != 0)
        sync_wheel(c);
}

void tcp_arm_wait(struct tcp_conn *c)
{
    uint64_t now_us = c->tcp->core->now_us;
    bool is_lingering = (c->flags & TCP_F_OWNED) == 0 && (c->flags & TCP_F_SHUTDOWN) != 0;
    uint64_t keepalive_us = tcp_rare_of(c)->keepalive_ms * 1000ULL;
    uint64_t wait_us = is_lingering ? TCP_LINGER_US_MAX : keepalive_us;
    tcp_deadline_set(c, TCP_DEADLINE_WAIT, wait_us == 0 ? 0 : now_us + wait_us);
}

/* SYN or SYN-ACK again, or the end. */
static void on_syn_timer(struct tcp_conn *c)
{
    ASSERT(c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD);
    bool is_active = (c->flags & TCP_F_ACTIVE) != 0;
    if (c->probes >= (is_active ? TCP_SYN_RETRIES_MAX : TCP_SYN_ACK_RETRIES_MAX)) {
        tcp_conn_end(c, tcp_silent_end(c));
        return;
    }
    if (++c->probes == TCP_R1_TIMEOUTS)
        tcp_on_r1(c);
    stat_inc(c->tcp->core, STAT_tcp_syn_retransmits);
    c->flags |= TCP_F_SEND_SYN;
    tcp_program_output(c);
}

static void on_retransmit(struct tcp_conn *c)
{
    switch ((enum tcp_retransmit_kind)c->retransmit_kind) {
    case TCP_RETRANSMIT_NONE:
        break;
    case TCP_RETRANSMIT_SYN:
        on_syn_timer(c);
        break;
    case TCP_RETRANSMIT_REORDER:
        tcp_recovery_on_reorder_timer(c);
        break;
    case TCP_RETRANSMIT_TLP:
        tcp_recovery_on_tlp_timer(c);
        break;
    case TCP_RETRANSMIT_RTO:
    case TCP_RETRANSMIT_PERSIST:
        tcp_recovery_on_rto(c);
        break;
    }
}

/* Is the peer still there? RFC 9293, 3.8.4: asked only after long silence, and only when nothing is
 * unacknowledged (else the retransmission timer asks). */
static void on_keepalive(struct tcp_conn *c)
{
    struct tcp *t = c->tcp;
    uint64_t wait_us = tcp_rare_of(c)->keepalive_ms * 1000ULL;
    uint64_t idle_us = (uint64_t)(tcp_now_ms(t) - c->last_rx_ms) * 1000;
    if (wait_us == 0)
        return;
    if (idle_us < wait_us || !seq_eq(c->snd_una, c->snd_nxt)) {
        c->probes = 0;
        uint64_t rest_us = idle_us < wait_us ? wait_us - idle_us : wait_us;
        tcp_deadline_set(c, TCP_DEADLINE_WAIT, t->core->now_us + rest_us);
        return;
    }
    if (c->probes >= TCP_KEEPALIVE_PROBES_MAX) {
        tcp_abort(c, tcp_silent_end(c));
        return;
    }
    c->probes++;
    stat_inc(t->core, STAT_tcp_keepalive_probes);
    tcp_output_keepalive(c);
    tcp_deadline_set(c, TCP_DEADLINE_WAIT, t->core->now_us + TCP_KEEPALIVE_INTERVAL_US);
}

/* What the WAIT deadline ends depends on where the connection is. */
static void on_wait(struct tcp_conn *c)
{
    bool is_opening = c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD;
    bool is_released = (c->flags & TCP_F_OWNED) == 0 && (c->flags & TCP_F_SHUTDOWN) != 0;
    if (is_opening)
        tcp_conn_end(c, tcp_silent_end(c));
    else if (is_released)
        tcp_abort(c, STREAM_END_TIMEOUT); /* lingered long enough */
    else
        on_keepalive(c);
}

/* True once for a deadline that has come. */
static bool take_due(struct tcp_conn *c, enum tcp_deadline which, uint64_t now_us)
{
    if (c->state == TCP_CLOSED || c->deadline_us[which] == 0 || c->deadline_us[which] > now_us)
        return false;
    c->deadline_us[which] = 0;
    return true;
}

/* What is due, in the order in which it may end the connection. */
static void handle_due(struct tcp_conn *c, uint64_t now_us)
{
    if (take_due(c, TCP_DEADLINE_DELACK, now_us) && (c->flags & TCP_F_ACK_DELAYED) != 0)
        tcp_program_ack(c);
    if (take_due(c, TCP_DEADLINE_PACE, now_us))
        tcp_program_output(c);
    if (take_due(c, TCP_DEADLINE_RETRANSMIT, now_us))
        on_retransmit(c);
    if (take_due(c, TCP_DEADLINE_WAIT, now_us))
        on_wait(c);
    if (c->state != TCP_CLOSED)
        sync_wheel(c);
}

void tcp_conn_on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct tcp_conn *c = container_of(timer, struct tcp_conn, timer);
    bool is_traced = tcp_is_traced(c->tcp);
    ASSERT(c->state > TCP_CLOSED);
    if (is_traced)
        tcp_trace_timer(c, now_us);
    handle_due(c, now_us);
    if (is_traced)
        tcp_trace_end(c->tcp);
}
