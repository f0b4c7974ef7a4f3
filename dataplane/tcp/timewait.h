/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TIME_WAIT: what remains of a connection that we closed first, 64 bytes for TCP_TIMEWAIT_US_MAX.
 * All wait equally long, so they expire in the order in which they came: a ring, the oldest at the
 * head, one wheel timer for it. One that ends early (a new SYN may take its tuple, RFC 6191) is
 * marked dead where it lies; when the ring is full the oldest makes place, counted.
 *
 * Owner: the worker. Cost: O(1).
 */
#pragma once

#include "core/flow_table.h"
#include "tcp/tcp_types.h"

#include <stdbool.h>
#include <stdint.h>

struct tcp_segment;

struct tcp_timewait {
    struct flow_tuple tuple;
    seq_t snd_nxt;
    seq_t rcv_nxt;
    uint32_t ts_recent; /* valid if has_timestamps */
    uint32_t ts_offset;
    uint32_t expires_ms; /* of core.now_us / 1000, modulo 2^32 */
    uint16_t window;     /* unscaled as we told it last */
    uint8_t generation;
    bool has_timestamps;
    bool is_live;
};

static_assert(sizeof(struct tcp_timewait) <= 64, "the record is compact");

struct tcp_timewaits {
    struct tcp_timewait *ring;
    uint32_t capacity;
    uint32_t head;  /* of the oldest */
    uint32_t count; /* from head on, dead ones included */
    uint32_t live;
    struct wheel_timer timer; /* armed for the oldest while count > 0 */
};

/* Turns a connection whose FINs are both acknowledged into a record that takes its place in the
 * table, where `old` stood for it. The connection is ended by the caller. */
void tcp_timewait_enter(struct tcp *t, const struct tcp_conn *c, flow_entry_t old);

/* A segment for a record (RFC 9293, 3.10.7.4 for TIME-WAIT; RFC 6191; RFC 1337: a RST does not end
 * it). True: somebody listens and the SYN may take over: the record is gone and the caller goes on
 * as if there had never been one; the new initial sequence number must not lie before *ret_iss. */
bool tcp_timewait_input(struct tcp *t, uint32_t index, const struct tcp_segment *seg,
                        bool is_listening, seq_t *ret_iss);

/* The wheel's callback. */
void tcp_timewait_on_timer(struct wheel_timer *timer, uint64_t now_us);
