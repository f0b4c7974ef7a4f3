/* SPDX-License-Identifier: Apache-2.0 */
/* A housekeeping core in a directory of its own, with workers that are only reports, and the
 * manager's end of its socket. */
#pragma once

#include "abi/control.h"
#include "abi/endpoints.h"
#include "core/endpoint_table.h"
#include "core/generation.h"
#include "core/rcu.h"
#include "housekeeping.h"
#include "obs/hub.h"
#include "obs/obs.h"
#include "telemetry.h"

enum { HOUSE_WORKERS = 2, HOUSE_PORTS = 2 };

struct house {
    char dir[64];
    struct telemetry *telemetry;
    struct rcu *rcu;
    struct endpoint_table *endpoints;
    struct obs_hub *obs;
    struct obs eyes[HOUSE_WORKERS];    /* of the workers */
    struct housekeeping_access access; /* none, unless the test sets it before the start */
    const struct port_setup *ports;    /* likewise, as the next two */
    struct links *links;
    bool (*has_carrier)(const char *iface);
    struct housekeeping *h; /* NULL: it did not start, and `fault` says why */
    struct housekeeping_fault fault;
};

/* An answer. */
struct reply {
    struct control_msg msg;
    union {
        struct control_welcome welcome;
        struct control_result result;
        struct control_generation generation;
        struct control_observed observed;
        uint8_t bytes[CONTROL_MSG_BYTES_MAX];
    } body;
    int fd; /* -1: none came */
};

/* Makes an empty directory; house_start() may be called many times on it, with house_stop(). */
void house_make(struct house *house);
void house_start(struct house *house);
void house_stop(struct house *house);
void house_remove(struct house *house);

/* A path below the directory; valid until the next call. */
const char *house_path(const struct house *house, const char *name);

/* Housekeeping's counter. */
uint64_t house_stat(const struct house *house, enum stat_id id);

/* Lets every worker serve the current image. */
void house_workers_follow(struct house *house);

/* The manager's end: a connection; a message; an answer (false: nothing, or disconnected). Sending
 * and receiving poll housekeeping. */
int house_connect(struct house *house);
void house_send(struct house *house, int s, enum control_type type, uint64_t id, const void *body,
                uint32_t length, int fd);
bool house_receive(struct house *house, int s, struct reply *ret);
/* Has housekeeping closed the connection? */
bool house_is_closed(struct house *house, int s);

/* HELLO as manager, answered. Returns the connection. */
int house_manager(struct house *house);

/* A sealed memfd with these bytes. */
int house_memfd(const void *data, size_t length, int seals);

/* An image of `generation` with an interface on `port`; free() it. */
void *house_image(uint64_t generation, uint16_t port, size_t *ret_length);

/* Sends an image and gives the RESULT's fault, or -1 if none came. */
int house_publish(struct house *house, int s, uint64_t generation);

/* Fills a record of one endpoint with that port. */
const struct endpoint_record *house_record(uint32_t group, uint64_t version, uint16_t port);

/* Sends it and gives the RESULT's fault, or -1. */
int house_endpoints(struct house *house, int s, const struct endpoint_record *record);
