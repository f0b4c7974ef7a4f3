/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a proxy's memory grows by for one more client connection: what it takes while it is idle,
 * and what comes with it for those that are not (requests under way, backend connections, head
 * buffers, rate limits), as proxy_config_default() has it. Measured from outside: resident memory
 * of proxy_new() for two sizes. Prints `name value` lines; the target is checked. TCP's own share
 * is ../tcp/flow_memory.c's. And what an idle WebSocket has of the pools; what HTTP/2's library
 * has for it besides, ../websocket_numbers.py measures.
 */
#include "http2/h2_priv.h"
#include "proxy/proxy_priv.h"
#include "proxy_world.h"
#include "unit.h"
#include "upstream/upstream_priv.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define IDLE_CONN_BYTES_MAX 1024
#define WEBSOCKET_BYTES_MAX 4096
#define STEP_CONNS (1u << 17) /* memory comes in pages of up to 2 MiB: many, small error */
#define SMALL_CONNS 1024u     /* of a small worker, whose share of all is not cut short */

static struct world w;

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    REQUIRE(f != NULL && fscanf(f, "%*u %lu", &pages) == 1);
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Resident bytes of a proxy with so many connections and all else for `busy` of them. */
static uint64_t bytes_of(uint32_t conns, uint32_t busy)
{
    struct proxy_config config;
    proxy_config_default(&config, busy);
    config.conns_max = conns;
    uint64_t before = resident_bytes();
    world_init(&w, &config);
    uint64_t bytes = resident_bytes() - before;
    world_done(&w);
    return bytes;
}

TEST(an_idle_connection_takes_at_most_a_kilobyte_beside_its_flow)
{
    double each =
        (double)(bytes_of(2 * STEP_CONNS, SMALL_CONNS) - bytes_of(STEP_CONNS, SMALL_CONNS)) /
        STEP_CONNS;
    printf("idle_connection_bytes %.1f\n", each);
    CHECK(each <= IDLE_CONN_BYTES_MAX);
}

/* All that there is for those that are busy, over all connections. */
TEST(what_is_there_for_busy_ones_is_told)
{
    static const uint32_t sizes[] = {1024, 10000, 100000};
    for (unsigned i = 0; i < 3; i++)
        printf("share_bytes %u %.1f\n", sizes[i], (double)bytes_of(sizes[i], sizes[i]) / sizes[i]);
}

TEST(what_an_idle_websocket_has_of_the_pools_is_told)
{
    size_t each =
        sizeof(struct proxy_conn) + sizeof(struct exchange) + sizeof(struct upstream_conn);
    printf("websocket_records_bytes %zu %zu\n", each, each + sizeof(struct h2_stream));
    CHECK(each + sizeof(struct h2_stream) <= WEBSOCKET_BYTES_MAX);
}

UNIT_MAIN("bench/http/conn_memory", T(an_idle_connection_takes_at_most_a_kilobyte_beside_its_flow),
          T(what_is_there_for_busy_ones_is_told),
          T(what_an_idle_websocket_has_of_the_pools_is_told))
