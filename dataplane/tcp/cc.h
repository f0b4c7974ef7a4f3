/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control: how many bytes may be in flight. The interface, slow start's guard and
 * proportional rate reduction are here; an algorithm is a struct tcp_cc_ops. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tcp_cc;

/* What an algorithm is told; `mss` is the payload of a full segment. */
struct tcp_cc_ops {
    const char *name;
    /* `acked` bytes were delivered while the window was what limited us. */
    void (*on_ack)(struct tcp_cc *cc, uint32_t acked, uint32_t mss, uint32_t srtt_us,
                   uint64_t now_us);
    /* Loss by fast recovery: sets ssthresh_bytes (cwnd follows by PRR). */
    void (*on_congestion)(struct tcp_cc *cc, uint32_t mss);
    /* Sending begins again after silence: an old epoch must not count. */
    void (*on_idle)(struct tcp_cc *cc);
};

/* CUBIC's memory (RFC 9438); all in bytes and ms. */
struct tcp_cubic {
    uint32_t epoch_ms;  /* when this congestion avoidance stage began */
    uint32_t w_max;     /* window before the last reduction */
    uint32_t k_ms;      /* time from the epoch to w_max */
    uint32_t w_est;     /* what Reno would have (4.3) */
    uint32_t est_bytes; /* acknowledged bytes not yet turned into growth of w_est */
    bool has_epoch;
};

struct tcp_cc {
    const struct tcp_cc_ops *ops;
    uint32_t cwnd_bytes;
    uint32_t ssthresh_bytes;
    struct tcp_cubic cubic;
    uint32_t prr_delivered; /* RFC 6937: since recovery began */
    uint32_t prr_out;
    uint32_t prr_flight; /* RecoverFS */
    uint32_t grow_bytes; /* acknowledged bytes not yet turned into growth of cwnd */
};

/* The algorithm of RFC 9438. */
extern const struct tcp_cc_ops tcp_cubic_ops;

/* A fresh connection: initial window of ten segments (RFC 6928), no threshold. */
void tcp_cc_init(struct tcp_cc *cc, const struct tcp_cc_ops *ops, uint32_t mss);

/* The initial window for segments of `mss` bytes. */
uint32_t tcp_cc_initial_window(uint32_t mss);

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
