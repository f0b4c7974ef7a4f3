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
#include "sim.h"

/* X(name, packets a second, help). Each has attack_<name>_send(); its help says what must hold. */
#define ATTACK_LIST(X)                                                                             \
    X(syn_flood, 50000, "SYNs from addresses that never answer")                                   \
    X(rst_blind, 50000, "resets and SYNs with any number for the honest connections")              \
    X(data_blind, 50000, "data with any number for the honest connections")                        \
    X(ack_storm, 50000, "acknowledgements of what was never sent, and old ones, both ways")        \
    X(icmp_lies, 50000, "too big, unreachable, time exceeded about the honest connections")        \
    X(fragment_flood, 50000, "first and middle pieces of datagrams that never come whole")         \
    X(arp_flood, 50000, "ARP questions and claims from every address of the LAN")                  \
    X(nd_flood, 50000, "solicitations and claims from ever new IPv6 addresses")                    \
    X(tiny_segments, 50000, "bodies sent a byte a segment, in order and with gaps")                \
    X(zero_window, 2000, "large answers asked for, and never a window to send them into")          \
    X(slow_reading, 2000, "large answers asked for, and taken a few bytes at a time")              \
    X(optimistic_ack, 20000, "large answers acknowledged before they come")

enum attack_name {
#define X(name, rate, help) ATTACK_##name,
    ATTACK_LIST(X)
#undef X
        ATTACK_COUNT
};

/* After the begin of the run. Before, addresses are asked for (duplicate address detection): who
 * lies then can keep them from being used, which is for the log, not for this test. */
#define ATTACK_PEACE_US 5000000u /* honest clients come from here on */
#define ATTACK_BEGIN_US 5500000u
#define ATTACK_END_US 9500000u
#define ATTACK_CONNS_MAX 400u      /* connections of the attacker */
#define ATTACK_BODY_BYTES 2000000u /* of what he asks for, or sends */

/* A connection of the attacker, as far as he keeps it. */
struct attack_conn {
    uint16_t port; /* his; 0: not open */
    bool is_established;
    uint32_t seq;  /* his next */
    uint32_t ack;  /* what he has received, or claims */
    uint32_t body; /* where the body of his request begins */
};

struct attack {
    struct sim_stranger stranger; /* first */
    struct sim *sim;
    enum attack_name name;
    struct rng rng;
    uint64_t n_sent;     /* frames of the attack; answers about MACs are not counted */
    uint64_t n_received; /* frames that the appliance sent him */
    struct attack_conn conns[ATTACK_CONNS_MAX];
    /* figures */
    uint32_t mbufs_low;
    uint32_t conns_high;
    uint32_t half_open_high;
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

#define X(name, rate, help) void attack_##name##_send(struct attack *a);
ATTACK_LIST(X)
#undef X

/* A segment of the appliance to a connection of his (attack_tcp.c). */
void attack_tcp_receive(struct attack *a, uint8_t *frame, size_t len);
