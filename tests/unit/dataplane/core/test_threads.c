/* SPDX-License-Identifier: Apache-2.0 */
/* Publication with real threads: readers poll as workers do while housekeeping publishes as fast as
 * it can. What was given back is filled with a mark, so that a reader that still looks sees it. */
#include "compile/image_builder.h"
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

UNIT_MAIN("threads", T(readers_never_see_memory_that_was_given_back))
