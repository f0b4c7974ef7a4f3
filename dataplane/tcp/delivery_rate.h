/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery rate samples (draft-ietf-ccwg-bbr, section 4.1): how fast the network brings what we
 * send. Each segment remembers what was delivered when it was sent; when it is delivered itself,
 * what was delivered since, over the longer of the times in which that was sent and acknowledged,
 * is one sample. A sample tells less than the network can do when the sender had run out of data:
 * then it is marked.
 *
 * Counts are of bytes and wrap; times of a segment are the lower 32 bits of microseconds: none is
 * in flight for an hour. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What a segment remembers of the moment it was sent (P in the draft). */
struct tcp_bw_mark {
    uint32_t delivered;
    uint32_t lost;
    uint32_t delivered_us;  /* when `delivered` grew last */
    uint32_t first_sent_us; /* when the first segment of the sampled flight was sent */
    uint32_t pipe_bytes;    /* in flight, with this one (tx_in_flight) */
    bool is_app_limited;
};

/* Of a connection (C in the draft). */
struct tcp_bw_state {
    uint64_t delivered_us;
    uint64_t first_sent_us;
    uint32_t delivered;       /* bytes delivered so far */
    uint32_t lost;            /* bytes held to be lost so far */
    uint32_t app_limited_end; /* marks last until more than this is delivered */
    bool is_app_limited;
};

/* One sample (RS in the draft). */
struct tcp_bw_sample {
    uint64_t bytes_per_s;     /* 0: no reliable one */
    uint32_t prior_delivered; /* of the mark it begins with */
    uint32_t delivered_bytes; /* since then */
    uint32_t lost_bytes;      /* likewise */
    uint32_t pipe_bytes;      /* when its segment was sent */
    uint32_t rtt_us;          /* of the segment sent last; 0: it was sent more than once */
    bool is_app_limited;
};

/* Which segment a sample is of: the one sent last among those that one ACK delivered. */
struct tcp_bw_newest {
    const struct tcp_bw_mark *mark; /* NULL: none, or it is not certain which transmission it was */
    uint64_t sent_us;
    bool was_resent;
};

/* A segment goes at `now_us`: fills its mark. `pipe_bytes` with it, of which it has `bytes`. */
void tcp_bw_on_sent(struct tcp_bw_state *r, struct tcp_bw_mark *mark, uint64_t now_us,
                    uint32_t pipe_bytes, uint32_t bytes);

/* `bytes` are known to be delivered. */
void tcp_bw_on_delivered(struct tcp_bw_state *r, uint32_t bytes, uint64_t now_us);

/* The sample of an ACK, after all that it delivered was told; `min_rtt_us` the least RTT ever seen.
 * False: it delivered nothing that one could measure, `ret` is empty. */
bool tcp_bw_take(struct tcp_bw_state *r, const struct tcp_bw_newest *newest, uint64_t now_us,
                 uint32_t min_rtt_us, struct tcp_bw_sample *ret);

/* The sender has nothing to send, though it might: what goes next is marked until all that is in
 * flight now is delivered. */
void tcp_bw_on_app_limited(struct tcp_bw_state *r, uint32_t pipe_bytes);

/* Has the count `a` reached `b`? They wrap. */
static inline bool tcp_bw_has_reached(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) >= 0;
}
