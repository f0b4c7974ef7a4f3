/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of routing share. Owner: the daemon; thread: the loop's. */
#pragma once

#include "loop/loop.h"
#include "routing/bird_client.h"
#include "routing/config_file.h"
#include "routing/learned.h"
#include "routing/routing_view.h"
#include "store/store.h"

#define INFO_BYTES 80u

/* What BIRD said of a session. */
struct session {
    char name[BIRD_PEER_NAME_MAX + 1];
    char info[INFO_BYTES];
};

struct routing {
    struct loop *loop;
    struct store *store;
    struct store_listener listener;
    struct loop_task task;
    struct wheel_timer timer;
    struct bird_client *bird; /* NULL: nobody is to be configured */
    struct config_file bird_file;
    struct config_file keepalived_file;
    char *keepalived_pid; /* the file with its number */
    char *fifo;
    bool is_offered; /* BIRD has taken the text, or said what is wrong with it */
    bool is_refused;
    bool is_there; /* BIRD answered the last time */
    unsigned n_sessions;
    struct session sessions[ROUTING_PEERS_MAX];
    unsigned n_heard; /* in the conversation under way */
    struct session heard[ROUTING_PEERS_MAX];
    struct learned learned; /* of the last conversation that was whole */
    struct learned hearing; /* of the one under way */
    struct routing_view view;
};

/* Says on stderr what failed. */
void routing_complain(const char *what, const char *why);

/* Writes the statuses of the view that differ. */
void routing_write_statuses(struct routing *r);
