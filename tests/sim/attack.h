/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attackers on the clients' LAN, beside honest clients of the same worker. He sees what a stranger
 * on the same segment may see at worst: he knows the addresses and ports of the honest connections,
 * he answers for every MAC that nobody else has, and he sends as fast as his rate says. All of it
 * in virtual time, from one seed: each attack goes the same way each time.
 *
 * Owner: attack_main.c. Thread: its only one.
 */
#pragma once

#include "base/rng.h"
#include "frame_make.h"
#include "proxy/proxy.h"
#include "sim.h"

/* X(name, packets a second, connections, help). Each has attack_<name>_send(). */
#define ATTACK_LIST(X)                                                                             \
    X(syn_flood, 50000, 0, "SYNs from addresses that never answer")                                \
    X(rst_blind, 50000, 0, "resets and SYNs with any number for the honest connections")           \
    X(data_blind, 50000, 0, "data with any number for the honest connections")                     \
    X(ack_storm, 50000, 0, "acknowledgements of what was never sent, and old ones, both ways")     \
    X(icmp_lies, 50000, 0, "too big, unreachable, time exceeded about the honest connections")     \
    X(fragment_flood, 50000, 0, "first and middle pieces of datagrams that never come whole")      \
    X(arp_flood, 50000, 0, "ARP questions and claims from every address of the LAN")               \
    X(nd_flood, 50000, 0, "solicitations and claims from ever new IPv6 addresses")                 \
    X(tiny_segments, 50000, 400, "bodies sent a byte a segment, in order and with gaps")           \
    X(zero_window, 2000, 400, "large answers asked for, and never a window to send them into")     \
    X(slow_reading, 2000, 400, "large answers asked for, and taken a few bytes at a time")         \
    X(optimistic_ack, 20000, 400, "large answers acknowledged before they come")                   \
    X(idle_crowd, 30000, 100000, "one request on each of 100,000 connections, which then rest")    \
    X(slow_heads, 13000, 10000, "heads of requests that come a byte a second, and never end")      \
    X(large_heads, 10000, 400, "heads of requests of 64 KB")                                       \
    X(hanging, 200, 400, "requests for which the backend never has an answer")                     \
    X(rapid_resets, 5000, 40, "eight requests of HTTP/2 a segment, each reset at once")            \
    X(tls_hellos, 5000, 400, "hellos of TLS, and a reset as soon as they are answered")            \
    X(tls_begun, 5000, 10000, "handshakes of TLS that are begun and never ended")                  \
    X(tls_slow_hellos, 13000, 10000, "hellos of 16 KB that come a byte a second, and never end")   \
    X(tls_long_hellos, 10000, 400, "hellos of 128 KB in records of 16 KB")                         \
    X(tls_renegotiation, 2000, 40, "within TLS 1.2 sixteen more hellos a segment")                 \
    X(tls_certificates, 500, 40, "handshakes with 25 certificates of the client's")

enum attack_name {
#define X(name, rate, conns, help) ATTACK_##name,
    ATTACK_LIST(X)
#undef X
        ATTACK_COUNT
};

/* Those from there on are by TLS, and half of the honest clients use it then. */
static inline bool attack_is_tls(enum attack_name name)
{
    return name >= ATTACK_tls_hellos;
}

/* After the begin of the run. Before, addresses are asked for (duplicate address detection): who
 * lies then can keep them from being used, which is for the log, not for this test. */
#define ATTACK_PEACE_US 5000000u /* honest clients come from here on */
#define ATTACK_BEGIN_US 5500000u
#define ATTACK_END_US 9500000u
#define ATTACK_CONNS_MAX 100000u   /* connections of the attacker */
#define ATTACK_BODY_BYTES 2000000u /* of what he asks for, or sends */

/* A connection of the attacker, as far as he keeps it. */
struct attack_conn {
    uint16_t port; /* his; 0: not open */
    bool is_established;
    uint32_t seq;  /* his next */
    uint32_t ack;  /* what he has received, or claims */
    uint32_t body; /* where the body of his request begins */
    uint8_t host;  /* last byte of his address */
};

struct attack {
    struct sim_stranger stranger; /* first */
    struct sim *sim;
    enum attack_name name;
    struct rng rng;
    uint64_t n_sent;     /* frames of the attack; answers about MACs are not counted */
    uint64_t n_received; /* frames that the appliance sent him */
    uint32_t n_conns;
    uint32_t turn; /* of attacks that take their connections in turn */
    struct attack_conn conns[ATTACK_CONNS_MAX];
    /* figures */
    uint32_t mbufs_low;
    uint32_t conns_high;
    uint32_t half_open_high;
    uint64_t looks;
    uint64_t heap_before, heap_high; /* bytes of the process */
    struct proxy_counts proxy_high;  /* each as high as it was */
};

/* An attack of a kind, to be given to sim_run_plan(). */
void attack_init(struct attack *a, enum attack_name name);

/* For attack_*.c: */

/* From any address of the LAN that nobody has (or from ever new ones, IPv6) to the appliance. */
struct frame_ends attack_ends(struct attack *a, bool is_v6);

/* Puts a frame on the wire. */
void attack_send(struct attack *a, const uint8_t *frame, size_t len);

/* A segment of his. */
void attack_send_tcp(struct attack *a, const struct frame_ends *ends, const struct frame_tcp *tcp);

/* Addresses and ports of an honest connection, as its client sees them, and the frame ends in its
 * name. False: there is none now. */
bool attack_honest(struct attack *a, struct stream_addrs *ret, struct frame_ends *ret_ends);

#define X(name, rate, conns, help) void attack_##name##_send(struct attack *a);
ATTACK_LIST(X)
#undef X

/* attack_tcp.c: */

/* The number of the request that is his: the plan's last, which no session has. */
uint32_t attack_request(const struct attack *a);

/* A segment of the appliance to a connection of his. */
void attack_tcp_receive(struct attack *a, uint8_t *frame, size_t len);

/* His connection at this place; one that is not open yet begins its handshake, and NULL is
 * returned. */
struct attack_conn *attack_conn_at(struct attack *a, uint32_t i);

/* Likewise, of all in turn. */
struct attack_conn *attack_next_conn(struct attack *a);

/* The next segment of that connection. */
void attack_conn_send(struct attack *a, struct attack_conn *c, uint8_t flags, uint16_t window,
                      const void *payload, size_t bytes);

/* The first bytes of a connection, where they are not a request like others (attack_http.c). */
size_t attack_http_begin(const struct attack *a, char *ret, size_t bytes_max);

/* Something came on such a connection, and was taken. */
void attack_http_answer(struct attack *a, struct attack_conn *c, uint8_t flags, uint32_t bytes);

/* attack_tls.c: */

/* Hello and clients of a run, and their end. */
void attack_tls_begin(const struct attack *a);
void attack_tls_end(void);

/* His connection is up. */
void attack_tls_open(struct attack *a, struct attack_conn *c);

/* The next bytes came on it, which were taken, or its end. */
void attack_tls_answer(struct attack *a, struct attack_conn *c, uint8_t flags, const uint8_t *data,
                       size_t bytes);
