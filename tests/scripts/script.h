/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet script as it was read: lines in order, each with a time. The language is explained in
 * README.md; here is its form in memory. Numbers are as written: relative to each side's first.
 */
#pragma once

#include "tcp/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SCRIPT_LINES_MAX 400u /* a longer one is several */
#define SCRIPT_WORDS_MAX 24u  /* of a line */
#define SCRIPT_ARGS_MAX 2u
#define SCRIPT_TEXT_MAX 240u /* of a line */

/* What the owner of a connection does, and what is looked at: ACTION(id, word, arguments). An
 * argument is n: number, t: time, w: word. */
#define SCRIPT_ACTION_LIST(ACTION)                                                                 \
    ACTION(LISTEN, "listen", "")                                                                   \
    ACTION(DEAF, "listen_no_more", "")                                                             \
    ACTION(REFUSE, "refuse", "")                                                                   \
    ACTION(ACCEPT, "accept", "")                                                                   \
    ACTION(CONGESTION, "congestion", "w")                                                          \
    ACTION(CONNECT, "connect", "")                                                                 \
    ACTION(CONNECT_WITHIN, "connect_within", "t")                                                  \
    ACTION(WRITE, "write", "n")                                                                    \
    ACTION(WRITE_PART, "write_part", "nn")                                                         \
    ACTION(READ, "read", "n")                                                                      \
    ACTION(READABLE, "readable", "n")                                                              \
    ACTION(EOF, "eof", "")                                                                         \
    ACTION(SHUTDOWN, "shutdown", "")                                                               \
    ACTION(CLOSE, "close", "")                                                                     \
    ACTION(ABORT, "abort", "")                                                                     \
    ACTION(WRITE_URGENT, "write_urgent", "n")                                                      \
    ACTION(WATCH_URGENT, "watch_urgent", "")                                                       \
    ACTION(URGENT_BYTES, "urgent_bytes", "n")                                                      \
    ACTION(KEEPALIVE, "keepalive", "t")                                                            \
    ACTION(USER_TIMEOUT, "user_timeout", "t")                                                      \
    ACTION(TOS, "tos", "n")                                                                        \
    ACTION(EVENTS, "events", "w")                                                                  \
    ACTION(END, "end", "w")                                                                        \
    ACTION(STATE, "state", "w")                                                                    \
    ACTION(CWND, "cwnd", "n")                                                                      \
    ACTION(CWND_BETWEEN, "cwnd_between", "nn")                                                     \
    ACTION(SSTHRESH, "ssthresh", "n")                                                              \
    ACTION(ALGORITHM, "algorithm", "w")                                                            \
    ACTION(PHASE, "phase", "w")                                                                    \
    ACTION(BANDWIDTH, "bandwidth_between", "nn")                                                   \
    ACTION(PACING, "pacing_between", "nn")                                                         \
    ACTION(MSS, "mss", "n")                                                                        \
    ACTION(FLIGHT, "flight", "n")                                                                  \
    ACTION(RTO, "rto", "t")                                                                        \
    ACTION(COUNTER, "counter", "wn")                                                               \
    ACTION(FLOW, "flow", "w")                                                                      \
    ACTION(REBORN, "reborn", "n")                                                                  \
    ACTION(QUIET, "quiet", "")

enum script_action {
#define X(id, word, args) SCRIPT_##id,
    SCRIPT_ACTION_LIST(X)
#undef X
};

/* What a line is. */
enum script_kind {
    SCRIPT_PEER,   /* "<": a segment of the peer arrives */
    SCRIPT_ICMP,   /* "< icmp": a router's error about a segment of ours arrives */
    SCRIPT_EXPECT, /* ">": the stack sends a segment, and no other before it */
    SCRIPT_ACTION, /* anything else */
};

enum script_icmp {
    SCRIPT_ICMP_NET,  /* unreachable */
    SCRIPT_ICMP_HOST, /* unreachable */
    SCRIPT_ICMP_PORT, /* unreachable */
    SCRIPT_ICMP_TOO_BIG,
    SCRIPT_ICMP_TIME, /* exceeded */
};

#define SCRIPT_ECN_ANY 4u /* not looked at; sent as 0 */

/* One side's segment. `has_x` false: not written; a segment to expect is then not compared in it,
 * a segment to send gets it as README.md says. */
struct script_segment {
    uint8_t flags; /* as on the wire, ECE and CWR too */
    uint8_t ecn;   /* of the IP header, or SCRIPT_ECN_ANY */
    bool is_any_seq;
    bool has_window;
    bool has_options;
    bool is_any_ts_value;
    bool is_any_ts_echo;
    bool is_checksum_bad;
    uint32_t seq;
    uint32_t len;
    uint32_t each; /* not 0: as many segments as it takes, of so many bytes each */
    uint32_t ack;
    uint32_t window;
    uint16_t urgent;
    uint16_t unknown_option; /* not 0: an option of this kind with two bytes of nothing is added */
    struct tcp_options options;
};

struct script_line {
    unsigned number;
    enum script_kind kind;
    bool is_absolute; /* the time is the script's, else since the line before */
    bool has_time;
    uint64_t us;
    uint64_t slack_us; /* with a range: its width */
    char text[SCRIPT_TEXT_MAX];
    struct script_segment segment; /* PEER, EXPECT; ICMP: seq is what is quoted */
    enum script_icmp icmp;
    uint16_t mtu; /* ICMP */
    enum script_action action;
    uint64_t args[SCRIPT_ARGS_MAX]; /* numbers, and times in us */
    char word[64];                  /* the argument that is a word */
};

/* Sizes that a script may choose: SETTING(field, word). */
#define SCRIPT_SETTING_LIST(SETTING)                                                               \
    SETTING(rx_window_bytes, "rx_window")                                                          \
    SETTING(tx_buffer_bytes, "tx_buffer")                                                          \
    SETTING(conns_max, "conns_max")                                                                \
    SETTING(timewaits_max, "timewaits_max")                                                        \
    SETTING(half_open_max, "half_open_max")                                                        \
    SETTING(mbufs, "mbufs")                                                                        \
    SETTING(mtu, "mtu")                                                                            \
    SETTING(ecn, "ecn")                                                                            \
    SETTING(paced, "paced")                                                                        \
    SETTING(quick_acks, "quick_acks")

struct script_settings {
#define X(field, word) uint32_t field;
    SCRIPT_SETTING_LIST(X)
#undef X
};

struct script {
    const char *path;
    bool is_only_v4;
    bool is_only_v6;
    struct script_settings settings;
    unsigned n_lines;
    struct script_line lines[SCRIPT_LINES_MAX];
};

/* Where what is wrong is said: stderr, unless a test listens. */
extern FILE *script_errors;

/* Reads a script; `ret` starts with the settings that hold where it chooses none. What is wrong is
 * said as path:line: what was expected and what was found; false then. */
bool script_read(const char *path, struct script *ret);
