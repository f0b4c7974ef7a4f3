/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of mirror: what is to be, as a list, and the kernel's calls for one entry. */
#pragma once

#include "base/ip_addr.h"
#include "mirror/mirror.h"

#include <net/if.h>
#include <stdint.h>

struct mnl_socket;

/* In the order in which the kernel can take them. */
enum mirror_kind {
    MIRROR_LINK, /* the TAP itself, or a VLAN on it */
    MIRROR_ADDRESS,
    MIRROR_ROUTE,
};

/* One thing that the kernel has; all bytes count when two are compared. */
struct mirror_item {
    char link[IFNAMSIZ]; /* "p0", "p0.7" */
    char tap[IFNAMSIZ];
    struct ip_addr addr; /* ADDRESS; ROUTE: the prefix */
    struct ip_addr gateway;
    uint32_t metric; /* of several routes to a prefix the first of the image is the least */
    uint16_t vlan;
    uint16_t mtu; /* 0: the port's */
    uint8_t kind; /* enum mirror_kind */
    uint8_t prefix_len;
    uint8_t unused[2];
};

/* Makes it, or leaves it as it is. Negative errno. */
int mirror_kernel_put(struct mnl_socket *socket, const struct mirror_item *item);

/* Takes it away. One that is not there is fine. Negative errno. */
int mirror_kernel_remove(struct mnl_socket *socket, const struct mirror_item *item);
