/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publication by one pointer, retirement by what the workers report. Atomics here order one
 * thread's stores for another's loads; every variable has one writer.
 */
#include "core/generation.h"

#include "base/assert.h"
#include "core/core.h"

#include <stdlib.h>
#include <string.h>

struct generation {
    uint64_t number; /* 0: the place is free */
    const void *image;
    size_t length;
    struct image_view view;
    void *companion;
    struct generation_pins pins[WORKERS_MAX];
};

/* What a worker serves. A line of its own: written by the worker, read by housekeeping. */
struct serving {
    _Alignas(64) uint64_t number;
};

struct generation_set {
    unsigned workers;
    generation_release_fn release;
    void *owner;
    struct generation *current;
    struct serving serving[WORKERS_MAX];
    struct generation places[GENERATIONS_MAX];
};

struct generation_set *generation_set_new(unsigned workers, generation_release_fn release,
                                          void *owner)
{
    ASSERT(workers >= 1 && workers <= WORKERS_MAX);
    struct generation_set *s = aligned_alloc(64, sizeof(*s));
    if (s == NULL)
        return NULL;
    memset(s, 0, sizeof(*s));
    s->workers = workers;
    s->release = release;
    s->owner = owner;
    for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
        for (unsigned worker = 0; worker < workers; worker++)
            s->places[i].pins[worker].generation = &s->places[i];
    }
    return s;
}

/* Makes the place free again. */
static void give_back(struct generation_set *s, struct generation *g)
{
    ASSERT(g->number != 0);
    s->release(s->owner, g->image, g->length, g->companion);
    g->number = 0;
    g->image = NULL;
    g->companion = NULL;
}

void generation_set_free(struct generation_set *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
        if (s->places[i].number != 0)
            give_back(s, &s->places[i]);
    }
    free(s);
}

bool generation_publish(struct generation_set *s, const void *image, size_t length, void *companion)
{
    struct image_view view;
    image_view_init(&view, image);
    uint64_t number = view.header->generation;
    ASSERT(number > 0 && (s->current == NULL || number > s->current->number));
    for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
        struct generation *g = &s->places[i];
        if (g->number != 0)
            continue;
        g->number = number;
        g->image = image;
        g->length = length;
        g->view = view;
        g->companion = companion;
        __atomic_store_n(&s->current, g, __ATOMIC_RELEASE);
        return true;
    }
    return false;
}

/* Can no worker reach it any more? */
static bool is_out_of_reach(const struct generation_set *s, const struct generation *g)
{
    for (unsigned worker = 0; worker < s->workers; worker++) {
        /* The order matters: after the acquire, the pins that we see can only be too many. */
        if (__atomic_load_n(&s->serving[worker].number, __ATOMIC_ACQUIRE) <= g->number)
            return false;
        if (__atomic_load_n(&g->pins[worker].n, __ATOMIC_ACQUIRE) != 0)
            return false;
    }
    return true;
}

unsigned generation_set_reap(struct generation_set *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
        struct generation *g = &s->places[i];
        if (g->number == 0 || g == s->current || !is_out_of_reach(s, g))
            continue;
        give_back(s, g);
        n++;
    }
    return n;
}

uint64_t generation_served(const struct generation_set *s)
{
    uint64_t served = UINT64_MAX;
    for (unsigned worker = 0; worker < s->workers; worker++) {
        uint64_t number = __atomic_load_n(&s->serving[worker].number, __ATOMIC_ACQUIRE);
        served = number < served ? number : served;
    }
    return served;
}

unsigned generation_live_count(const struct generation_set *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < GENERATIONS_MAX; i++)
        n += s->places[i].number != 0;
    return n;
}

uint64_t generation_pin_count(const struct generation_set *s)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
        for (unsigned worker = 0; worker < s->workers; worker++)
            n += __atomic_load_n(&s->places[i].pins[worker].n, __ATOMIC_RELAXED);
    }
    return n;
}

struct generation *generation_current(const struct generation_set *s)
{
    return __atomic_load_n(&s->current, __ATOMIC_ACQUIRE);
}

const struct generation *generation_find(const struct generation_set *s, uint64_t number)
{
    for (unsigned i = 0; number != 0 && i < GENERATIONS_MAX; i++) {
        if (s->places[i].number == number)
            return &s->places[i];
    }
    return NULL;
}

uint64_t generation_number(const struct generation *g)
{
    return g->number;
}

const struct image_view *generation_view(const struct generation *g)
{
    return &g->view;
}

void *generation_companion(const struct generation *g)
{
    return g->companion;
}

void generation_report(struct generation_set *s, unsigned worker, const struct generation *g)
{
    ASSERT(worker < s->workers);
    uint64_t number = g != NULL ? g->number : 0;
    ASSERT(number >= s->serving[worker].number); /* never back */
    __atomic_store_n(&s->serving[worker].number, number, __ATOMIC_RELEASE);
}

struct generation_pins *generation_pins_of(struct generation *g, unsigned worker)
{
    ASSERT_HOT(worker < WORKERS_MAX);
    return &g->pins[worker];
}

void generation_pin(struct generation_pins *pins)
{
    ASSERT_HOT(pins->generation->number != 0);
    __atomic_store_n(&pins->n, pins->n + 1, __ATOMIC_RELAXED);
}

void generation_unpin(struct generation_pins *pins)
{
    ASSERT(pins->n > 0);
    __atomic_store_n(&pins->n, pins->n - 1, __ATOMIC_RELEASE);
}
