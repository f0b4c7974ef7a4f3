/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-controller's command line, and the file that names several appliances. Owner: main().
 * Thread: one. */
#pragma once

#include "controller/mirror.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_CONTROLLER_NAME "sluice.internal/gateway-controller"
#define OPTIONS_LISTEN "[::]:8080"
#define OPTIONS_LEASE_NAME "sluice-controller"

struct options {
    struct kube_access cluster; /* owned */
    const char *cluster_name;   /* NULL: names are not prefixed */
    const char *controller_name;
    struct mirror_appliance appliances[MIRROR_APPLIANCES_MAX];
    struct kube_access accesses[MIRROR_APPLIANCES_MAX]; /* owned; of the appliances */
    char *names[MIRROR_APPLIANCES_MAX];                 /* owned */
    size_t n_appliances;
    struct source_hold hold;
    unsigned idle_ms_max; /* of watches */
    bool has_mesh;
    bool watches_named; /* Secrets and ConfigMaps, one by one */
    bool has_lease;
    const char *lease_namespace; /* NULL: that of the kubeconfig's context or of the pod */
    const char *lease_name;
    const char *identity; /* NULL: made up */
    const char *listen;   /* metrics and health; "none": not served */
};

/* Reads it, with the files that it names. 0; 1: help was asked for and printed; -EINVAL: something
 * is wrong, and stderr says what. options_free() in any case. */
int options_parse(int argc, char **argv, struct options *ret);

/* Frees what was read; secrets are wiped. */
void options_free(struct options *o);
