/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion window validation (RFC 7661): is the window one that was used lately? pipeACK is the
 * most that was acknowledged in a round trip, of those in the last sampling period. While it is
 * less than half of the window, the window is kept, but it is not trusted: loss cuts it to what was
 * used, and after the non-validated period it shrinks. Pure.
 *
 * The period is kept in two halves, so that a sample counts for half to a whole of it.
 */
#pragma once

#include "base/seq.h"
#include <stdbool.h>
#include <stdint.h>

struct tcp_cc;

#define TCP_CWV_UNDEFINED UINT32_MAX

struct tcp_cwv {
    uint32_t pipe_ack[2];  /* greatest sample of this half and of the one before; or UNDEFINED */
    uint32_t round_bytes;  /* acknowledged in this round trip */
    seq_t round_end;       /* which ends when this is acknowledged */
    uint32_t half_ms;      /* when this half of the sampling period began */
    uint32_t used_ms;      /* when the window was validated last */
    uint32_t loss_bytes;   /* recovery from a non-validated window: max(pipeACK, flight); 0: not */
    uint32_t resent_bytes; /* then: R, what was sent again */
    bool in_round;         /* one is being measured */
};

/* A connection begins, or a recovery has ended: pipeACK is undefined. */
void tcp_cwv_init(struct tcp_cwv *v, uint32_t now_ms);

/* Outside of recovery: `bytes` were delivered. */
void tcp_cwv_on_ack(struct tcp_cwv *v, uint32_t bytes, seq_t una, seq_t nxt, uint32_t srtt_us,
                    uint32_t now_ms);

/* Validated phase: pipeACK is at least half of the window, or undefined (4.3). */
bool tcp_cwv_is_validated(const struct tcp_cwv *v, uint32_t cwnd_bytes);

/* Before data is sent after a pause: a window that was not validated for the whole non-validated
 * period shrinks (4.4.3). */
void tcp_cwv_before_send(struct tcp_cwv *v, struct tcp_cc *cc, uint32_t mss, uint32_t now_ms);

/* Loss was detected; cc has been told (tcp_cc_on_recovery()). A window that was not validated
 * before (`was_validated`) is set to what was used (4.4.1). */
void tcp_cwv_on_loss(struct tcp_cwv *v, struct tcp_cc *cc, bool was_validated, uint32_t flight,
                     uint32_t mss);

/* A segment of `bytes` was sent again in recovery. */
void tcp_cwv_on_resent(struct tcp_cwv *v, uint32_t bytes);

/* Recovery is over; cc has been told. The window goes down by what was lost (4.4.1). */
void tcp_cwv_on_recovered(struct tcp_cwv *v, struct tcp_cc *cc, uint32_t mss, uint32_t now_ms);
