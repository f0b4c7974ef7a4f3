/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds: descriptors, timers, tasks. */
#include "test_loop.h"

#include "base/container.h"
#include "loop/loop.h"
#include "unit.h"

#include <sys/epoll.h>
#include <unistd.h>

struct probe {
    struct loop *loop;
    struct loop_io io;
    struct loop_io other;
    struct loop_task task;
    struct wheel_timer timer;
    int calls;
    uint64_t fired_us;
};

static void on_ready_once(struct loop_io *io, uint32_t ready)
{
    struct probe *p = container_of(io, struct probe, io);
    p->calls += 1;
    CHECK((ready & EPOLLIN) != 0);
    loop_io_remove(&p->io);
    if (p->other.loop != NULL)
        loop_io_remove(&p->other);
}

static void on_other(struct loop_io *io, uint32_t ready)
{
    struct probe *p = container_of(io, struct probe, other);
    p->calls += 1;
    loop_io_remove(&p->other);
    if (p->io.loop != NULL)
        loop_io_remove(&p->io);
}

TEST(removed_descriptor_is_not_called_in_the_same_round)
{
    struct probe p = {.io.on_ready = on_ready_once, .other.on_ready = on_other};
    int a[2];
    int b[2];
    REQUIRE(loop_new(&p.loop) == 0);
    REQUIRE(pipe(a) == 0 && pipe(b) == 0);
    CHECK_EQ(write(a[1], "x", 1), 1);
    CHECK_EQ(write(b[1], "x", 1), 1);
    CHECK_EQ(loop_io_add(p.loop, &p.io, a[0], EPOLLIN), 0);
    CHECK_EQ(loop_io_add(p.loop, &p.other, b[0], EPOLLIN), 0);
    loop_round(p.loop, 100000);
    loop_round(p.loop, 0);
    CHECK_EQ(p.calls, 1);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
    loop_free(p.loop);
}

static void run_again(struct loop_task *task)
{
    struct probe *p = container_of(task, struct probe, task);
    p->calls += 1;
    loop_task_program(p->loop, task);
}

TEST(task_runs_once_a_round_and_can_be_cancelled)
{
    struct probe p = {.task.run = run_again};
    REQUIRE(loop_new(&p.loop) == 0);
    loop_task_program(p.loop, &p.task);
    loop_task_program(p.loop, &p.task);
    loop_round(p.loop, UINT64_MAX);
    CHECK_EQ(p.calls, 1);
    loop_round(p.loop, UINT64_MAX);
    CHECK_EQ(p.calls, 2);
    loop_task_cancel(p.loop, &p.task);
    loop_round(p.loop, 0);
    CHECK_EQ(p.calls, 2);
    loop_free(p.loop);
}

static void on_expire(struct wheel_timer *timer, uint64_t now_us)
{
    struct probe *p = container_of(timer, struct probe, timer);
    p->fired_us = now_us;
    loop_stop(p->loop);
}

TEST(timer_fires_after_its_delay_and_not_before)
{
    struct probe p = {.timer.on_expire = on_expire};
    REQUIRE(loop_new(&p.loop) == 0);
    uint64_t start = loop_now_us(p.loop);
    loop_timer_arm(p.loop, &p.timer, 20000);
    CHECK_EQ(loop_run(p.loop), 0);
    CHECK(p.fired_us >= start + 20000);
    CHECK(p.fired_us < start + 2000000);
    loop_free(p.loop);
}

UNIT_MAIN("mgmt/loop", T(removed_descriptor_is_not_called_in_the_same_round),
          T(task_runs_once_a_round_and_can_be_cancelled),
          T(timer_fires_after_its_delay_and_not_before),
          T(bytes_arrive_in_order_and_intact_through_full_buffers),
          T(peer_that_is_not_consumed_from_is_held_back),
          T(end_of_peer_is_told_and_orderly_close_comes_after_both_ends),
          T(release_sends_what_was_written_then_ends), T(release_with_unread_bytes_is_a_reset),
          T(abort_is_told_by_the_loop_and_resets_the_peer), T(connect_to_closed_port_is_refused),
          T(listener_closes_what_is_above_its_limit_and_counts_it))
