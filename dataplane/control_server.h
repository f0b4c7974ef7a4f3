/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket's server side: connections, framing, descriptors. What a message means is the
 * handler's business (housekeeping.h). Whoever sends garbage is disconnected and counted; nothing
 * that comes in can stop or block the server.
 *
 * Owner, thread: housekeeping.
 */
#pragma once

#include "abi/control.h"
#include "abi/stats.h"

#include <stdbool.h>
#include <stddef.h>

#define CONTROL_PEERS_MAX 16u     /* one manager and some observers; more are turned away */
#define CONTROL_MSGS_PER_POLL 64u /* of one peer, so that one cannot keep the others waiting */

struct control_peer;
struct control_server;

/* What a handler gets. `body` has msg->length bytes, aligned to 8; `fd` is -1 or belongs to the
 * handler while it runs (it may keep it by setting *fd to -1). False: the message is not allowed:
 * the peer is disconnected. */
typedef bool (*control_handler_fn)(void *owner, struct control_peer *peer,
                                   const struct control_msg *msg, const void *body, int *fd);

/* A peer is gone, or is about to be: nothing may be sent to it any more. */
typedef void (*control_gone_fn)(void *owner, struct control_peer *peer);

/* Listens at RUN_DIR/CONTROL_SOCKET_NAME; a socket that a dead process left is replaced. NULL:
 * errno says why not; EADDRINUSE: another dataplane lives there. */
struct control_server *control_server_new(const char *run_dir, struct stats_worker *stats,
                                          control_handler_fn handler, control_gone_fn gone,
                                          void *owner);

/* Disconnects all and removes the socket. NULL: nothing. */
void control_server_free(struct control_server *s);

/* Waits for messages at most `timeout_ms`, and handles what has come. Returns messages handled. */
unsigned control_server_poll(struct control_server *s, int timeout_ms);

/* Sends one message; `fd` -1: none. A peer that does not take it is disconnected after the running
 * handler. */
void control_send(struct control_peer *peer, enum control_type type, uint64_t id, const void *body,
                  uint32_t length, int fd);

/* Sends one message if the peer has room for it. False: it has not, or is gone; what is lost by
 * that is the caller's to say. */
bool control_try_send(struct control_peer *peer, enum control_type type, uint64_t id,
                      const void *body, uint32_t length);

/* From now on, or no more, the peer's messages wait in its socket: one of them is not done yet. */
void control_hold(struct control_peer *peer, bool is_held);

/* Disconnects the peer at the next control_server_poll(). */
void control_drop(struct control_peer *peer);

/* Who the kernel says it is. 0 and 0 if it does not say. */
void control_peer_who(const struct control_peer *peer, uint32_t *ret_pid, uint32_t *ret_uid);

/* Makes this peer the manager; the one before is disconnected. */
void control_set_manager(struct control_server *s, struct control_peer *peer);

/* The manager, or NULL. */
struct control_peer *control_manager(struct control_server *s);
