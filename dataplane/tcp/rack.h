/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RACK-TLP loss detection (RFC 8985): a segment is lost when one sent later was delivered and a
 * reordering window has passed since. Pure: works on the scoreboard, returns times, sends nothing.
 */
#pragma once

#include "tcp/sack.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_rack {
    uint64_t sent_us;        /* of the segment sent last among those delivered */
    seq_t end;               /* its end */
    uint32_t rtt_us;         /* its round-trip time */
    seq_t dsack_round;       /* a D-SACK counts once a round trip: until SND.UNA passes this */
    uint8_t window_quarters; /* the reordering window in quarters of min RTT; 1..255 */
    uint8_t persist;         /* recoveries until the window goes back to one quarter */
    bool has_segment;
    bool saw_reordering;
};

/* What the reordering window depends on beside RACK's own state. */
struct tcp_rack_input {
    uint64_t now_us;
    uint32_t min_rtt_us;
    uint32_t srtt_us;
    bool in_recovery; /* fast recovery or after a timeout */
};

/* Nothing delivered yet. */
void tcp_rack_init(struct tcp_rack *r);

/* Steps 1 to 3 of section 6.2: takes over what an ACK delivered. */
void tcp_rack_on_delivery(struct tcp_rack *r, const struct tcp_delivery *d);

/* A D-SACK came (RFC 2883): a retransmission was not needed, so the window grows, once a round
 * trip. */
void tcp_rack_on_dsack(struct tcp_rack *r, seq_t una, seq_t nxt);

/* A recovery ended: counts the persistence of a widened window down. */
void tcp_rack_on_recovered(struct tcp_rack *r);

/* Step 4: how much reordering is tolerated now. */
uint32_t tcp_rack_window_us(const struct tcp_rack *r, const struct tcp_board *b,
                            const struct tcp_rack_input *in);

/* Step 5: moves to LOST what is lost. Returns in how many microseconds the next one could be, 0:
 * none waits. *ret_lost_bytes: how much was marked. Cost: O(records marked or waiting). */
uint32_t tcp_rack_detect(struct tcp_rack *r, struct tcp_board *b, const struct tcp_rack_input *in,
                         uint32_t *ret_lost_bytes);

/* When a tail-loss probe is due after the last transmission (7.2): `is_single`: one segment is in
 * flight, whose ACK the peer may delay. */
uint32_t tcp_tlp_timeout_us(uint32_t srtt_us, bool is_single);
