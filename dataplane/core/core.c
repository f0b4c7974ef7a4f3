/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's memory while it is being made: from DPDK's heap where hugepages are (fewer TLB
 * misses), else from the C library. Thread: whoever makes or ends the worker, never the loop.
 */
#include "core/core.h"

#include "base/assert.h"

#include <rte_eal.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In front of each block, a cache line of its own so that the block is aligned. */
struct memory_block {
    _Alignas(64) struct list_node link;
    bool is_huge;
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
        .rng = {.state = config->rng_seed},
        .hash_key = config->hash_key,
        .cycles = config->cycles,
    };
    list_init(&c->memory);
    wheel_init(&c->wheel, config->now_us);
}

/* A zeroed block from the best place there is; NULL: none anywhere. */
static struct memory_block *block_new(size_t bytes, int socket)
{
    struct memory_block *block = NULL;
    bool is_huge = rte_eal_has_hugepages() != 0;
    if (is_huge)
        block = rte_zmalloc_socket("core", bytes, 64, socket);
    if (block == NULL) {
        is_huge = false;
        block = aligned_alloc(64, bytes);
        if (block == NULL)
            return NULL;
        memset(block, 0, bytes);
    }
    block->is_huge = is_huge;
    return block;
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
    while ((node = list_take_front(&c->memory)) != NULL) {
        struct memory_block *block = container_of(node, struct memory_block, link);
        if (block->is_huge)
            rte_free(block);
        else
            free(block);
    }
}
