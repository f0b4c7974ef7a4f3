/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one event loop of a mgmt process: file descriptors by epoll, timers by
 * base/wheel, and tasks that run in the next round. All of mgmtd is one thread
 * in this loop, so nothing in it needs a lock, and nothing in it may block.
 *
 * A round: what is ready, timers that are due, tasks. Callbacks may add, change
 * and remove anything, themselves too.
 *
 * Owner: main(). Thread: one. Errors: negative errno.
 */
#pragma once

#include "base/list.h"
#include "base/wheel.h"

#include <stdbool.h>
#include <stdint.h>

/* Ready descriptors handled in a round: bounds how long timers wait. */
#define LOOP_EVENTS_PER_ROUND 64
/* Timers and tasks handled in a round, for the same reason. */
#define LOOP_CALLS_PER_ROUND 1024u

struct loop;

/* A watched descriptor; embedded. Zero it, set on_ready; fd is set by
 * loop_io_add(). */
struct loop_io {
    struct loop *loop;
    int fd;
    uint32_t wanted; /* EPOLLIN, EPOLLOUT */
    void (*on_ready)(struct loop_io *io, uint32_t ready);
};

/* Something to do at the end of a round; embedded. Zero it and set run. */
struct loop_task {
    struct list_node link;
    void (*run)(struct loop_task *task);
};

/* Makes a loop. */
int loop_new(struct loop **ret);

/* Frees the loop; what is still in it is forgotten, not called. */
void loop_free(struct loop *loop);

/* Runs rounds until loop_stop(). Negative errno if epoll itself fails. */
int loop_run(struct loop *loop);

/* One round; waits at most `wait_us` for something to happen. For tests and for
 * loop_run(). */
int loop_round(struct loop *loop, uint64_t wait_us);

/* loop_run() returns after this round. */
void loop_stop(struct loop *loop);

/* Time of this round: CLOCK_MONOTONIC in microseconds. */
uint64_t loop_now_us(const struct loop *loop);

/* The loop's timers: for modules that know struct wheel and not the loop (tls,
 * http). */
struct wheel *loop_wheel(struct loop *loop);

/* Arms a timer `delay_us` from now; to a later or an earlier time if it is
 * armed. */
void loop_timer_arm(struct loop *loop, struct wheel_timer *timer, uint64_t delay_us);

/* Disarms; nothing if it is not armed. */
void loop_timer_disarm(struct loop *loop, struct wheel_timer *timer);

/* Watches `fd` (level-triggered) for `wanted` (EPOLLIN, EPOLLOUT or 0; errors
 * and hang-up always). */
int loop_io_add(struct loop *loop, struct loop_io *io, int fd, uint32_t wanted);

/* Changes what is watched for. Cost: a system call if it differs. */
int loop_io_want(struct loop_io *io, uint32_t wanted);

/* Ends watching; the descriptor stays open. No call comes afterwards, not even
 * in this round. */
void loop_io_remove(struct loop_io *io);

/* Has `task` run in the next round, once; nothing if it is programmed already.
 */
void loop_task_program(struct loop *loop, struct loop_task *task);

/* Takes back what was programmed; nothing if it was not. */
void loop_task_cancel(struct loop *loop, struct loop_task *task);
