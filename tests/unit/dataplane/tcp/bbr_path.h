/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bottleneck for BBR alone: no stack, no packets. One flow sends segments of PATH_MSS over a link
 * of a rate, behind a queue of a size, a round trip away from who acknowledges each of them. Losses
 * are told when a segment sent later is acknowledged.
 */
#pragma once

#include "tcp/cc.h"
#include "tcp/pace.h"

#include <stdbool.h>
#include <stdint.h>

#define PATH_MSS 1000u
#define PATH_SEGMENTS_MAX 8192u

struct path_segment {
    struct tcp_bw_mark mark;
    uint64_t sent_us;
    uint64_t acked_us; /* when its acknowledgement comes */
    seq_t seq;
    bool is_lost;
};

struct path {
    struct tcp_cc cc;
    struct tcp_pace pace;
    struct tcp_cc_look look;
    uint64_t now_us;
    uint64_t link_free_us; /* when the link has sent all that is queued */
    /* what a test sets */
    uint64_t bytes_per_s;
    uint32_t rtt_us;
    uint32_t queue_bytes_max;
    uint32_t lose_every;      /* one in so many segments; 0: none */
    uint32_t ack_grain_us;    /* acknowledgements wait for a multiple of it; 0: none waits */
    uint64_t app_bytes_per_s; /* what the application has to send; 0: all the time something */
    bool is_quiet;            /* it has nothing at all */
    /* what happened */
    uint64_t app_sent_bytes;
    uint64_t app_from_us;
    uint64_t acked_bytes;
    uint32_t dropped;
    uint32_t pipe_most;
    seq_t recovery_end;
    unsigned states_seen; /* bit n: enum tcp_bbr_state n */
    /* the flight */
    struct path_segment segments[PATH_SEGMENTS_MAX];
    uint32_t first;
    uint32_t next;
};

/* A flow of BBR that has just shaken hands. */
void path_init(struct path *p, uint64_t bytes_per_s, uint32_t rtt_us, uint32_t queue_bytes_max);

/* Time passes; the invariants are looked at all the while. */
void path_run(struct path *p, uint64_t us);

/* Time passes until the flow is in this state, at most so long. False: it never was. */
bool path_run_to(struct path *p, enum tcp_bbr_state state, uint64_t us_max);

/* Time passes until the flow is in another state than this. */
bool path_run_from(struct path *p, enum tcp_bbr_state state, uint64_t us_max);

/* The bytes of a share of the bandwidth-delay product. */
uint32_t path_bdp(const struct path *p, uint32_t percent);
