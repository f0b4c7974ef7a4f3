/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays one script on a stage: time, the peer's segments in, the stack's segments compared. What
 * the socket's owner does is player_actions.c.
 *
 * A script is played as several variants: over IPv4 and IPv6, and with sequence numbers and
 * timestamps of both sides that wrap early. The first failure ends it.
 */
#pragma once

#include "flow.h"
#include "script.h"
#include "stage.h"
#include "wire.h"

#define PLAYER_FLOWS_MAX 16u
#define PLAYER_LOG_LINES_MAX 2000u

struct variant {
    const char *name;
    bool is_v6;
    uint32_t peer_iss;
    uint32_t ts_shift;
    uint64_t start_us;
};

struct player {
    const struct script *script;
    const struct variant *variant;
    struct stage *stage;
    const struct script_line *line; /* being played */
    bool is_failed;
    bool is_listening;
    bool is_refusing;
    enum tcp_congestion congestion; /* of what is accepted and opened from now on */
    uint64_t start_us;              /* the script's time 0 */
    uint64_t anchor_us;             /* of the line before */
    struct ip_addr us;
    struct ip_addr peer;
    unsigned n_flows;
    struct flow *flow; /* that lines are about now */
    struct flow flows[PLAYER_FLOWS_MAX];
    uint64_t counters[STAT_COUNT]; /* when it began */
    unsigned n_log;
    char log[PLAYER_LOG_LINES_MAX][160];
};

/* How an IPv6 header is longer: scripts' MTUs are IPv4's. */
#define PLAYER_V6_EXTRA_BYTES 20u

/* Plays it. True: all went as written; else the failure was said (script_errors). *ret_iss: the
 * first sequence number of the first flow of the stack (0: none was seen), to play it again near
 * the wrap. */
bool player_run(const struct script *script, const struct variant *variant, uint32_t *ret_iss);

/* Says what was expected in the present line and what came, with all that was said before. */
void player_fail(struct player *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line for the conversation. */
void player_log(struct player *p, const char *what, const char *text);

/* player_actions.c */

/* The upcalls of TCP. */
void player_upcalls(struct player *p, struct tcp_upcalls *ret);

/* The line's action, now. */
void player_act(struct player *p);

/* player_look.c */

/* If the line's action looks at something: compares it. False: it is another action. */
bool player_look(struct player *p);

/* player_actions.c again */

/* At the end: what the script still holds is let go. */
void player_release(struct player *p);

/* player_text.c */

/* A segment as scripts write it. Returns buf. */
const char *segment_format(const struct script_segment *s, char *buf, size_t bytes);

/* Is `got` what `want` says? NULL: yes; else which part is not. */
const char *segment_compare(const struct script_segment *want, const struct script_segment *got);
