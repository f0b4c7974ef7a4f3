/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the control socket (abi/control.h) over a file descriptor: connect, send, receive.
 * Used by publish in mgmtd's loop and by `sluicectl stats`, which just asks once.
 *
 * Thread: the caller's. Errors: negative errno.
 */
#pragma once

#include "abi/control.h"

#include <stddef.h>
#include <stdint.h>

/* Connects to <run_dir>/dataplane.sock, non-blocking and close-on-exec. Returns the descriptor, or
 * -ENOENT, -ECONNREFUSED (no dataplane there), -EAGAIN (its backlog is full), -ENAMETOOLONG. */
int control_connect(const char *run_dir);

/* Sends one message, `fd` with it unless it is -1 (it stays the caller's). 0 or -EAGAIN (no room
 * now), -EPIPE and the like (the other end is gone), -EMSGSIZE. */
int control_send(int socket, enum control_type type, uint64_t id, const void *body, uint32_t length,
                 int fd);

struct control_received {
    struct control_msg msg;
    int fd; /* -1: none came; else the caller's to close */
    _Alignas(8) uint8_t body[CONTROL_MSG_BYTES_MAX];
};

/* Receives one message. 0 with *ret filled; -EAGAIN: none there; -EPIPE: closed by the other end;
 * -EPROTO: not a message of ours (then nothing in *ret is the caller's). */
int control_receive(int socket, struct control_received *ret);
