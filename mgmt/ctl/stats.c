/* SPDX-License-Identifier: Apache-2.0 */
/* stats: asks the dataplane itself for its telemetry segment and prints it. Owner: sluicectl;
 * thread: one. */
#include "abi/stats_read.h"
#include "ctl/ctl.h"
#include "publish/control_io.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STATS_WAIT_MS 2000

/* The telemetry descriptor of the dataplane behind `socket`, or a negative errno. */
static int ask_telemetry(int socket, struct control_received *answer)
{
    struct control_hello hello = {.role = CONTROL_OBSERVER, .pid = (uint32_t)getpid()};
    struct pollfd wait = {.fd = socket, .events = POLLIN};
    int result = control_send(socket, CONTROL_HELLO, 1, &hello, sizeof(hello), -1);
    if (result != 0)
        return result;
    if (poll(&wait, 1, STATS_WAIT_MS) != 1)
        return -ETIMEDOUT;
    result = control_receive(socket, answer);
    if (result != 0)
        return result;
    return answer->msg.type == CONTROL_WELCOME && answer->fd >= 0 ? answer->fd : -EPROTO;
}

static void print_histogram(uint32_t worker, const char *kind, const struct stats_histogram *h)
{
    for (unsigned i = 0; i < STATS_ROUND_BUCKETS; i++) {
        if (h->buckets[i] == 0)
            continue;
        if (i + 1 < STATS_ROUND_BUCKETS)
            printf("worker%" PRIu32 ".round_%s_ns_to_%" PRIu64 " %" PRIu64 "\n", worker, kind,
                   stats_round_bound_ns(i), h->buckets[i]);
        else
            printf("worker%" PRIu32 ".round_%s_ns_beyond %" PRIu64 "\n", worker, kind,
                   h->buckets[i]);
    }
}

static void print_longest(uint32_t worker, const char *of, const struct stats_longest *longest)
{
    printf("worker%" PRIu32 ".round_longest_%s_ns %" PRIu64 "\n", worker, of, longest->ns);
    for (unsigned i = 0; i < STATS_ROUND_PARTS && longest->ns > 0; i++)
        printf("worker%" PRIu32 ".round_longest_%s_%s %" PRIu64 "\n", worker, of,
               stats_round_part_name((enum stats_round_part)i), longest->done[i]);
}

/* How long the rounds of a worker took: only what there was. */
static void print_rounds(const struct stats_map *map, uint32_t worker)
{
    struct stats_rounds rounds;
    if (!stats_map_rounds(map, worker, &rounds))
        return;
    print_histogram(worker, "busy", &rounds.busy);
    print_histogram(worker, "idle", &rounds.idle);
    for (unsigned i = 0; i < STATS_LONGEST_COUNT; i++)
        print_longest(worker, stats_longest_name((enum stats_longest_of)i), &rounds.longest[i]);
}

static void print_all(const struct stats_map *map)
{
    for (uint32_t i = 0; i < map->header.n_counters; i++)
        printf("%s %" PRIu64 "\n", stats_map_name(map, i), stats_map_sum(map, i));
    for (uint32_t w = 0; w < map->header.n_workers; w++) {
        for (uint32_t i = 0; i < map->header.n_counters; i++)
            printf("worker%" PRIu32 ".%s %" PRIu64 "\n", w, stats_map_name(map, i),
                   stats_map_value(map, w, i));
        print_rounds(map, w);
    }
}

enum ctl_exit ctl_stats(const struct ctl_options *o)
{
    struct stats_map map;
    struct control_received *answer = malloc(sizeof(*answer));
    int socket = answer != NULL ? control_connect(o->run_dir) : -ENOMEM;
    int result = socket < 0 ? socket : ask_telemetry(socket, answer);
    if (result >= 0) {
        int telemetry = result;
        result = stats_map_open(telemetry, &map);
        close(telemetry);
    }
    if (socket >= 0)
        close(socket);
    free(answer);
    if (result != 0) {
        fprintf(stderr, "sluicectl: no telemetry from %s/" CONTROL_SOCKET_NAME ": %s\n", o->run_dir,
                strerror(-result));
        return CTL_FAILED;
    }
    print_all(&map);
    stats_map_close(&map);
    return CTL_DONE;
}
