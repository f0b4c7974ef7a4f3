/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timing wheel. A slot of level L covers 256^L ticks and "comes up" at its first tick; what it
 * holds then is due or moves to a lower level. At every level only the 255 slots after the current
 * one are in use, so a slot's number alone says when it comes up. Time jumps from one busy slot to
 * the next (a bitmap search), never tick by tick: a worker that slept pays for its timers only.
 *
 * Owner: one worker; thread: one. Cost: arm, disarm O(1); run O(timers that moved or fired).
 */
#include "base/wheel.h"

#include "base/assert.h"

#define NO_TICK UINT64_MAX
#define SLOT_MASK (WHEEL_SLOTS - 1)
#define LEVEL_SHIFT(level) (8u * (level))

static_assert(WHEEL_SLOTS == 256, "LEVEL_SHIFT counts on 8 bits a level");
static_assert(sizeof(struct wheel_timer) == 40, "the header says 40 bytes");

/* The first tick at or after the deadline: firing there is never early. */
static uint64_t due_tick(uint64_t deadline_us)
{
    return deadline_us / WHEEL_TICK_US + (deadline_us % WHEEL_TICK_US != 0);
}

/* A tick as time; the last ticks of 64 bits saturate. */
static uint64_t tick_us(uint64_t tick)
{
    return tick > UINT64_MAX / WHEEL_TICK_US ? UINT64_MAX : tick * WHEEL_TICK_US;
}

/* Links `timer` where its deadline belongs, seen from now_tick. */
static void insert(struct wheel *w, struct wheel_timer *timer)
{
    uint64_t due = due_tick(timer->deadline_us);
    if (due <= w->now_tick) {
        timer->slot_us = tick_us(w->now_tick);
        list_push_back(&w->expired, &timer->link);
        return;
    }
    unsigned level = 0;
    while (level < WHEEL_LEVELS - 1 &&
           (due >> LEVEL_SHIFT(level)) - (w->now_tick >> LEVEL_SHIFT(level)) >= WHEEL_SLOTS)
        level++;
    uint64_t current = w->now_tick >> LEVEL_SHIFT(level);
    uint64_t position = due >> LEVEL_SHIFT(level);
    if (position - current >= WHEEL_SLOTS)
        position = current + WHEEL_SLOTS - 1; /* beyond the last level: parked, then looked at */
    ASSERT_HOT(position > current);
    unsigned slot = (unsigned)position & SLOT_MASK;
    timer->slot_us = tick_us(position << LEVEL_SHIFT(level));
    w->busy[level][slot / 64] |= 1ULL << (slot % 64);
    list_push_back(&w->slots[level][slot], &timer->link);
}

/* How many slots after `current` (1..255) the next busy one of the level is; 0: none. */
static unsigned busy_distance(const uint64_t *busy, unsigned current)
{
    for (unsigned distance = 1; distance < WHEEL_SLOTS;) {
        unsigned slot = (current + distance) & SLOT_MASK;
        uint64_t rest = busy[slot / 64] >> (slot % 64);
        if (rest != 0) {
            distance += (unsigned)__builtin_ctzll(rest);
            return distance < WHEEL_SLOTS ? distance : 0;
        }
        distance += 64 - slot % 64;
    }
    return 0;
}

/* The next tick at which a slot that may hold timers comes up. */
static uint64_t next_busy_tick(const struct wheel *w)
{
    uint64_t next = NO_TICK;
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t current = w->now_tick >> LEVEL_SHIFT(level);
        unsigned distance = busy_distance(w->busy[level], (unsigned)current & SLOT_MASK);
        if (distance == 0)
            continue;
        uint64_t tick = (current + distance) << LEVEL_SHIFT(level);
        if (tick < next)
            next = tick;
    }
    ASSERT_HOT(next > w->now_tick);
    return next;
}

/* Empties one slot: each timer is due, or lies nearer now. */
static void open_slot(struct wheel *w, unsigned level, unsigned slot)
{
    uint64_t bit = 1ULL << (slot % 64);
    if ((w->busy[level][slot / 64] & bit) == 0)
        return;
    w->busy[level][slot / 64] &= ~bit;
    struct list_node *node;
    while ((node = list_take_front(&w->slots[level][slot])) != NULL)
        insert(w, container_of(node, struct wheel_timer, link));
    ASSERT_HOT((w->busy[level][slot / 64] & bit) == 0);
}

/* Moves to `tick` and opens every slot that comes up with it, the coarse ones first. */
static void enter_tick(struct wheel *w, uint64_t tick)
{
    w->now_tick = tick;
    for (unsigned level = WHEEL_LEVELS; level-- > 0;) {
        uint64_t below = (1ULL << LEVEL_SHIFT(level)) - 1;
        if ((tick & below) == 0)
            open_slot(w, level, (unsigned)(tick >> LEVEL_SHIFT(level)) & SLOT_MASK);
    }
}

/* Calls what is due, up to a mark: a timer armed anew by a callback lands behind it and waits for
 * the next run, so that a callback that arms for "now" cannot keep the loop to itself. */
static unsigned run_expired(struct wheel *w, uint64_t now_us, unsigned budget)
{
    struct list_node mark = {0};
    list_push_back(&w->expired, &mark);
    unsigned called = 0;
    while (called < budget && list_peek_front(&w->expired) != &mark) {
        struct list_node *node = list_take_front(&w->expired);
        struct wheel_timer *timer = container_of(node, struct wheel_timer, link);
        if (due_tick(timer->deadline_us) > w->now_tick) {
            insert(w, timer); /* re-armed for later while it waited */
            continue;
        }
        ASSERT_HOT(w->armed > 0);
        w->armed--;
        called++;
        timer->on_expire(timer, now_us);
    }
    list_remove(&mark);
    return called;
}

void wheel_init(struct wheel *w, uint64_t now_us)
{
    *w = (struct wheel){.now_tick = now_us / WHEEL_TICK_US};
    list_init(&w->expired);
    for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&w->slots[level][slot]);
    }
}

void wheel_arm(struct wheel *w, struct wheel_timer *timer, uint64_t deadline_us)
{
    ASSERT_HOT(timer->on_expire != NULL);
    timer->deadline_us = deadline_us;
    if (wheel_timer_is_armed(timer)) {
        if (tick_us(due_tick(deadline_us)) >= timer->slot_us)
            return; /* lazily: looked at when its slot comes up */
        list_remove(&timer->link);
        w->armed--;
    }
    w->armed++;
    insert(w, timer);
}

void wheel_disarm(struct wheel *w, struct wheel_timer *timer)
{
    if (!wheel_timer_is_armed(timer))
        return;
    ASSERT_HOT(w->armed > 0);
    list_remove(&timer->link);
    w->armed--;
}

unsigned wheel_run(struct wheel *w, uint64_t now_us, unsigned budget)
{
    uint64_t target = now_us / WHEEL_TICK_US;
    while (w->now_tick < target) {
        uint64_t next = next_busy_tick(w);
        if (next > target) {
            w->now_tick = target;
            break;
        }
        enter_tick(w, next);
    }
    uint64_t reached_us = tick_us(w->now_tick);
    return run_expired(w, now_us > reached_us ? now_us : reached_us, budget);
}

uint64_t wheel_next_us(const struct wheel *w)
{
    if (!list_is_empty(&w->expired))
        return tick_us(w->now_tick);
    if (w->armed == 0)
        return UINT64_MAX;
    uint64_t next = next_busy_tick(w);
    ASSERT(next != NO_TICK); /* an armed timer lies in a busy slot */
    return tick_us(next);
}
