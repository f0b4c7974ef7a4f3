/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP of one worker (RFC 9293): what the modules above see. A connection is a struct stream; all
 * reading, writing and ending goes through core/stream.h.
 *
 * Beyond what core/stream.h says:
 *  - STREAM_CLOSED with STREAM_END_ORDERLY waits until the owner has consumed everything.
 *  - After STREAM_CLOSED the owner still holds the stream and gives it back by stream_release().
 *  - What it does for net is tcp_net_ops.
 *
 * Owner: the worker. Thread: the worker. Station on the path: after net (IP), before http.
 */
#pragma once

#include "core/stream.h"

#include <stddef.h>
#include <stdint.h>

struct core;
struct flow_tuple;
struct net;
struct net_icmp_error;
struct net_tcp_ops;
struct rte_mbuf;
struct tcp;

/* What tcp does for net: the functions below, for net_set_tcp(). */
extern const struct net_tcp_ops tcp_net_ops;

/* Most connections rest: this many share a sender, and take turns when more send at once. */
#define TCP_CONNS_A_SENDER 8u

/* Sizes fixed at start. */
struct tcp_config {
    uint32_t conns_max;                /* connections of this worker, TIME_WAIT not counted */
    uint32_t passive_max;              /* of them, accepted or to be accepted; 0: all */
    uint32_t senders_max;              /* of them, how many may send at once; 0: all */
    uint32_t timewaits_max;            /* compact TIME_WAIT records */
    uint32_t half_open_max;            /* passive opens not yet established; beyond: SYN cookies */
    uint32_t half_open_listener_max;   /* likewise, of one listener; 0: half of all */
    uint32_t challenge_per_second_max; /* challenge ACKs, on average (RFC 5961, 7); 0: the usual */
    uint32_t rst_per_second_max;       /* resets to segments of no connection, likewise */
    uint32_t rx_window_bytes;          /* receive window of a connection */
    uint32_t tx_buffer_bytes;          /* send queue of a connection */
    uint32_t first_bytes;  /* of either, at most, until something was drained; 0: all of it */
    uint32_t keepalive_ms; /* what connections begin with, see tcp_set_keepalive(); 0: off */
    uint8_t quick_acks; /* full segments acknowledged each, at the start and after gaps; 0: none */
    bool is_paced;      /* a window goes out over the round trip (see pace.h), not at once */
    bool has_ecn;       /* ECN is offered and taken (RFC 3168) */
    uint32_t
        mbufs_low; /* mbufs left in the pool below which windows shrink; below three quarters of
                           it nobody gets in, below half the idle are shed: see memory.c */
};

/* How a connection finds out what the path bears. */
enum tcp_congestion {
    TCP_CONGESTION_CUBIC, /* RFC 9438 */
    TCP_CONGESTION_BBR,   /* draft-ietf-ccwg-bbr */
};

/* What listens on an address and a port. */
struct tcp_listening {
    uint32_t bind;                  /* its number, which the accepted connection carries */
    enum tcp_congestion congestion; /* of what is accepted */
};

/*
 * Is anyone listening on this local address and port? Returns true and who (`ret` is zeroed before:
 * what is left out is CUBIC); false: the SYN is answered by RST and counted.
 */
typedef bool (*tcp_listen_fn)(void *owner, const struct ip_addr *local, uint16_t port,
                              struct tcp_listening *ret);

/* May the peer of these ends have a connection at that bind now? False: its SYN is answered by RST,
 * as where nobody listens, and counted by whoever says so. */
typedef bool (*tcp_admit_fn)(void *owner, const struct flow_tuple *ends, uint32_t bind);

/*
 * A passive open is established: `s` belongs to the callee, which sets on_event and owner. Called
 * from tcp_poll(), never from tcp_input(). False: refused, the connection is reset.
 */
typedef bool (*tcp_accept_fn)(void *owner, struct stream *s, uint32_t bind);

/* All events of a poll were delivered. What its owners put off until then is done now, before
 * segments go out. Returns how many things that were. */
typedef unsigned (*tcp_delivered_fn)(void *owner);

struct tcp_upcalls {
    tcp_listen_fn listen;
    tcp_accept_fn accept;
    void *owner;
    tcp_admit_fn admits;        /* asked for each SYN; NULL: everybody may */
    tcp_delivered_fn delivered; /* NULL: nothing is put off */
};

/* Makes the worker's TCP. Takes its memory from core_memory(). */
struct tcp *tcp_new(struct core *core, struct net *net, const struct tcp_config *config,
                    const struct tcp_upcalls *upcalls);

/* Gives back every mbuf and pool object; connections vanish without a word on the wire. */
void tcp_done(struct tcp *t);

/* Handles one segment. `m` starts at the TCP header, the addresses are those of the IP header;
 * checksums are verified here unless ol_flags say that the device did. Takes ownership of `m`,
 * always. `flow_hash`: of tcp_expect(), for this tuple; 0: it was not asked. */
void tcp_input(struct tcp *t, struct rte_mbuf *m, const struct ip_addr *src,
               const struct ip_addr *dst, uint8_t tos, uint64_t flow_hash);

/* A segment of this flow may come soon: brings its bucket of the flow table nearer. Returns the
 * flow's hash. Cost: the hash, which tcp_input() then needs not make. */
uint64_t tcp_expect(struct tcp *t, const struct ip_addr *src, const struct ip_addr *dst,
                    uint16_t src_port, uint16_t dst_port);

/* When the bucket is here: brings nearer what the bucket says that the flow is. */
void tcp_prefetch(struct tcp *t, uint64_t flow_hash);

/* Drains what this round programmed: delivers stream events and accepts (bounded), then sends
 * segments and acknowledgements. Called once a poll, after input and timers. Returns how many
 * things it did. */
unsigned tcp_poll(struct tcp *t);

/* When tcp_poll() has something to do that no packet, no timer and no owner tells of: connections
 * that wait for memory. UINT64_MAX: nothing. */
uint64_t tcp_next_us(const struct tcp *t);

struct tcp_open_args {
    struct ip_addr remote;
    uint16_t remote_port;
    uint32_t connect_timeout_ms; /* 0: the default */
    struct ip_addr local; /* an address of ours of the same family; zero: as the route says */
    enum tcp_congestion congestion;
};

#define TCP_OPEN_LIST(X)                                                                           \
    X(OK, "SYN sent")                                                                              \
    X(NO_ROUTE, "no interface leads to the address, or the local one is not ours")                 \
    X(NO_PORT, "every source port towards this destination is in use")                             \
    X(NO_CONN, "the connection pool is empty")                                                     \
    X(NO_MBUF, "memory is short")

enum tcp_open_fault {
#define X(name, help) TCP_OPEN_##name,
    TCP_OPEN_LIST(X)
#undef X
};

/* Would tcp_open() find a way to the address? Cost: a look-up of net's. */
bool tcp_has_way(const struct tcp *t, const struct ip_addr *remote);

/* Active open. Chooses a local address by the egress route and a source port whose replies come to
 * this worker. On TCP_OPEN_OK *ret_stream is the new stream (STREAM_WRITABLE when established, else
 * STREAM_CLOSED); its owner sets on_event and owner at once. */
enum tcp_open_fault tcp_open(struct tcp *t, const struct tcp_open_args *args,
                             struct stream **ret_stream);

/* An ICMP error that quotes a segment of ours. Believed only when the quoted sequence number is in
 * flight (RFC 5927): "too big" lowers the path MTU (RFC 1191, RFC 8201) and what is in flight is
 * cut anew; "unreachable" ends an open that is not answered yet, else it is only counted. */
void tcp_on_icmp_error(struct tcp *t, const struct net_icmp_error *e);

/* Addresses are ours no longer (an image, another master of a pair): connections on them are reset
 * and counted. Cost: a look at each connection, however many addresses went. */
void tcp_on_addresses_gone(struct tcp *t);

/* Is the client's connection between these ends to be cut off? */
typedef bool (*tcp_cut_fn)(void *owner, const struct flow_tuple *ends);

/* Asks about the accepted connections in the next `n` places of the pool from *cursor on, which it
 * moves, and resets those that are to be cut off. False: those were the last. */
bool tcp_cut(struct tcp *t, uint32_t *cursor, uint32_t n, tcp_cut_fn cuts, void *owner);

/* How many connections there are. For tests and gauges. */
uint32_t tcp_conn_count(const struct tcp *t);

/* How many compact TIME_WAIT records there are. For tests and gauges. */
uint32_t tcp_timewait_count(const struct tcp *t);

/* Is there a connection between these ends, or was there one until a moment ago (TIME_WAIT)? */
bool tcp_has_flow(const struct tcp *t, const struct flow_tuple *ends);

/* Whoever else sends from ports of ours (l4): do these ends belong to him? */
typedef bool (*tcp_is_taken_fn)(void *owner, const struct flow_tuple *ends);

/* Who is asked before a port is chosen for a connection; nobody at first. */
void tcp_set_is_taken(struct tcp *t, tcp_is_taken_fn is_taken, void *owner);

/* Tells the next few flows (TIME_WAIT records too) to each observer who asked for them: at most
 * OBS_LOOKS_PER_ROUND_MAX places of the pool, OBS_FLOWS_PER_ROUND_MAX flows, as many as there is
 * room for. A flow that is made or changes into TIME_WAIT meanwhile may be left out or told twice.
 * Called once a round while somebody asks. Behind the last place
 * the dump is over if `is_last`, else somebody tells on. Returns how many places it looked at. */
unsigned tcp_tell_flows(struct tcp *t, bool is_last);

/* How many places there are, of flows or empty. */
uint64_t tcp_flow_places(const struct tcp *t);

/* Text about every connection, a line each (state, addresses, windows, queues, RTT, losses), as
 * many as fit. Always ends in NUL; returns its length. */
size_t tcp_dump(const struct tcp *t, char *buf, size_t bytes);
