/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's net and tcp on a memory port, for targets that send frames to it. Fresh for each
 * input; the same input meets the same stack. The LAN around it:
 *
 *   us     198.18.0.1/24  2001:db8::1/64   VIPs 198.18.9.80  2001:db8:9::80   port 80 listens
 *          198.18.1.1/24 on VLAN 7
 *   peers  whoever ends in 2 to 127 answers when asked for its MAC, the others are not there
 *
 * A frame comes in memory of just its size, so that a sanitizer sees a read past its end.
 * Owner: the program; there is one stack. Thread: one.
 */
#pragma once

#include "core/core.h"
#include "frame_make.h"
#include "tcp/tcp.h"

#include <stdbool.h>

struct rte_mbuf;

#define STACK_PORT 80u
#define STACK_STREAMS_MAX 8u /* held by the application; it lets go of more at once */
#define STACK_SENT_MAX 16u   /* of what the stack sent the last are kept */

struct stack_sent {
    size_t len;
    uint8_t bytes[FRAME_BYTES_MAX + 4];
};

struct stack {
    struct core core;
    struct stats_worker stats;
    struct port_hub *hub;
    struct net *net;
    struct tcp *tcp;
    struct stream *streams[STACK_STREAMS_MAX]; /* NULL: none */
    enum tcp_congestion congestion;            /* of what it accepts */
    unsigned n_accepted;
    unsigned n_sent; /* since stack_up(); number i lies at sent[i % STACK_SENT_MAX] */
    struct stack_sent sent[STACK_SENT_MAX];
};

extern struct stack stack;

/* What a target puts around net and tcp; all of it may be NULL. Set before the first stack_up(). */
struct stack_around {
    void (*make)(void); /* instead of tcp as net's only listener and the addresses above */
    unsigned (*input)(struct rte_mbuf **frames, unsigned n); /* before net's: how many are left */
    void (*on_sent)(const uint8_t *frame, size_t len);       /* each frame that the stack sent */
    void (*check)(void);                                     /* after every round */
    void (*end)(void); /* before net and tcp end; nothing of it may be left */
};

extern struct stack_around stack_around;

/* Makes it; addresses have been announced when it returns. */
void stack_up(void);

/* The world ends: the application lets go, timers run out; nothing may be left, and the books must
 * balance. */
void stack_down(void);

/* A frame arrives, and is dealt with. Every invariant is looked at. */
void stack_frame(const uint8_t *frame, size_t len);

/* The same, but it is dealt with together with the next one, in one burst. */
void stack_queue(const uint8_t *frame, size_t len);

/* Time passes. */
void stack_pass(uint64_t us);

/* The `back`-th last frame that was sent, 0 the last; NULL: not kept. */
struct stack_sent *stack_sent(unsigned back);

/* The two ends of frames from the peer ending in `peer` to us; `is_v6`. */
struct frame_ends stack_ends(bool is_v6, uint8_t peer);

/* A whole handshake of a peer from `port`, over what is in the way. Returns the stream; NULL: it is
 * not served. *ret_seq and *ret_ack: what the peer's next segment has. */
struct stream *stack_connect(bool is_v6, uint8_t peer, uint16_t port, uint32_t *ret_seq,
                             uint32_t *ret_ack);

/* Honest clients, IPv4 and IPv6, are served in spite of all that was. */
void stack_expect_service(void);

/* A counter. */
static inline uint64_t stack_stat(enum stat_id id)
{
    return stack.stats.counters[id];
}
