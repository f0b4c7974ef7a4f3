/* SPDX-License-Identifier: Apache-2.0 */
/* Publication with real threads: readers poll as workers do while housekeeping publishes as fast as
 * it can. What was given back is filled with a mark, so that a reader that still looks sees it. */
#include "base/rng.h"
#include "compile/image_builder.h"
#include "core/endpoint_health.h"
#include "core/endpoint_table.h"
#include "core/generation.h"
#include "core/rcu.h"
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { READERS = 2, UPDATES = 20000, IMAGES = 2000 };

static struct rcu *rcu;
static struct endpoint_table *table;
static struct generation_set *generations;
static bool is_over;
static uint64_t n_wrong;
static uint64_t n_read;

/* One poll of a reader: every endpoint of a list has the same port, and images are whole. */
static void poll_once(unsigned worker, struct generation_pins **pinned, uint64_t round)
{
    struct generation *g = generation_current(generations);
    const struct endpoint_group *list = endpoint_group_get(table, 3);
    for (uint32_t i = 0; list != NULL && i < list->count; i++) {
        if (list->endpoints[i].port != list->endpoints[0].port)
            __atomic_fetch_add(&n_wrong, 1, __ATOMIC_RELAXED);
    }
    if (g != NULL && generation_view(g)->header->magic != IMAGE_MAGIC)
        __atomic_fetch_add(&n_wrong, 1, __ATOMIC_RELAXED);
    if (*pinned != NULL && generation_view((*pinned)->generation)->header->magic != IMAGE_MAGIC)
        __atomic_fetch_add(&n_wrong, 1, __ATOMIC_RELAXED);
    if (g != NULL && *pinned == NULL) {
        *pinned = generation_pins_of(g, worker);
        generation_pin(*pinned);
    } else if (*pinned != NULL && round % 7 == 0) {
        generation_unpin(*pinned);
        *pinned = NULL;
    }
    generation_report(generations, worker, g);
    rcu_quiescent(rcu, worker);
}

static void *reader(void *arg)
{
    unsigned worker = (unsigned)(uintptr_t)arg;
    struct generation_pins *pinned = NULL;
    uint64_t round = 0;
    rcu_online(rcu, worker);
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED))
        poll_once(worker, &pinned, round++);
    if (pinned != NULL)
        generation_unpin(pinned);
    rcu_offline(rcu, worker);
    __atomic_fetch_add(&n_read, round, __ATOMIC_RELAXED);
    return NULL;
}

static void release(void *owner, const void *image, size_t length, void *companion)
{
    memset((void *)(uintptr_t)image, 0xdd, length); /* whoever still reads sees a wrong magic */
    free((void *)(uintptr_t)image);
}

static void *image_of(uint64_t number, size_t *ret_length)
{
    void *image;
    struct image_builder *b = image_builder_new();
    REQUIRE(image_builder_finish(b, number, &image, ret_length) == 0);
    image_builder_free(b);
    return image;
}

static void publish_endpoints(uint64_t version)
{
    static struct {
        struct endpoint_record head;
        struct endpoint list[64];
    } r;
    enum endpoints_fault fault;
    r.head = (struct endpoint_record){.group = 3, .count = 64, .version = version};
    for (unsigned i = 0; i < 64; i++)
        r.list[i] = (struct endpoint){.port = (uint16_t)version};
    while (!endpoint_table_put(table, &r.head, 0, &fault))
        endpoint_table_reap(table);
    endpoint_table_reap(table);
}

static void publish_image(uint64_t number)
{
    size_t length;
    void *image = image_of(number, &length);
    while (!generation_publish(generations, image, length, NULL))
        generation_set_reap(generations);
    generation_set_reap(generations);
}

TEST(readers_never_see_memory_that_was_given_back)
{
    pthread_t threads[READERS];
    rcu = rcu_new(READERS);
    table = endpoint_table_new(rcu);
    generations = generation_set_new(READERS, release, NULL);
    for (unsigned i = 0; i < READERS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, reader, (void *)(uintptr_t)i) == 0);
    for (unsigned i = 1; i <= UPDATES; i++) {
        publish_endpoints(i);
        if (i % (UPDATES / IMAGES) == 0)
            publish_image(i);
    }
    while (generation_served(generations) < UPDATES)
        ; /* a round of each reader */
    __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(n_wrong, 0);
    CHECK(n_read > 0);
    CHECK_EQ(endpoint_table_reap(table), 0);
    generation_set_reap(generations);
    CHECK_EQ(generation_live_count(generations), 1);
    generation_set_free(generations);
    endpoint_table_free(table);
    rcu_free(rcu);
}

/* ---- health of endpoints, which all workers write to ---- */

enum { ENDPOINTS = 8, EJECTED_MAX = ENDPOINTS / 2 };

static const struct image_health policy = {.failures = 2,
                                           .base_ejection_ms = 100,
                                           .max_ejection_ms = 400,
                                           .max_ejected_percent = 50,
                                           .slow_start_ms = 100};
static uint64_t clock_us;
static uint64_t n_ejected;

/* More than the policy's share may be ejected only by those who did so at the same moment. The
 * clock is read last: who is ejected then was so while it was looked at. */
static void check_group(const struct endpoint_group *g)
{
    unsigned ejected = 0;
    uint64_t until_us[ENDPOINTS];
    for (uint32_t i = 0; i < g->count; i++)
        until_us[i] = __atomic_load_n(&g->health[i].ejected_until_us, __ATOMIC_SEQ_CST);
    uint64_t now_us = __atomic_load_n(&clock_us, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < g->count; i++) {
        uint32_t share = endpoint_health_share(&g->health[i], &policy, now_us);
        ejected += until_us[i] > now_us;
        if (share < ENDPOINT_SHARE_LEAST || share > ENDPOINT_SHARE_FULL)
            __atomic_fetch_add(&n_wrong, 1, __ATOMIC_RELAXED);
    }
    if (ejected > EJECTED_MAX + READERS - 1)
        __atomic_fetch_add(&n_wrong, 1, __ATOMIC_RELAXED);
}

static void *noter(void *arg)
{
    unsigned worker = (unsigned)(uintptr_t)arg;
    struct rng rng = {.state = worker};
    rcu_online(rcu, worker);
    while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
        const struct endpoint_group *g = endpoint_group_get(table, 3);
        uint64_t now_us = __atomic_load_n(&clock_us, __ATOMIC_RELAXED);
        for (unsigned i = 0; g != NULL && i < 16; i++) {
            bool is_ok = rng_below(&rng, 4) == 0;
            if (endpoint_health_note(g, rng_below(&rng, ENDPOINTS), is_ok, &policy, now_us) ==
                ENDPOINT_NOTED_EJECTED)
                __atomic_fetch_add(&n_ejected, 1, __ATOMIC_RELAXED);
            check_group(g);
        }
        rcu_quiescent(rcu, worker);
    }
    rcu_offline(rcu, worker);
    return NULL;
}

/* The same endpoints again, in another order. */
static void put_again(uint64_t version)
{
    static struct {
        struct endpoint_record head;
        struct endpoint list[ENDPOINTS];
    } r;
    enum endpoints_fault fault;
    r.head = (struct endpoint_record){.group = 3, .count = ENDPOINTS, .version = version};
    for (unsigned i = 0; i < ENDPOINTS; i++)
        r.list[i] = (struct endpoint){.port = (uint16_t)(1 + (i + version) % ENDPOINTS),
                                      .flags = ENDPOINT_READY};
    while (!endpoint_table_put(table, &r.head, clock_us, &fault))
        endpoint_table_reap(table);
    endpoint_table_reap(table);
}

TEST(workers_that_eject_at_the_same_time_keep_to_the_bounds)
{
    pthread_t threads[READERS];
    is_over = false;
    n_wrong = 0;
    clock_us = 1000000;
    rcu = rcu_new(READERS);
    table = endpoint_table_new(rcu);
    for (unsigned i = 0; i < READERS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, noter, (void *)(uintptr_t)i) == 0);
    for (unsigned i = 1; i <= UPDATES || __atomic_load_n(&n_ejected, __ATOMIC_RELAXED) < 100; i++) {
        __atomic_fetch_add(&clock_us, 1000, __ATOMIC_RELAXED);
        if (i % 4 == 0)
            put_again(i);
    }
    __atomic_store_n(&is_over, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    CHECK_EQ(n_wrong, 0);
    CHECK(n_ejected >= 100);
    endpoint_table_free(table);
    rcu_free(rcu);
}

UNIT_MAIN("threads", T(readers_never_see_memory_that_was_given_back),
          T(workers_that_eject_at_the_same_time_keep_to_the_bounds))
