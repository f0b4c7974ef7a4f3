/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keepalived's configuration, as text: an instance of VRRP version 3 for each family of a virtual
 * router. Pure. keepalived tells the dataplane who is master by the FIFO; the VIPs themselves are
 * the dataplane's and stay out.
 */
#pragma once

#include "base/ip_addr.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct keepalived_router {
    const char *link; /* of the kernel's */
    uint32_t id;
    uint32_t priority;
    uint32_t advert_ms;
    bool is_preempting;
    uint32_t n_addresses;
    struct ip_addr addresses[2]; /* what the advertisements say; one of a family */
};

/* Writes it. `fifo`: the dataplane's. */
void keepalived_config_write(const struct keepalived_router *routers, uint32_t n, const char *fifo,
                             FILE *to);
