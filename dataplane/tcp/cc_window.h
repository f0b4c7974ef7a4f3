/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control by a window that loss makes smaller: slow start, proportional rate reduction
 * (RFC 6937), timeout, idleness, and the way back. How the window grows beyond slow start, and by
 * how much it falls, is CUBIC's (RFC 9438). Pure.
 */
#pragma once

#include "tcp/cwv.h"
#include "tcp/hystart.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_cc;

/* CUBIC's memory (RFC 9438); all in bytes and ms. */
struct tcp_cubic {
    uint32_t epoch_ms;  /* when this congestion avoidance stage began */
    uint32_t w_max;     /* window before the last reduction */
    uint32_t k_ms;      /* time from the epoch to w_max */
    uint32_t w_est;     /* what Reno would have (4.3) */
    uint32_t est_bytes; /* acknowledged bytes not yet turned into growth of w_est */
    bool has_epoch;
};

/* What comes back if the episode was for nothing. */
struct tcp_window_prior {
    uint32_t cwnd_bytes;
    uint32_t ssthresh_bytes;
    uint32_t grow_bytes;
    struct tcp_cubic cubic;
};

/* The memory of a window that loss controls. */
struct tcp_window {
    struct tcp_cubic cubic;
    uint32_t prr_delivered; /* RFC 6937: since recovery began */
    uint32_t prr_out;
    uint32_t prr_flight; /* RecoverFS */
    uint32_t grow_bytes; /* acknowledged bytes not yet turned into growth of cwnd */
    struct tcp_window_prior prior;
    struct tcp_cwv cwv;
    struct tcp_hystart hystart;
};

/* Outside of recovery: `acked` bytes were delivered. Grows only if the window limited us (RFC
 * 7661's reason: an unused window is not validated). */
void tcp_cc_on_ack(struct tcp_cc *cc, uint32_t acked, uint32_t mss, uint32_t srtt_us,
                   uint64_t now_us, bool was_limited);

/* Fast recovery begins with `flight` bytes unacknowledged. */
void tcp_cc_on_recovery(struct tcp_cc *cc, uint32_t flight, uint32_t mss);

/* In recovery: `delivered` bytes arrived with this ACK, `pipe` are in flight. Sets cwnd_bytes to
 * what may be in flight until the next (RFC 6937). `is_safe`: SND.UNA moved and nothing more was
 * found lost. */
void tcp_cc_on_recovery_ack(struct tcp_cc *cc, uint32_t delivered, uint32_t pipe, bool is_safe,
                            uint32_t mss);

/* In recovery: `bytes` were sent. */
void tcp_cc_on_recovery_sent(struct tcp_cc *cc, uint32_t bytes);

/* Recovery ends: cwnd is the threshold. */
void tcp_cc_on_recovered(struct tcp_cc *cc, uint32_t mss);

/* Retransmission timeout: one segment; `is_first`: of this loss, so the threshold falls too. */
void tcp_cc_on_timeout(struct tcp_cc *cc, bool is_first, uint32_t mss);

/* Nothing was sent for an RTO: back to the initial window (RFC 5681, 4.1). */
void tcp_cc_on_idle(struct tcp_cc *cc, uint32_t mss);

/* The window is about to be reduced: what there is may come back. */
void tcp_cc_remember(struct tcp_cc *cc);

/* What there was comes back (RFC 4015, 3.4), with no larger burst than an initial window above
 * `flight`, which is in the network. */
void tcp_cc_undo(struct tcp_cc *cc, uint32_t flight, uint32_t mss);

/* cc_cubic.c */

/* `acked` bytes were delivered in congestion avoidance, while the window was what limited us. */
void tcp_cubic_on_ack(struct tcp_cc *cc, uint32_t acked, uint32_t mss, uint32_t srtt_us,
                      uint64_t now_us);

/* Congestion: sets ssthresh_bytes. */
void tcp_cubic_on_congestion(struct tcp_cc *cc, uint32_t mss);

/* Sending begins again after silence: an old epoch must not count. */
void tcp_cubic_on_idle(struct tcp_cc *cc);
