/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do about loss, by what the pure parts find: RACK-TLP (RFC 8985) with PRR (RFC 6937) where
 * the peer does SACK, NewReno (RFC 6582) where it does not, and the retransmission timeout (RFC
 * 6298) behind both.
 *
 * Three conditions: open (neither flag), RECOVERY (fast; until recovery_end is acknowledged), LOSS
 * (after a timeout; likewise). At most one flag is set.
 */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

#define DUPLICATE_THRESHOLD 3u

bool tcp_is_recovering(const struct tcp_conn *c)
{
    ASSERT_HOT((c->flags & (TCP_F_RECOVERY | TCP_F_LOSS)) != (TCP_F_RECOVERY | TCP_F_LOSS));
    return (c->flags & (TCP_F_RECOVERY | TCP_F_LOSS)) != 0;
}

uint32_t tcp_pipe_bytes(const struct tcp_conn *c)
{
    uint32_t left = (uint32_t)c->tx->dupacks * c->mss;
    return c->tx->board.in_flight_bytes > left ? c->tx->board.in_flight_bytes - left : 0;
}

static void enter_recovery(struct tcp_conn *c)
{
    struct tcp_sender *x = c->tx;
    ASSERT_HOT(!tcp_is_recovering(c));
    struct tcp_cc_look look = tcp_congestion_look(c);
    c->flags |= TCP_F_RECOVERY;
    c->flags &= ~(uint32_t)(TCP_F_TLP | TCP_F_TLP_RESENT);
    x->recovery_end = c->snd_nxt;
    tcp_undo_begin(&x->undo, false);
    x->cc.ops->on_recovery(&x->cc, &look);
    tcp_ecn_on_reduced(c);
    stat_inc(c->tcp->core, STAT_tcp_recoveries);
}

static void leave_recovery(struct tcp_conn *c)
{
    struct tcp_sender *x = c->tx;
    ASSERT_HOT(tcp_is_recovering(c));
    struct tcp_cc_look look = tcp_congestion_look(c);
    x->cc.ops->on_recovered(&x->cc, &look);
    c->flags &= ~(uint32_t)(TCP_F_RECOVERY | TCP_F_LOSS);
    x->dupacks = 0;
    tcp_undo_on_recovered(&x->undo);
    tcp_rack_on_recovered(&x->rack);
}

/* The episode was for nothing: the window is what it was, and what was held to be lost is not
 * (RFC 4015, 3.4). */
static void undo_episode(struct tcp_conn *c, const struct tcp_delivery *d)
{
    struct tcp_sender *x = c->tx;
    bool was_timeout = (c->flags & TCP_F_LOSS) != 0;
    stat_inc(c->tcp->core, was_timeout ? STAT_tcp_undo_timeout : STAT_tcp_undo_recovery);
    if (was_timeout && d->has_echo)
        tcp_rtt_on_spurious(&c->rtt, (tcp_now_ms(c->tcp) - d->echo_ms) * 1000ULL);
    if (tcp_is_recovering(c)) {
        tcp_board_unlose_all(&x->board);
        c->flags &= ~(uint32_t)(TCP_F_RECOVERY | TCP_F_LOSS);
        x->dupacks = 0;
    }
    tcp_undo_end(&x->undo);
    struct tcp_cc_look look = tcp_congestion_look(c);
    x->cc.ops->undo(&x->cc, &look);
}

void tcp_recovery_try_undo(struct tcp_conn *c, const struct tcp_delivery *d, bool is_dsack,
                           bool is_dupack)
{
    struct tcp_sender *x = c->tx;
    bool has_sack = (c->flags & TCP_F_SACK) != 0;
    if (tcp_is_recovering(c) && seq_ge(c->snd_una, x->recovery_end))
        x->undo.frto = TCP_FRTO_OFF; /* RFC 5682, step 2a: it may all have been there already */
    bool was_testing = x->undo.frto == TCP_FRTO_NEW;
    if (tcp_undo_on_ack(&x->undo, d, is_dsack, is_dupack && !has_sack)) {
        undo_episode(c, d);
    } else if (was_testing && x->undo.frto == TCP_FRTO_OFF) {
        struct tcp_cc_look look = tcp_congestion_look(c);
        x->cc.ops->on_timeout_stands(&x->cc, &look);
    }
}

/* RACK looks at the scoreboard; returns how much it found lost. Arms its window's end. */
static uint32_t detect_by_rack(struct tcp_conn *c)
{
    struct core *core = c->tcp->core;
    struct tcp_rack_input in = {core->now_us, c->rtt.min_us, c->rtt.srtt_us, tcp_is_recovering(c)};
    uint32_t lost = 0;
    uint32_t wait_us = tcp_rack_detect(&c->tx->rack, &c->tx->board, &in, &lost);
    if (wait_us > 0) {
        c->retransmit_kind = TCP_RETRANSMIT_REORDER;
        tcp_deadline_set(c, TCP_DEADLINE_RETRANSMIT, core->now_us + wait_us);
    } else if (c->retransmit_kind == TCP_RETRANSMIT_REORDER) {
        c->retransmit_kind = TCP_RETRANSMIT_NONE;
    }
    return lost;
}

/* NewReno: the third duplicate, and each partial acknowledgement, tell that the first is lost. */
static uint32_t detect_by_duplicates(struct tcp_conn *c, const struct tcp_delivery *d,
                                     bool is_dupack)
{
    /* After a timeout they are echoes of what was sent before it. */
    if (is_dupack && c->tx->dupacks < UINT8_MAX && (c->flags & TCP_F_LOSS) == 0)
        c->tx->dupacks++;
    else if (d->una_bytes > 0)
        c->tx->dupacks = 0;
    bool is_partial = d->una_bytes > 0 && (c->flags & TCP_F_RECOVERY) != 0 &&
                      seq_lt(c->snd_una, c->tx->recovery_end);
    /* RFC 6582, 3.2 step 2: up to where the last recovery went they are of our own making. */
    bool is_third = c->tx->dupacks == DUPLICATE_THRESHOLD && !tcp_is_recovering(c) &&
                    seq_gt(c->snd_una, c->tx->recovery_end);
    struct tcp_sent *first = tcp_board_first(&c->tx->board);
    if ((!is_partial && !is_third) || first == NULL || first->place != TCP_SENT_IN_FLIGHT)
        return 0;
    tcp_board_lose(&c->tx->board, first);
    return tcp_sent_len(first);
}

/* RFC 8985, 7.4: did the probe repair a loss that nothing else told of? */
static void end_tlp_episode(struct tcp_conn *c, bool is_dupack)
{
    if ((c->flags & TCP_F_TLP) == 0 || seq_lt(c->snd_una, c->tx->tlp_end))
        return;
    bool was_resent = (c->flags & TCP_F_TLP_RESENT) != 0;
    bool is_beyond = seq_gt(c->snd_una, c->tx->tlp_end);
    if (was_resent && !is_beyond && !is_dupack)
        return; /* the next acknowledgement will tell */
    c->flags &= ~(uint32_t)(TCP_F_TLP | TCP_F_TLP_RESENT);
    if (!was_resent || !is_beyond || tcp_is_recovering(c))
        return;
    struct tcp_cc_look look = tcp_congestion_look(c);
    c->tx->cc.ops->on_repaired(&c->tx->cc, &look);
}

/* `lost` bytes were found lost. One that was but a probe of the path's size tells of no congestion.
 */
static void handle_lost(struct tcp_conn *c, uint32_t lost)
{
    if (lost == 0 || (!tcp_is_recovering(c) && tcp_plpmtud_is_probe_alone(c, lost)))
        return;
    if (!tcp_is_recovering(c))
        enter_recovery(c);
    tcp_congestion_on_lost(c, lost);
}

void tcp_recovery_on_ack(struct tcp_conn *c, const struct tcp_delivery *d, bool is_dupack)
{
    bool has_sack = (c->flags & TCP_F_SACK) != 0;
    if (c->flags & TCP_F_MTU_PROBE)
        tcp_plpmtud_on_ack(c);
    if (tcp_is_recovering(c) && seq_ge(c->snd_una, c->tx->recovery_end)) {
        if (c->flags & TCP_F_LOSS)
            c->flags |= TCP_F_CWND_LIMITED; /* a window of one was full, though nothing waited */
        leave_recovery(c);
    }
    end_tlp_episode(c, is_dupack);
    uint32_t lost = has_sack ? detect_by_rack(c) : detect_by_duplicates(c, d, is_dupack);
    handle_lost(c, lost);
    tcp_congestion_on_ack(c, d, lost, is_dupack);
    ASSERT_HOT(c->tx->cc.cwnd_bytes > 0);
    tcp_recovery_arm(c);
}

void tcp_recovery_on_reorder_timer(struct tcp_conn *c)
{
    ASSERT(c->retransmit_kind == TCP_RETRANSMIT_REORDER);
    struct tcp_delivery nothing = {.now_us = c->tcp->core->now_us};
    c->retransmit_kind = TCP_RETRANSMIT_NONE;
    uint32_t lost = detect_by_rack(c);
    handle_lost(c, lost);
    if (c->flags & TCP_F_RECOVERY)
        tcp_congestion_on_ack(c, &nothing, lost, false);
    tcp_recovery_arm(c);
    tcp_program_output(c);
}

/* In recovery: the acknowledgement of the only retransmission may be what is lost. The lowest
 * segment in flight goes again; its answer tells all (as RFC 6675's rescue retransmission, and as
 * RFC 9002's probe timeout, which runs in recovery too). */
static void rescue(struct tcp_conn *c)
{
    struct tcp_sent *s = tcp_board_first(&c->tx->board);
    c->flags |= TCP_F_TLP | TCP_F_TLP_RESENT;
    c->tx->tlp_end = seq_add(c->snd_una, 1);
    if (s->place == TCP_SENT_IN_FLIGHT && tcp_output_again(c, s))
        stat_inc(c->tcp->core, STAT_tcp_tlp);
    tcp_recovery_arm(c);
}

/* RFC 8985, 7.3: new data if there is some and the peer takes it, else the last segment again. */
void tcp_recovery_on_tlp_timer(struct tcp_conn *c)
{
    ASSERT(c->retransmit_kind == TCP_RETRANSMIT_TLP);
    c->retransmit_kind = TCP_RETRANSMIT_NONE;
    struct tcp_sent *last = tcp_board_last(&c->tx->board);
    if (last == NULL)
        return;
    if (tcp_is_recovering(c)) {
        rescue(c);
        return;
    }
    bool is_new = tcp_output_new(c, c->mss, false);
    bool is_sent = is_new || (last->place == TCP_SENT_IN_FLIGHT && tcp_output_again(c, last));
    if (is_sent) {
        stat_inc(c->tcp->core, STAT_tcp_tlp);
        c->flags |= TCP_F_TLP | (is_new ? 0 : TCP_F_TLP_RESENT);
        c->tx->tlp_end = c->snd_nxt;
        c->tx->is_probed = true;
    } else {
        c->flags |= TCP_F_TLP; /* no mbuf: the timeout is next, not the same again */
        c->tx->tlp_end = c->snd_una;
    }
    tcp_recovery_arm(c);
}

/* Has the peer been silent about everything for too long? A closed window that is still told is
 * life. */
static bool is_user_timeout(const struct tcp_conn *c)
{
    uint32_t since_ms = c->snd_wnd == 0 && (int32_t)(c->last_rx_ms - c->progress_ms) > 0
                            ? c->last_rx_ms
                            : c->progress_ms;
    return tcp_now_ms(c->tcp) - since_ms > tcp_rare_of(c)->user_timeout_ms;
}

/* Nothing in flight, something to send, no window: ask with one byte (RFC 9293, 3.8.6.1). */
static void probe_window(struct tcp_conn *c)
{
    int32_t open = seq_diff(seq_add(c->snd_una, c->snd_wnd), c->snd_nxt);
    /* An open but silly window is used as it is (3.8.6.2.1, the override timeout). */
    uint32_t bytes = open <= 0 ? 1 : open < c->mss ? (uint32_t)open : c->mss;
    if (!tcp_output_new(c, bytes, true))
        return;
    stat_inc(c->tcp->core, STAT_tcp_window_probes);
    if (open <= 0)
        c->flags |= TCP_F_PROBE;
}

void tcp_recovery_on_rto(struct tcp_conn *c)
{
    struct core *core = c->tcp->core;
    c->retransmit_kind = TCP_RETRANSMIT_NONE;
    if (is_user_timeout(c)) {
        tcp_abort(c, tcp_silent_end(c));
        return;
    }
    if (c->backoff < TCP_BACKOFF_MAX)
        c->backoff++;
    /* Who only asks whether he may send gets a sender after those who may. */
    bool is_late = c->tx == NULL && !list_is_empty(&c->tcp->waiting);
    if (is_late || !tcp_sender_take(c)) {
        tcp_recovery_arm(c);
        return;
    }
    struct tcp_sender *x = c->tx;
    struct tcp_sent *first = tcp_board_first(&x->board);
    if (first == NULL) {
        probe_window(c);
    } else if (c->snd_wnd == 0) { /* the window is shut over what is in flight: ask, no more */
        stat_inc(core, STAT_tcp_window_probes);
        if (first->place == TCP_SENT_SACKED) /* it was thrown away again (RFC 2018, section 8) */
            tcp_board_lose(&x->board, first);
        tcp_output_again(c, first);
    } else {
        stat_inc(core, STAT_tcp_rto);
        x->timeout_us = core->now_us;
        c->timeouts += c->timeouts < TCP_TIMEOUTS_TOLD_MAX;
        if (c->backoff == TCP_R1_TIMEOUTS)
            tcp_on_r1(c);
        /* One reduction an episode: a timeout in the middle of one says nothing new about the
         * path's capacity, only that the ACK clock stopped. */
        bool is_first = !tcp_is_recovering(c);
        if (is_first)
            tcp_undo_begin(&x->undo, (c->flags & TCP_F_TIMESTAMPS) == 0);
        else
            tcp_undo_on_timeout_again(&x->undo);
        tcp_plpmtud_on_timeout(c);
        tcp_congestion_on_timeout(c, is_first);
        tcp_board_lose_all(&x->board);
        tcp_ecn_on_reduced(c);
        c->flags &= ~(uint32_t)(TCP_F_RECOVERY | TCP_F_TLP | TCP_F_TLP_RESENT | TCP_F_PROBE);
        c->flags |= TCP_F_LOSS;
        x->recovery_end = c->snd_nxt;
        x->dupacks = 0;
        tcp_program_output(c);
    }
    tcp_recovery_arm(c);
}
