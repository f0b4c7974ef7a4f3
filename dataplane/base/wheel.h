/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hierarchical timing wheel (Varghese, Lauck 1987; scheme 7). Per worker, virtual or real time
 * alike: it only knows the `now_us` that it is given. Four levels of 256 slots; one tick is
 * WHEEL_TICK_US, so level 0 spans 32.8 ms, level 1 8.4 s, level 2 36 min, level 3 6 days; a later
 * deadline is parked in the last slot and re-armed. A timer fires in the poll after its deadline,
 * never before it, at most one tick plus one poll late.
 *
 * Lazy re-arm: wheel_arm() on an armed timer with a LATER deadline only stores the deadline; the
 * entry moves when its slot comes up. Re-arming to an earlier deadline moves it at once.
 */
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_TICK_US 128u
#define WHEEL_LEVELS 4u
#define WHEEL_SLOTS 256u

struct wheel_timer;

/* Called by wheel_run() with the timer disarmed. May arm it again, and may free what embeds it. */
typedef void (*wheel_fn)(struct wheel_timer *timer, uint64_t now_us);

/* Embedded in what it times; zero it before first use and set on_expire. 40 bytes. */
struct wheel_timer {
    struct list_node link;
    uint64_t deadline_us; /* the wanted expiry */
    uint64_t
        slot_us; /* when the slot that it lies in comes up: no later than the deadline's tick */
    wheel_fn on_expire;
};

struct wheel {
    uint64_t now_tick;
    uint32_t armed; /* how many timers are armed: 0 in a worker that is empty */
    uint64_t busy[WHEEL_LEVELS][WHEEL_SLOTS / 64]; /* one bit a slot that may hold timers */
    struct list_node expired; /* due, not yet run: carried over when the budget ran out */
    struct list_node slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

/* An empty wheel at `now_us`. */
void wheel_init(struct wheel *w, uint64_t now_us);

/* Arms (or re-arms) for `deadline_us`; a deadline in the past fires in the next wheel_run(). */
void wheel_arm(struct wheel *w, struct wheel_timer *timer, uint64_t deadline_us);

/* Disarms; nothing if it is not armed. */
void wheel_disarm(struct wheel *w, struct wheel_timer *timer);

/* Is it armed? */
static inline bool wheel_timer_is_armed(const struct wheel_timer *timer)
{
    return list_is_linked(&timer->link);
}

/*
 * Moves time forward to `now_us` (never backward: an earlier value is ignored) and calls what is
 * due, at most `budget` of them; the rest stays due for the next call. Returns how many were
 * called.
 */
unsigned wheel_run(struct wheel *w, uint64_t now_us, unsigned budget);

/* A time before which nothing can fire (a lower bound, so a sleeper may wake early); UINT64_MAX:
 * empty. */
uint64_t wheel_next_us(const struct wheel *w);
