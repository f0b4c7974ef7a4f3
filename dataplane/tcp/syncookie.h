/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SYN cookies (RFC 4987, section 3.6): the initial number of a SYN-ACK that remembers the SYN, so
 * that a worker under a flood keeps nothing until the peer has shown that its address is true.
 *
 *   number = pad + (epoch mod 4) << 30 | (class of the MSS) << 27 | mac
 *   pad    = 32 bits of SipHash(boot key; tuple, peer's number, terms)
 *   mac    = 27 bits of SipHash(epoch's secret; that hash, class)
 *
 * The pad hides what is beneath: to a stranger all 32 bits are as hard to guess as those of
 * tcp_iss(). Of the 2^32 numbers 16 are good at a time (two epochs, eight classes): one guess in
 * 2^28.
 *
 * What the number has no room for lies in the low bits of our timestamp, which the peer echoes,
 * and is covered by the mac: window scale, SACK, and a bit for ECN. A peer without timestamps gets
 * none of the three, and its SYN-ACK does not promise them.
 *
 *   timestamp, low 6 bits = window scale (15: none) | SACK << 4 | ECN << 5
 *
 * Secrets. Known ways: draw a random one every epoch and keep the last two, or derive an epoch's
 * from the boot key and the epoch's number. Chosen: derived. A worker has no random source but its
 * seed, all workers agree without talking, a simulated run replays, and nobody can learn one
 * epoch's secret from another's. Drawing would protect the past against who reads the process's
 * memory; but he finds the connections themselves there. What would change our mind: cookies that
 * another box of a pair must read.
 *
 * Pure: no mbuf, no clock; what is kept are derived secrets. Thread: the owner's. Cost: two hashes.
 */
#pragma once

#include "base/siphash.h"
#include "tcp/tcp_types.h"

#define TCP_COOKIE_LIFE_US (2 * TCP_COOKIE_EPOCH_US) /* the epoch it was made in, and the next */
#define TCP_COOKIE_EPOCHS 4u /* told apart: two that are good, two that have expired */
#define TCP_COOKIE_NO_WSCALE 15u
#define TCP_COOKIE_TIMESTAMP_BITS 6u

/* What two SYNs agree upon, as far as a cookie carries it. Without has_timestamps the rest but the
 * MSS is: no scale, no SACK, no ECN. */
struct tcp_cookie_terms {
    uint16_t mss;   /* read back: the largest of the family's table that is not above it */
    uint8_t wscale; /* the peer's; TCP_COOKIE_NO_WSCALE: it offered none */
    bool has_timestamps;
    bool has_sack;
    bool has_ecn;
};

/* Secrets as they were last used. */
struct tcp_cookies {
    struct siphash_key boot;
    struct {
        uint64_t epoch;
        struct siphash_key key;
    } secrets[TCP_COOKIE_EPOCHS]; /* at epoch mod 4 */
};

enum tcp_cookie_result {
    TCP_COOKIE_GOOD,
    TCP_COOKIE_INVALID, /* not one of ours, or not for this peer, number or timestamp */
    TCP_COOKIE_EXPIRED, /* ours once: two or three epochs old */
};

/* Ready to make and read; `boot` is the worker's key, the same on all workers. */
void tcp_cookies_init(struct tcp_cookies *k, const struct siphash_key *boot);

/* Terms that a cookie can carry of what the peer's SYN offered. */
struct tcp_cookie_terms tcp_cookie_terms(const struct tcp_options *syn, bool is_v4);

/* The initial number of the SYN-ACK to a SYN of number `peer_iss`. */
seq_t tcp_cookie_make(struct tcp_cookies *k, const struct flow_tuple *tuple, seq_t peer_iss,
                      const struct tcp_cookie_terms *terms, uint64_t now_us);

/* The timestamp of that SYN-ACK: at most `ts_now` and less than 64 below, so that the connection's
 * timestamps, which are never behind their clock, do not run backwards (RFC 7323, section 5.4). */
uint32_t tcp_cookie_timestamp(const struct tcp_cookie_terms *terms, uint32_t ts_now);

/* Reads one back. `number` is the peer's acknowledgement less one, `peer_iss` its own number less
 * one; `echo` the timestamp echoed, NULL: the segment has none. *ret only if good. */
enum tcp_cookie_result tcp_cookie_read(struct tcp_cookies *k, const struct flow_tuple *tuple,
                                       seq_t peer_iss, seq_t number, const uint32_t *echo,
                                       uint64_t now_us, struct tcp_cookie_terms *ret);
