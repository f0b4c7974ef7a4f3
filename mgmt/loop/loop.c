/* SPDX-License-Identifier: Apache-2.0 */
/* The event loop: epoll, a timing wheel, tasks. */
#include "loop/loop.h"

#include "base/assert.h"
#include "base/container.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct loop {
    int epoll_fd;
    bool is_stopping;
    uint64_t now_us;
    struct wheel wheel;
    struct list_node tasks;
    int ready_n; /* of `ready`, in this round */
    struct epoll_event ready[LOOP_EVENTS_PER_ROUND];
};

static uint64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int loop_new(struct loop **ret)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL)
        return -ENOMEM;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        int error = -errno;
        free(loop);
        return error;
    }
    loop->now_us = clock_us();
    wheel_init(&loop->wheel, loop->now_us);
    list_init(&loop->tasks);
    *ret = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    close(loop->epoll_fd);
    free(loop);
}

uint64_t loop_now_us(const struct loop *loop)
{
    return loop->now_us;
}

struct wheel *loop_wheel(struct loop *loop)
{
    return &loop->wheel;
}

void loop_timer_arm(struct loop *loop, struct wheel_timer *timer, uint64_t delay_us)
{
    wheel_arm(&loop->wheel, timer, loop->now_us + delay_us);
}

void loop_timer_disarm(struct loop *loop, struct wheel_timer *timer)
{
    wheel_disarm(&loop->wheel, timer);
}

int loop_io_add(struct loop *loop, struct loop_io *io, int fd, uint32_t wanted)
{
    ASSERT(io->loop == NULL);
    ASSERT(io->on_ready != NULL);
    struct epoll_event event = {.events = wanted, .data.ptr = io};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return -errno;
    io->loop = loop;
    io->fd = fd;
    io->wanted = wanted;
    return 0;
}

int loop_io_want(struct loop_io *io, uint32_t wanted)
{
    ASSERT(io->loop != NULL);
    if (io->wanted == wanted)
        return 0;
    struct epoll_event event = {.events = wanted, .data.ptr = io};
    if (epoll_ctl(io->loop->epoll_fd, EPOLL_CTL_MOD, io->fd, &event) != 0)
        return -errno;
    io->wanted = wanted;
    return 0;
}

void loop_io_remove(struct loop_io *io)
{
    struct loop *loop = io->loop;
    ASSERT(loop != NULL);
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
    for (int i = 0; i < loop->ready_n; i++) {
        if (loop->ready[i].data.ptr == io)
            loop->ready[i].data.ptr = NULL;
    }
    io->loop = NULL;
}

void loop_task_program(struct loop *loop, struct loop_task *task)
{
    ASSERT(task->run != NULL);
    if (!list_is_linked(&task->link))
        list_push_back(&loop->tasks, &task->link);
}

void loop_task_cancel(struct loop *loop, struct loop_task *task)
{
    if (list_is_linked(&task->link))
        list_remove(&task->link);
}

/* How long epoll may sleep: in whole milliseconds, rounded up, so that no timer is woken for in
 * vain. */
static int sleep_ms(const struct loop *loop, uint64_t wait_us)
{
    if (!list_is_empty(&loop->tasks))
        return 0;
    uint64_t next = wheel_next_us(&loop->wheel);
    uint64_t now = clock_us();
    uint64_t until_next = next == UINT64_MAX ? UINT64_MAX : next > now ? next - now : 0;
    uint64_t us = until_next < wait_us ? until_next : wait_us;
    if (us > 60 * 1000000ull)
        us = 60 * 1000000ull;
    return (int)((us + 999) / 1000);
}

/* Runs what is programmed now; what these program waits for the next round. */
static void handle_tasks(struct loop *loop)
{
    struct list_node batch;
    list_init(&batch);
    for (unsigned i = 0; i < LOOP_CALLS_PER_ROUND; i++) {
        struct list_node *node = list_take_front(&loop->tasks);
        if (node == NULL)
            break;
        list_push_back(&batch, node);
    }
    for (struct list_node *node; (node = list_take_front(&batch)) != NULL;) {
        struct loop_task *task = container_of(node, struct loop_task, link);
        task->run(task);
    }
}

int loop_round(struct loop *loop, uint64_t wait_us)
{
    int n = epoll_wait(loop->epoll_fd, loop->ready, LOOP_EVENTS_PER_ROUND, sleep_ms(loop, wait_us));
    if (n < 0 && errno != EINTR)
        return -errno;
    loop->ready_n = n < 0 ? 0 : n;
    loop->now_us = clock_us();
    for (int i = 0; i < loop->ready_n; i++) {
        struct loop_io *io = loop->ready[i].data.ptr;
        if (io != NULL)
            io->on_ready(io, loop->ready[i].events);
    }
    loop->ready_n = 0;
    wheel_run(&loop->wheel, loop->now_us, LOOP_CALLS_PER_ROUND);
    handle_tasks(loop);
    return 0;
}

int loop_run(struct loop *loop)
{
    int error = 0;
    loop->is_stopping = false;
    while (error == 0 && !loop->is_stopping)
        error = loop_round(loop, UINT64_MAX);
    return error;
}

void loop_stop(struct loop *loop)
{
    loop->is_stopping = true;
}
