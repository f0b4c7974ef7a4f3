/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Visitors of listeners where TLS ends: each opens a connection, and is turned away, cut off or
 * gone before it asks anything. By what the appliance says of handshakes each must be found in the
 * one counter that it belongs to (sim_check.c).
 */
#pragma once

#include "base/wheel.h"
#include "sim_plan.h"
#include "sim_tls.h"

struct sim;

struct sim_visit {
    struct sim *sim;
    const struct sim_visit_plan *plan;
    struct sim_host *host;
    struct wheel_timer timer; /* its begin */
    struct stream *stream;    /* NULL: not open */
    bool is_over;
};

/* Makes the visitor ready to start at its time. */
void sim_visit_init(struct sim_visit *v, struct sim *sim, const struct sim_visit_plan *plan);

/* Ends one that is still there when the run gives up. */
void sim_visit_stop(struct sim_visit *v);
