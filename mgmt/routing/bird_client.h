/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BIRD's control socket (what birdc speaks): a command, then lines with a code of four digits; a
 * space behind the code of the last one. One conversation at a time: optionally `configure`, then
 * `show protocols` and `show route`; the connection is closed after it.
 *
 * Owner: routing. Thread: the loop's. Bound: BIRD_REPLY_BYTES_MAX of one answer,
 * BIRD_ROUTES_BYTES_MAX of routes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* An answer: a line of 80 letters for each session, four times over. */
#define BIRD_REPLY_BYTES_MAX 32768u

/* Routes: 150 letters for each of those that 64 peers may tell (BgpPeer's accept.limit). */
#define BIRD_ROUTES_BYTES_MAX (16u << 20)

struct bird_client;
struct bird_route;
struct loop;

struct bird_upcalls {
    /* Is it as it was told to be? `text`: what it says against the file. */
    void (*on_configured)(void *owner, bool is_good, const char *text);
    /* A protocol: its name, what is said of it last ("Established", "Active  Socket: ..."). */
    void (*on_protocol)(void *owner, const char *name, const char *info);
    /* A route that a peer has told and that was taken. */
    void (*on_route)(void *owner, const struct bird_route *route);
    /* The conversation is over; false: there is no BIRD, or it did not answer all. */
    void (*on_end)(void *owner, bool is_whole);
    void *owner;
};

/* Makes it. -ENOMEM, -ENAMETOOLONG. */
int bird_client_new(struct loop *loop, const char *path, const struct bird_upcalls *upcalls,
                    struct bird_client **ret);

/* Begins a conversation; one that is under way is given up. Upcalls come from the loop, but
 * on_end() also from here. */
void bird_client_ask(struct bird_client *c, bool has_new_config);

/* Ends it without an upcall. NULL is fine. */
void bird_client_free(struct bird_client *c);
