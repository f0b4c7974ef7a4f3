/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by housekeeping*.c. Owner, thread: housekeeping. */
#pragma once

#include "control_server.h"
#include "core/endpoint_table.h"
#include "core/generation.h"
#include "endpoint_log.h"
#include "housekeeping.h"
#include "image_intake.h"
#include "state_file.h"

/* mgmtd keeps its own files in the state directory. */
#define STATE_DIR_NAME "dataplane"
#define IMAGE_FILE_NAME "image"

/* How long appended endpoints may wait for the disk. */
#define STATE_SYNC_MS_MAX 1000u

/* How long one endpoint record may wait for a worker: 100 ms is 200 rounds of a sleepy one. */
#define ENDPOINT_WAIT_US 100u
#define ENDPOINT_WAITS_MAX 1000u

/* How often the workers' reports are looked at while somebody waits for them. */
#define FOLLOW_MS 1

/* A generation and what is in it. */
struct generation_mark {
    uint64_t generation; /* 0: none */
    uint64_t content_checksum;
};

struct housekeeping {
    unsigned workers;
    unsigned n_ports;
    char port_names[CONTROL_PORTS_MAX][CONTROL_PORT_NAME_BYTES];
    struct endpoint_table *endpoints;
    struct stats_worker *stats;
    struct rte_mempool *mbufs; /* NULL: none */
    int telemetry_fd;
    struct generation_set *generations;
    struct state_dir *state;
    struct endpoint_log *log;
    struct control_server *server;
    struct generation_mark served;    /* that every worker serves, and that the manager was told */
    struct generation_mark published; /* the newest that workers can see */
    uint64_t newest_generation;       /* accepted, published or waiting */
    struct image_map waiting;         /* accepted, but GENERATIONS_MAX are alive; data NULL: none */
    uint64_t synced_ms;               /* when appended endpoints were last brought to the disk */
};

/* Writes a line for the operator to stderr, where the service manager keeps it. */
void housekeeping_report(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Counts in housekeeping's own block. */
void housekeeping_count(struct housekeeping *h, enum stat_id id);

/* Makes an accepted image current, now or as soon as a place is free; it belongs to housekeeping.
 * One that still waits is superseded. */
void housekeeping_publish(struct housekeeping *h, const struct image_map *image);

/* Publishes the image that the last process left, if it is good. Before the workers start. */
void housekeeping_load_image(struct housekeeping *h);

/* Counts and reports what was found in the endpoint log. */
void housekeeping_note_log(struct housekeeping *h, const struct endpoint_log_found *found);

/* Frees old images, publishes one that waits, and tells the manager when all workers have moved. */
void housekeeping_follow(struct housekeeping *h);

/* Sets the gauges that workers do not keep: images, holds on them, mbufs. */
void housekeeping_set_gauges(struct housekeeping *h);

/* Brings endpoints to the disk when it is time. */
void housekeeping_sync(struct housekeeping *h);

/* `wanted_ms`, or less while workers are on their way to a new image. */
int housekeeping_timeout_ms(const struct housekeeping *h, int wanted_ms);

/* Sleeps. */
void housekeeping_wait_us(unsigned us);
