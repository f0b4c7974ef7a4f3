/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sock.c (connections), sock_ops.c (what their owner calls) and listener.c share.
 *
 * A connection is in one of four states:
 *   CONNECTING  waits for the kernel's answer to connect(); only by sock_connect()
 *   OPEN        either direction may have ended
 *   OVER        `end` says why; the descriptor is closed; waits for the owner's release
 *   LINGER      released; what was written still leaves; then the connection frees itself
 */
#pragma once

#include "loop/bytes.h"
#include "loop/loop.h"
#include "loop/sock.h"

static_assert(BYTES_CAPACITY == SOCK_BUFFER_BYTES, "one number, two headers");

enum sock_state {
    SOCK_CONNECTING,
    SOCK_OPEN,
    SOCK_OVER,
    SOCK_LINGER,
};

struct sock {
    struct stream stream; /* first: a stream is its sock */
    struct loop *loop;
    struct loop_io io;
    struct loop_task task; /* events that a call has caused, flush, end of a release */
    struct wheel_timer timer;
    struct sock_listener *listener; /* NULL: opened by us */
    struct bytes in;
    struct bytes out;
    struct stream_addrs addrs;
    int fd; /* -1: closed */
    enum sock_state state;
    enum stream_end end;
    unsigned events; /* to deliver by the task */
    bool is_eof;     /* the peer has ended its direction */
    bool is_shutdown_wanted;
    bool is_shutdown;   /* done in the kernel */
    bool is_room_short; /* a write took less than it was given */
    bool is_released;
};

/* A stream over a connected (or connecting) descriptor; takes `fd` in any case. NULL: no memory. */
struct sock *sock_new(struct loop *loop, int fd, enum sock_state state,
                      struct sock_listener *listener);

/* The stream is over: nothing goes in or out any more. The owner hears of it by the task. */
void sock_set_over(struct sock *s, enum stream_end end);

/* sock_ops.c: the calls of a stream. */
extern const struct stream_ops sock_ops;

/* A connection of the listener has gone. */
void sock_listener_forget(struct sock_listener *listener);

/* Sets what every socket of ours has: no delay, keepalive, a bound on unacknowledged data. */
void sock_set_options(int fd);
