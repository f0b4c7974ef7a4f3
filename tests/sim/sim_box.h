/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The appliance of a run: workers, generations, endpoints; and what housekeeping and mgmtd do in
 * its life: new images and new endpoints at times that the seed decides. Owner: the simulator.
 */
#pragma once

#include "abi/stats.h"
#include "base/rng.h"
#include "sim_crypto.h"
#include "sim_plan.h"
#include "sim_watch.h"

#include <stdbool.h>
#include <stdint.h>

struct keyring;
struct sim;
struct tls_tickets;
struct worker;

/* Places for what routes had, of a worker: fewer than there are routes. */
#define SIM_BOX_ROUTES 3u

struct sim_box {
    struct sim *sim;
    struct rng rng; /* of changes */
    struct port_hub *hub;
    struct generation_set *generations;
    struct endpoint_table *endpoints;
    struct rcu *rcu;
    unsigned n_workers;
    struct worker *workers[SIM_WORKERS_MAX];
    struct stats_worker *stats; /* of each worker */
    struct stats_route *routes; /* SIM_BOX_ROUTES of each */
    struct sim_watch watch;
    struct sim_crypto crypto;
    struct tls_tickets *tickets;
    struct keyring *ring;
    unsigned n_shown;                        /* certificates of the image that is being built, */
    uint8_t shown[SIM_SHOWN_MAX];            /* enum sim_cert, in its order */
    uint64_t busy_until_us[SIM_WORKERS_MAX]; /* by a step of a handshake */
    bool is_awake;
    bool is_settled; /* no more changes, but for the one that ends health checks */
    uint64_t generation;
    bool has_vip6; /* the current image has */
    uint64_t versions[SIM_GROUP_END];
    uint32_t images_left; /* changes that are still to come */
    uint32_t endpoints_left;
    uint64_t next_image_us; /* UINT64_MAX: none */
    uint64_t next_endpoints_us;
};

/* Makes the appliance and gives it its first image and endpoints. */
void sim_box_new(struct sim_box *b, struct sim *sim);

/* One round of each worker, and of housekeeping. Returns true if anything was done. */
bool sim_box_poll(struct sim_box *b, uint64_t now_us);

/* When its next timer or change may be due. */
uint64_t sim_box_next_us(const struct sim_box *b);

/* No more changes. */
void sim_box_settle(struct sim_box *b);

/* Has all ended that ends by itself: connections, exchanges, TIME_WAIT records and the like? */
bool sim_box_is_empty(const struct sim_box *b);

/* A counter over all workers. */
uint64_t sim_box_stat(const struct sim_box *b, enum stat_id id);

/* The invariants of an appliance without connections; what is broken becomes the run's failure. */
void sim_box_check(struct sim_box *b);

/* All counters that are not 0. */
void sim_box_dump(const struct sim_box *b);

/* Ends it. Every packet and all memory is given back. */
void sim_box_free(struct sim_box *b);
