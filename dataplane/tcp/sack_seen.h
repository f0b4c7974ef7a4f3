/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SACK blocks that a scoreboard has marked already, as far as it remembers: the next ACKs tell
 * them again, and there is nothing to look for in them. Each begins and ends where a record does.
 * Pure. Cost: O(1).
 */
#pragma once

#include "base/seq.h"
#include "tcp/options.h"

#include <stdbool.h>

#define TCP_SACK_SEEN 3u /* as many blocks as fit beside timestamps */

struct tcp_sack_seen {
    struct tcp_sack_block blocks[TCP_SACK_SEEN]; /* seq_eq(start, end): none */
};

/* What of the block is not known; seq_eq(start, end): nothing. */
struct tcp_sack_block tcp_sack_unseen(const struct tcp_sack_seen *s, struct tcp_sack_block r);

/* The block was marked, all of it. */
void tcp_sack_remember(struct tcp_sack_seen *s, struct tcp_sack_block r);

/* What was SACKED is so no longer, or is gone. */
void tcp_sack_forget(struct tcp_sack_seen *s);

/* Blocks below what is unacknowledged go: their numbers come round again. */
void tcp_sack_forget_below(struct tcp_sack_seen *s, seq_t una);

/* Is all of the block known? For checks. */
bool tcp_sack_is_seen(const struct tcp_sack_seen *s, const struct tcp_sack_block *r);
