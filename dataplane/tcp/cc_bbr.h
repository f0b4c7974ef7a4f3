/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BBR (draft-ietf-ccwg-bbr, version 3): congestion control by a model of the path. How fast the
 * bottleneck delivers (max_bw) and how long an empty path takes (min_rtt) give the pacing rate and
 * the window; loss and marks bound both. Names are the draft's; rates in bytes a second.
 *
 *   Startup -> Drain -> ProbeBW_DOWN -> CRUISE -> REFILL -> UP -> DOWN ...     any -> ProbeRTT
 *
 *   cc_bbr.c            the answers to struct tcp_cc_ops
 *   cc_bbr_control.c    pacing rate, quantum, window
 *   cc_bbr_model.c      rounds, bandwidth, aggregation, the short-term model
 *   cc_bbr_startup.c    Startup and Drain, and whether the pipe is full
 *   cc_bbr_probe_bw.c   the cycle of ProbeBW, the long-term model
 *   cc_bbr_probe_rtt.c  min_rtt, ProbeRTT, restart from idle
 *   cc_bbr_loss.c       losses, marks, and what comes back when there were none
 */
#pragma once

#include "base/seq.h"
#include "tcp/delivery_rate.h"
#include "tcp/tcp_limits.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_cc;
struct tcp_cc_look;

#define TCP_BBR_BYTES_INFINITE UINT32_MAX
#define TCP_BBR_RATE_INFINITE UINT64_MAX
#define TCP_BBR_RTT_INFINITE UINT32_MAX

#define TCP_BBR_STATE_LIST(X)                                                                      \
    X(STARTUP, "startup")                                                                          \
    X(DRAIN, "drain")                                                                              \
    X(PROBE_BW_DOWN, "down")                                                                       \
    X(PROBE_BW_CRUISE, "cruise")                                                                   \
    X(PROBE_BW_REFILL, "refill")                                                                   \
    X(PROBE_BW_UP, "up")                                                                           \
    X(PROBE_RTT, "probe_rtt")

enum tcp_bbr_state {
#define X(name, text) TCP_BBR_##name,
    TCP_BBR_STATE_LIST(X)
#undef X
        TCP_BBR_STATES, /* as undo_state: nothing to go back to */
};

/* What acknowledgements mean with respect to the last bandwidth probe. */
enum tcp_bbr_ack_phase {
    TCP_BBR_ACKS_INIT,
    TCP_BBR_ACKS_REFILLING,
    TCP_BBR_ACKS_PROBE_STARTING,
    TCP_BBR_ACKS_PROBE_FEEDBACK,
    TCP_BBR_ACKS_PROBE_STOPPING,
};

struct tcp_bbr {
    struct tcp_bw_state rate;
    uint64_t pacing_rate;
    uint64_t max_bw_filter[2]; /* greatest sample of the last cycle and of this one */
    uint64_t bw_shortterm;
    uint64_t bw_latest; /* greatest sample of this round */
    uint64_t full_bw;   /* the baseline for "is it still growing?" */
    uint64_t undo_bw_shortterm;
    uint64_t extra_acked_start_us;
    uint32_t extra_acked_delivered;
    uint32_t extra_acked_filter[2]; /* greatest of the last five rounds and of these */
    uint32_t inflight_longterm;
    uint32_t inflight_shortterm;
    uint32_t inflight_latest; /* most delivered within a round, of this round */
    uint32_t undo_inflight_shortterm;
    uint32_t undo_inflight_longterm;
    uint32_t prior_cwnd; /* the last one that neither recovery nor ProbeRTT had made smaller */
    uint32_t next_round_delivered;
    uint32_t loss_round_delivered;
    uint32_t round_count;
    uint32_t drain_start_round;
    uint32_t min_rtt_us;
    uint32_t min_rtt_ms; /* when it was measured */
    uint32_t probe_rtt_min_us;
    uint32_t probe_rtt_min_ms; /* likewise */
    uint32_t probe_rtt_done_ms;
    uint32_t cycle_ms; /* when this cycle of ProbeBW began */
    uint32_t bw_probe_wait_ms;
    uint32_t bw_probe_up_acked;
    uint32_t probe_up_acked_per_inc;
    uint32_t random;
    seq_t lost_end; /* behind the last range that was found lost */
    uint8_t state;  /* enum tcp_bbr_state */
    uint8_t undo_state;
    uint8_t ack_phase; /* enum tcp_bbr_ack_phase */
    uint8_t full_bw_count;
    uint8_t bw_probe_up_rounds;
    uint8_t rounds_since_probe_up;
    uint8_t extra_acked_rounds;   /* in the younger half of the filter */
    uint8_t loss_ranges;          /* found lost in this loss round, ranges that do not touch */
    bool round_start : 1;         /* this ACK begins a round trip */
    bool loss_round_start : 1;    /* likewise, of those counted from the first loss */
    bool is_loss_in_round : 1;    /* */
    bool full_bw_now : 1;         /* since it was asked last */
    bool full_bw_reached : 1;     /* ever */
    bool is_full_told : 1;        /* it was counted */
    bool is_bw_probe_sample : 1;  /* what is acknowledged was sent in REFILL or UP */
    bool prev_probe_too_high : 1; /* the last probe lost too much */
    bool prev_probe_precautionary : 1;
    bool idle_restart : 1;
    bool probe_rtt_expired : 1;
    bool probe_rtt_round_done : 1;
    bool has_probe_rtt_done : 1; /* probe_rtt_done_ms is valid */
    bool has_rtt : 1;            /* the first pacing rate is of a measured RTT */
    bool is_cwnd_limited : 1;    /* in this round the window was full, */
    bool was_cwnd_limited : 1;   /* in the last one */
};

/* One ACK as the model sees it. */
struct tcp_bbr_step {
    struct tcp_cc *cc;
    const struct tcp_cc_look *look;
    struct tcp_bw_sample rs;
    uint32_t acked_bytes; /* RS.newly_acked */
};

/* BBR.Beta of a rate or an amount. */
static inline uint64_t tcp_bbr_beta(uint64_t x)
{
    return x * TCP_BBR_BETA_PERCENT / 100;
}

static inline bool tcp_bbr_is_probe_bw(const struct tcp_bbr *b)
{
    return b->state >= TCP_BBR_PROBE_BW_DOWN && b->state <= TCP_BBR_PROBE_BW_UP;
}

/* The name of a state. */
const char *tcp_bbr_state_name(enum tcp_bbr_state state);

/* cc_bbr_control.c */

/* BBR.bw: what the path delivers, by all that is known. */
uint64_t tcp_bbr_bw(const struct tcp_bbr *b);

/* A share of BBR.bdp, the initial window while no RTT is known. */
uint32_t tcp_bbr_bdp(const struct tcp_bbr *b, uint32_t mss, uint32_t percent);

/* How much is in flight when the pipe is full, and no more (Inflight() in the draft). */
uint32_t tcp_bbr_inflight(const struct tcp_bbr *b, uint32_t mss, uint32_t percent);

/* How much may go at once. */
uint32_t tcp_bbr_quantum(const struct tcp_bbr *b, uint32_t mss);

/* Nothing is delivered yet: the initial window over a round trip. */
void tcp_bbr_init_pacing_rate(struct tcp_bbr *b, const struct tcp_cc_look *look);

/* The pacing rate of the state; while the pipe was never full it only grows. */
void tcp_bbr_set_pacing_rate(struct tcp_bbr *b, uint32_t mss);

/* After silence: just what the path delivers. */
void tcp_bbr_restart_pacing_rate(struct tcp_bbr *b, uint32_t mss);

/* The window moves to what the model wants in flight, up by no more than was delivered. */
void tcp_bbr_set_cwnd(struct tcp_cc *cc, const struct tcp_cc_look *look, uint32_t acked);

/* Recovery or ProbeRTT begins: the window that was good is kept, */
void tcp_bbr_save_cwnd(struct tcp_cc *cc, const struct tcp_cc_look *look);

/* and comes back when it is over. */
void tcp_bbr_restore_cwnd(struct tcp_cc *cc);

/* cc_bbr_model.c */

/* BBR.max_bw. */
uint64_t tcp_bbr_max_bw(const struct tcp_bbr *b);

/* A sample for the filter of two cycles. */
void tcp_bbr_update_max_bw(struct tcp_bbr *b, const struct tcp_bw_sample *rs);

/* Another cycle: the one before the last is forgotten. */
void tcp_bbr_advance_max_bw_filter(struct tcp_bbr *b);

/* A round trip begins with what is sent from now on. */
void tcp_bbr_start_round(struct tcp_bbr *b);

/* First in a step: rounds, what this round delivered, max_bw, the answer to this round's losses. */
void tcp_bbr_update_signals(struct tcp_bbr_step *s);

/* Last in a step: the next round of losses begins. */
void tcp_bbr_advance_signals(struct tcp_bbr_step *s);

/* What this round delivered and lost counts no more. */
void tcp_bbr_reset_signals(struct tcp_bbr *b);

/* The short-term model is forgotten: bandwidth and inflight have no bound of it. */
void tcp_bbr_reset_shortterm(struct tcp_bbr *b);

/* How much more is acknowledged at once than the rate explains. */
void tcp_bbr_update_aggregation(struct tcp_bbr_step *s);

/* BBR.extra_acked. */
uint32_t tcp_bbr_extra_acked(const struct tcp_bbr *b);

/* cc_bbr_startup.c */

/* The pipe was never full, as far as one knows: twice as fast each round. */
void tcp_bbr_enter_startup(struct tcp_bbr *b);

/* The pipe is full: the queue that this has made is to go. */
void tcp_bbr_enter_drain(struct tcp_bbr *b);

/* Losses or marks say that the pipe is full. */
void tcp_bbr_note_full_pipe(struct tcp_bbr *b, uint32_t mss);

/* The detector of a full pipe begins anew, with `bw` for a baseline. */
void tcp_bbr_reset_full_bw(struct tcp_bbr *b, uint64_t bw);

/* Is the pipe full, is Startup over, is Drain? */
void tcp_bbr_check_startup(struct tcp_bbr_step *s);

/* cc_bbr_probe_bw.c */

/* A cycle begins: slower than the path delivers. */
void tcp_bbr_start_down(struct tcp_bbr *b, uint32_t now_ms);

/* As fast as it delivers, until it is time for a probe. */
void tcp_bbr_start_cruise(struct tcp_bbr *b);

/* The short-term model is forgotten, the pipe filled for a probe. */
void tcp_bbr_start_refill(struct tcp_bbr *b);

/* One step of the cycle, and the long-term model. */
void tcp_bbr_update_probe_bw(struct tcp_bbr_step *s);

/* inflight_longterm without what is left to others. */
uint32_t tcp_bbr_inflight_with_headroom(const struct tcp_bbr *b, uint32_t mss);

/* How much we want in flight: BBR.bdp, unless congestion cut cwnd. */
uint32_t tcp_bbr_target_inflight(const struct tcp_cc *cc, uint32_t mss);

/* cc_bbr_probe_rtt.c */

/* The least RTT of the last ten seconds, and of the last five. */
void tcp_bbr_update_min_rtt(struct tcp_bbr_step *s);

/* Is it time for ProbeRTT, or is that over? */
void tcp_bbr_check_probe_rtt(struct tcp_bbr_step *s);

/* The window of ProbeRTT. */
uint32_t tcp_bbr_probe_rtt_cwnd(const struct tcp_bbr *b, uint32_t mss);

/* Nothing is in flight and something is about to go. */
void tcp_bbr_restart_from_idle(struct tcp_cc *cc, const struct tcp_cc_look *look);

/* cc_bbr_loss.c */

/* Did more than BBR.LossThresh of what was in flight get lost? */
bool tcp_bbr_is_inflight_too_high(const struct tcp_bw_sample *rs, bool has_sack);

/* A segment sent with `mark` is lost. */
void tcp_bbr_on_lost(struct tcp_cc *cc, const struct tcp_cc_look *look,
                     const struct tcp_bw_mark *mark, seq_t seq, uint32_t bytes);

/* The first loss of a round: its round trip begins. */
void tcp_bbr_note_loss(struct tcp_bbr *b);

/* Loss recovery begins: what there is may come back. */
void tcp_bbr_save_state(struct tcp_cc *cc, const struct tcp_cc_look *look);

/* Marks of ECN: at least what a loss would do (RFC 3168). */
void tcp_bbr_on_mark(struct tcp_cc *cc, const struct tcp_cc_look *look);

/* The recovery was for nothing. */
void tcp_bbr_undo(struct tcp_cc *cc, const struct tcp_cc_look *look);
