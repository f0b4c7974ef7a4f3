/* SPDX-License-Identifier: Apache-2.0 */
/* The telemetry segment as others see it. Owner: the reader; thread: any one at a time. */
#include "abi/stats_read.h"

#include "base/assert.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Looks at longest rounds, or at a route, until one is not disturbed: a worker writes them for some
 * ns, seldom. */
#define TRIES_MAX 1000u

/* Do `count` entries of `size` bytes at `offset` lie within the segment? */
static bool is_inside(size_t length, uint32_t offset, uint32_t count, uint32_t size)
{
    return offset % 8 == 0 && offset <= length && (uint64_t)count * size <= length - offset;
}

/* Do the routes of all workers lie within the segment, if there are any? */
static bool has_routes(const struct stats_header *h, size_t length)
{
    if (h->routes_offset == 0)
        return true;
    return h->n_workers >= 1 && h->routes_offset % 64 == 0 && h->routes_offset <= length &&
           (h->route_bytes == 0 || (uint64_t)(h->n_workers - 1) * h->routes_per_worker <=
                                       (length - h->routes_offset) / h->route_bytes);
}

static bool is_ours(const struct stats_header *h, size_t length)
{
    return h->magic == STATS_MAGIC && h->version == STATS_VERSION &&
           h->names_offset >= sizeof(*h) && h->worker_stride % 8 == 0 &&
           is_inside(h->workers_offset, h->names_offset, h->n_counters, STATS_NAME_BYTES) &&
           is_inside(length, h->workers_offset, h->n_workers, h->worker_stride) &&
           (uint64_t)h->n_counters * sizeof(uint64_t) <= h->worker_stride &&
           is_inside(h->worker_stride, h->rounds_offset, h->rounds_bytes, 1) &&
           has_routes(h, length);
}

static bool names_end(const struct stats_map *map)
{
    const uint8_t *names = map->base + map->header.names_offset;
    for (uint32_t i = 0; i < map->header.n_counters; i++) {
        if (memchr(names + (size_t)i * STATS_NAME_BYTES, '\0', STATS_NAME_BYTES) == NULL)
            return false;
    }
    return true;
}

int stats_map_open(int fd, struct stats_map *ret)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (st.st_size < (off_t)sizeof(struct stats_header))
        return -EINVAL;
    struct stats_map map = {.length = (size_t)st.st_size};
    void *base = mmap(NULL, map.length, PROT_READ, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    map.base = base;
    memcpy(&map.header, base, sizeof(map.header));
    if (!is_ours(&map.header, map.length) || !names_end(&map)) {
        munmap(base, map.length);
        return -EINVAL;
    }
    *ret = map;
    return 0;
}

void stats_map_close(struct stats_map *map)
{
    union {
        const uint8_t *from;
        void *to;
    } base = {.from = map->base};
    munmap(base.to, map->length);
    map->base = NULL;
}

const char *stats_map_name(const struct stats_map *map, uint32_t i)
{
    ASSERT(i < map->header.n_counters);
    return (const char *)map->base + map->header.names_offset + (size_t)i * STATS_NAME_BYTES;
}

static const uint8_t *block_of(const struct stats_map *map, uint32_t worker)
{
    return map->base + map->header.workers_offset + (size_t)worker * map->header.worker_stride;
}

uint64_t stats_map_value(const struct stats_map *map, uint32_t worker, uint32_t i)
{
    ASSERT(worker < map->header.n_workers && i < map->header.n_counters);
    const volatile uint64_t *counters =
        (const volatile uint64_t *)(const void *)block_of(map, worker);
    return counters[i];
}

uint64_t stats_map_sum(const struct stats_map *map, uint32_t i)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < map->header.n_workers; w++)
        sum += stats_map_value(map, w, i);
    return sum;
}

bool stats_map_rounds(const struct stats_map *map, uint32_t worker, struct stats_rounds *ret)
{
    ASSERT(worker < map->header.n_workers);
    if (map->header.rounds_offset == 0 || map->header.rounds_bytes != sizeof(*ret) ||
        worker + 1 == map->header.n_workers)
        return false;
    const struct stats_rounds *rounds =
        (const struct stats_rounds *)(const void *)(block_of(map, worker) +
                                                    map->header.rounds_offset);
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t before = __atomic_load_n(&rounds->version, __ATOMIC_ACQUIRE);
        memcpy(ret, rounds, sizeof(*ret));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (before % 2 == 0 && __atomic_load_n(&rounds->version, __ATOMIC_RELAXED) == before)
            return true;
    }
    return false;
}

uint32_t stats_map_routes(const struct stats_map *map)
{
    bool is_ours =
        map->header.routes_offset != 0 && map->header.route_bytes == sizeof(struct stats_route);
    return is_ours ? map->header.routes_per_worker : 0;
}

bool stats_map_route(const struct stats_map *map, uint32_t worker, uint32_t i,
                     struct stats_route *ret)
{
    ASSERT(worker + 1 < map->header.n_workers && i < stats_map_routes(map));
    const struct stats_route *routes =
        (const struct stats_route *)(const void *)(map->base + map->header.routes_offset);
    const struct stats_route *at = &routes[(size_t)worker * map->header.routes_per_worker + i];
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t before = __atomic_load_n(&at->version, __ATOMIC_ACQUIRE);
        if (before == 0)
            return false;
        memcpy(ret, at, sizeof(*ret));
        ret->name[STATS_ROUTE_NAME_BYTES - 1] = '\0';
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (before % 2 == 0 && __atomic_load_n(&at->version, __ATOMIC_RELAXED) == before)
            return true;
    }
    return false;
}
