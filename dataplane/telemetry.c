/* SPDX-License-Identifier: Apache-2.0 */
/* Lays the segment out and seals it, so that a reader's mapping can be neither cut nor written. */
#include "telemetry.h"

#include "base/assert.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct telemetry {
    unsigned n_blocks;
    uint32_t routes; /* of each worker */
    size_t length;
    size_t routes_offset;
    uint8_t *base;
    struct stats_worker *blocks;
    int fd;
};

static size_t round_up(size_t n)
{
    return (n + 63) & ~(size_t)63;
}

static void lay_out(struct telemetry *t)
{
    size_t names = sizeof(struct stats_header);
    size_t blocks = round_up(names + STAT_COUNT * sizeof(struct stats_name));
    t->routes_offset = blocks + t->n_blocks * sizeof(struct stats_worker);
    t->length =
        t->routes_offset + (size_t)(t->n_blocks - 1) * t->routes * sizeof(struct stats_route);
}

/* Header and names; the counters are zero already. */
static void write_names(struct telemetry *t)
{
    struct stats_header *header = (struct stats_header *)t->base;
    struct stats_name *names = (struct stats_name *)(t->base + sizeof(*header));
    size_t blocks = round_up(sizeof(*header) + STAT_COUNT * sizeof(*names));
    for (unsigned i = 0; i < STAT_COUNT; i++) {
        ASSERT(strlen(stat_name((enum stat_id)i)) < STATS_NAME_BYTES);
        snprintf(names[i].name, STATS_NAME_BYTES, "%s", stat_name((enum stat_id)i));
    }
    *header = (struct stats_header){
        .magic = STATS_MAGIC,
        .version = STATS_VERSION,
        .n_counters = STAT_COUNT,
        .n_workers = t->n_blocks,
        .names_offset = sizeof(*header),
        .workers_offset = (uint32_t)blocks,
        .worker_stride = sizeof(struct stats_worker),
        .rounds_offset = offsetof(struct stats_worker, rounds),
        .rounds_bytes = sizeof(struct stats_rounds),
        .routes_offset = (uint32_t)t->routes_offset,
        .routes_per_worker = t->routes,
        .route_bytes = sizeof(struct stats_route),
    };
    t->blocks = (struct stats_worker *)(t->base + blocks);
}

/* Maps a new memfd and gives the read-only descriptor; -1: the kernel refuses. */
static int map_sealed(struct telemetry *t)
{
    char path[32];
    int fd = memfd_create("sluice-telemetry", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    /* Its pages are there from the start: a worker waits for none, and dies of none that lacks. */
    if (ftruncate(fd, (off_t)t->length) == 0 && fallocate(fd, 0, 0, (off_t)t->length) == 0)
        t->base = mmap(NULL, t->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    /* Writing ends for everybody but the mapping that is there. */
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int read_only = open(path, O_RDONLY | O_CLOEXEC);
    close(fd);
    return read_only;
}

struct telemetry *telemetry_new(unsigned workers, uint32_t routes)
{
    struct telemetry *t = calloc(1, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->n_blocks = workers + 1;
    t->routes = routes;
    t->base = MAP_FAILED;
    lay_out(t);
    t->fd = map_sealed(t);
    if (t->fd < 0 || t->base == MAP_FAILED) {
        telemetry_free(t);
        return NULL;
    }
    write_names(t);
    return t;
}

void telemetry_free(struct telemetry *t)
{
    if (t == NULL)
        return;
    if (t->base != MAP_FAILED)
        munmap(t->base, t->length);
    if (t->fd >= 0)
        close(t->fd);
    free(t);
}

struct stats_worker *telemetry_block(struct telemetry *t, unsigned worker)
{
    ASSERT(worker < t->n_blocks);
    return &t->blocks[worker];
}

struct stats_route *telemetry_routes(struct telemetry *t, unsigned worker)
{
    ASSERT(worker + 1 < t->n_blocks);
    struct stats_route *routes = (struct stats_route *)(void *)(t->base + t->routes_offset);
    return &routes[(size_t)worker * t->routes];
}

int telemetry_fd(const struct telemetry *t)
{
    return t->fd;
}
