/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From objects to traffic and back to status: the one place where the store, attach, compile and
 * publish meet.
 *
 *   store commit -> run in the next round of the loop (many commits, one run):
 *     attach_run, or attach_update() if only routes and ListenerSets changed (reconcile/touched.h)
 *                -> endpoint records that changed -> image, published if its content changed
 *                -> statuses that differ, behind what goes to the dataplane; those of routes and
 *                   policies when every worker serves what they speak of
 *   commit of EndpointSlices and Nodes alone -> endpoint records that changed, at once, no run
 *   DNS says another thing -> the same, and the statuses of Backends
 *   GENERATION   -> statuses of Gateways and ListenerSets again: Programmed becomes True for those
 *                   of this image; if it is the latest, those of routes and policies, too
 *
 * After a start the first run waits for the dataplane's WELCOME (at most RECONCILE_START_WAIT_US),
 * so that a restart of mgmtd beside a serving dataplane neither publishes what is served already
 * nor takes Programmed away for a moment.
 *
 * What fails or is refused is said on stderr, counted, and tried again (reconcile/pace.h); what
 * serves goes on serving.
 *
 * Owner: the daemon. Thread: the loop's. Bound: RECONCILE_UNACKNOWLEDGED_MAX images on their way.
 */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

#define RECONCILE_START_WAIT_US 2000000u
#define RECONCILE_SLICES_MAX 64u /* EndpointSlices and Nodes in one commit that go without a run */
#define RECONCILE_NOTES_MAX 64u  /* sentences about what an image leaves out that one run logs */

struct loop;
struct reconcile;
struct resolve;
struct stats_map;
struct store;

struct reconcile_config {
    struct loop *loop;
    struct store *store;
    const char *run_dir;          /* where the dataplane's socket is */
    const char *controller_name;  /* NULL: the default one */
    struct slice system_cas;      /* well-known CA certificates, PEM; stay. Empty: none */
    struct resolve *resolve;      /* outlives it; NULL: names of Backends are not asked for */
    const uint8_t *ticket_secret; /* of TLS sessions, see reconcile/keys.h; stays. NULL: none */
};

/* What an operator wants to know at a glance. */
struct reconcile_state {
    bool is_connected;             /* to a dataplane */
    uint64_t generation_published; /* the latest; 0: none */
    uint64_t generation_served;    /* by every worker */
    uint64_t runs;
    uint64_t images_refused; /* by the dataplane: a bug of ours */
    uint64_t failures;       /* of runs, and what was refused: each was tried again */
    uint64_t left_out;       /* things that the latest image has no room or no means for */
    uint64_t image_bytes;    /* of the latest image */
    uint64_t run_us_last;    /* how long the last run took */
};

/* Makes it and begins. -ENOMEM or as publish_new(). */
int reconcile_new(const struct reconcile_config *config, struct reconcile **ret);

/* Ends; the dataplane serves on. NULL is fine. */
void reconcile_free(struct reconcile *r);

/* The state now. */
void reconcile_state(const struct reconcile *r, struct reconcile_state *ret);

/* The dataplane's telemetry, borrowed until the loop goes on; NULL: there is no dataplane, or its
 * telemetry is of another release. */
const struct stats_map *reconcile_telemetry(const struct reconcile *r);

/* The image of the latest run, borrowed until the loop goes on; NULL: there was none yet. For
 * explain. */
const void *reconcile_image(const struct reconcile *r);
