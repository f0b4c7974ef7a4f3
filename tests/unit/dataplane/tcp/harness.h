/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segment-level scripts: one stack, a peer that is the test, virtual time. Sequence numbers in
 * scripts are relative: ours to our ISS, the peer's to its own; so every script also runs across
 * the wrap of either side (see world_new()'s arguments).
 *
 *   struct world *w = world_new(&WORLD_DEFAULT);
 *   struct stream *s = world_accept(w);            // whole handshake, passive
 *   peer(w, SEG(.flags = A, .seq = 1, .ack = 1, .len = 100));
 *   run(w);
 *   EXPECT(w, .flags = A, .seq = 1, .ack = 101);
 *   EXPECT_NONE(w);
 *   world_free(w);                                 // checks that nothing leaked
 */
#pragma once

#include "core/core.h"
#include "net/net.h"
#include "tcp/tcp.h"
#include "tcp/tcp_priv.h"

#include <stdbool.h>
#include <stdint.h>

enum { F = TCP_FIN, S = TCP_SYN, R = TCP_RST, P = TCP_PSH, A = TCP_ACK };

/* A segment as scripts write and read it. */
struct seg {
    uint8_t flags; /* PSH is not compared */
    uint32_t seq;
    uint32_t ack;
    uint32_t len; /* of the payload: byte i of a stream is pattern(i) */
    uint32_t window;
    bool has_window; /* EXPECT: compare the window */
    bool is_old;     /* peer: timestamp of long ago */
    bool any_seq;    /* EXPECT: do not compare */
    uint8_t n_sack;
    uint32_t sack[4][2];
    uint16_t urgent;            /* peer, take: the field that URG is about */
    struct tcp_options options; /* EXPECT fills what it got */
    bool no_timestamps;         /* peer: leave them out */
    bool has_syn_options;       /* peer: those of a SYN, whatever the flags are */
    uint8_t ecn;                /* peer: the ECN field of the IP header */
    uint16_t merged_bytes; /* peer: put together from segments of so many bytes; 0: it is one */
};

#define SEG(...) ((struct seg){__VA_ARGS__})

struct world_config {
    uint32_t peer_iss;
    uint64_t now_us;
    uint32_t mbufs;
    bool has_sack;
    bool has_timestamps;
    bool has_wscale;
    bool is_zero_copy;
    bool has_tso;          /* with is_zero_copy: the port cuts long segments */
    uint16_t tx_mbufs_max; /* with is_zero_copy; 0: PORT_TX_MBUFS_MAX */
    bool is_v6;
    uint16_t peer_mss;
    uint16_t peer_window;
    uint8_t peer_wscale;
    struct tcp_config tcp;
};

extern const struct world_config WORLD_DEFAULT;

struct world {
    struct world_config config;
    struct core core;
    struct stats_worker stats;
    struct tcp *tcp;
    struct rte_mempool *pool;
    struct ip_addr local;
    struct ip_addr remote;
    uint16_t local_port;
    uint16_t remote_port;
    uint32_t our_iss; /* of the connection that the script is about */
    bool knows_iss;
    uint32_t ts_echo; /* our last timestamp */
    struct rte_mbuf *out[1024];
    unsigned n_out;
    struct stream *accepted;
    unsigned accepts;
    bool refuses;         /* the accept callback says no */
    bool is_address_gone; /* net_is_ours() says so of `local` */
    bool no_route;        /* net_path_find() says no */
    bool no_port;         /* no source port's replies come to this worker */
    bool listening;       /* on port 80 */
    bool listens_everywhere;
    uint16_t mtu;
    struct net_path_mtu known;   /* of the path; mtu 0: nothing */
    struct net_path_mtu learned; /* the last that net was told; mtu 0: nothing */
    uint16_t passed;             /* the last size that net was told to have arrived */
    uint8_t tos;                 /* of the last segment sent */
    uint32_t flow_label;
    unsigned doubts;   /* calls of net_doubt() */
    unsigned confirms; /* calls of net_confirm() */
    unsigned events;   /* seen since last asked */
    unsigned event_calls;
    void (*on_event)(struct stream *s, unsigned events); /* extra reaction */
};

/* Starts DPDK once a program; makes a world with a pool of its own. */
struct world *world_new(const struct world_config *config);

/* Ends it; fails the test if mbufs, timers or pool objects are left. */
void world_free(struct world *w);

/* Sends a segment of the peer to the stack. */
void peer(struct world *w, struct seg s);

/* How the only port spreads: over three workers, of which this is the first. */
const struct spread *world_spread(void);

/* One round: timers, poll. */
void run(struct world *w);

/* Rounds until `us` later, each 1 ms. */
void pass(struct world *w, uint64_t us);

/* The next segment that the stack sent; false: none. */
bool take(struct world *w, struct seg *ret);

/* Drops what was sent. */
void drop_all(struct world *w);

/* Compares the next one sent. */
void expect(struct world *w, struct seg want, const char *file, unsigned line);
void expect_none(struct world *w, const char *file, unsigned line);
#define EXPECT(w, ...) expect((w), SEG(__VA_ARGS__), __FILE__, __LINE__)
#define EXPECT_NONE(w) expect_none((w), __FILE__, __LINE__)

/* Aborts and releases the stream and ends the world. */
void world_finish(struct world *w, struct stream *s);

/* An active open; the SYN must have these flags and is taken. */
struct stream *world_open(struct world *w, uint32_t connect_timeout_ms, uint8_t flags);

/* Accepts, writes `n` pattern bytes, and drops the segments that carry them. */
struct stream *world_accept_with_flight(struct world *w, uint32_t n);

/* Handshakes; nothing is left in the output. */
struct stream *world_accept(struct world *w);
struct stream *world_connect(struct world *w);

/* Byte `i` of any stream in these tests. */
static inline uint8_t pattern(uint32_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7);
}

/* Writes pattern bytes from `from` on. Returns how many were taken. */
size_t write_pattern(struct stream *s, uint32_t from, size_t n);

/* Are the unread bytes pattern(from), pattern(from + 1)...? Consumes them; returns how many; -1:
 * different. */
long read_pattern(struct stream *s, uint32_t from);

/* Notes events; a script that opens by itself sets it. */
void world_on_event(struct stream *s, unsigned what);

/* The events since last asked. */
unsigned events(struct world *w);

/* The connection of a stream. */
static inline struct tcp_conn *conn(struct stream *s)
{
    return tcp_conn_of(s);
}

/* A counter. */
static inline uint64_t stat(const struct world *w, enum stat_id id)
{
    return w->stats.counters[id];
}
