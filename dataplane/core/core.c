/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's memory while it is being made: from DPDK's heap where hugepages are (fewer TLB
 * misses), else large blocks from pages.h and small ones from the C library. Thread: whoever makes
 * or ends the worker, never the loop.
 */
#include "core/core.h"

#include "base/assert.h"
#include "core/pages.h"
#include "core/route_stats.h"
#include "obs/hub.h"

#include <rte_eal.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum memory_home { MEMORY_DPDK, MEMORY_PAGES, MEMORY_LIBC };

/* In front of each block, a cache line of its own so that the block is aligned. */
struct memory_block {
    _Alignas(64) struct list_node link;
    size_t bytes; /* with this */
    enum memory_home home;
};

static_assert(sizeof(struct memory_block) == 64, "blocks stay aligned to cache lines");

void core_init(struct core *c, const struct core_config *config)
{
    ASSERT(config->workers >= 1 && config->workers <= WORKERS_MAX);
    ASSERT(config->worker < config->workers);
    ASSERT(config->stats != NULL);
    *c = (struct core){
        .now_us = config->now_us,
        .worker = config->worker,
        .workers = config->workers,
        .socket = config->socket,
        .mbufs = config->mbufs,
        .stats = config->stats,
        .routes = config->routes,
        .n_routes = config->n_routes,
        .rng = {.state = config->rng_seed},
        .hash_key = config->hash_key,
        .cycles = config->cycles,
        .masters = config->masters,
        .links = config->links,
        .census = config->census,
    };
    if (config->obs != NULL)
        obs_join(config->obs, config->worker, &c->obs);
    list_init(&c->memory);
    wheel_init(&c->wheel, config->now_us);
    route_stats_init(c);
}

/* With the address sanitizer all come from the C library, so that it sees where each ends. */
#ifdef __SANITIZE_ADDRESS__
#define LARGE_BYTES SIZE_MAX
#else
#define LARGE_BYTES PAGES_HUGE_BYTES
#endif

static enum memory_home home_of(size_t bytes)
{
    if (rte_eal_has_hugepages())
        return MEMORY_DPDK;
    return bytes >= LARGE_BYTES ? MEMORY_PAGES : MEMORY_LIBC;
}

/* A zeroed block from the best place there is; NULL: none anywhere. The loop shall not meet a page
 * for the first time, so all are touched here. */
static struct memory_block *block_new(size_t bytes, int socket)
{
    enum memory_home home = home_of(bytes);
    struct memory_block *block = NULL;
    if (home == MEMORY_DPDK)
        block = rte_zmalloc_socket("core", bytes, 64, socket);
    if (home == MEMORY_PAGES)
        block = pages_map(bytes);
    if (block == NULL) {
        home = MEMORY_LIBC;
        block = aligned_alloc(64, bytes);
    }
    if (block == NULL)
        return NULL;
    if (home != MEMORY_DPDK)
        memset(block, 0, bytes);
    block->bytes = bytes;
    block->home = home;
    return block;
}

static void block_free(struct memory_block *block)
{
    switch (block->home) {
    case MEMORY_DPDK:
        rte_free(block);
        break;
    case MEMORY_PAGES:
        pages_unmap(block, block->bytes);
        break;
    case MEMORY_LIBC:
        free(block);
        break;
    }
}

void *core_memory(struct core *c, size_t bytes, const char *what)
{
    ASSERT(c->memory.next != NULL); /* core_init() was here */
    struct memory_block *block = NULL;
    if (bytes <= SIZE_MAX / 2)
        block = block_new(sizeof(*block) + ((bytes + 63) & ~(size_t)63), c->socket);
    if (block == NULL) {
        fprintf(stderr, "worker %u: no memory for %s (%zu bytes)\n", c->worker, what, bytes);
        exit(CORE_EXIT_NO_MEMORY);
    }
    list_push_back(&c->memory, &block->link);
    return block + 1;
}

void core_done(struct core *c)
{
    struct list_node *node;
    while ((node = list_take_front(&c->memory)) != NULL)
        block_free(container_of(node, struct memory_block, link));
}
