/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports of several kernel interfaces: an AF_XDP device for each, as `members=A:B` names them.
 * Thread: the composer's.
 */
#pragma once

#include "drivers/net/driver.h"

/* Describes what all members have. The device's eal_value names them. */
bool members_describe(const struct net_options *options, struct net_device *ret,
                      struct net_fault *ret_fault);

/* Makes the device of each; ret->members. */
bool members_create(const struct net_device *device, struct port_setup *ret,
                    struct net_fault *ret_fault);

/* DPDK's port of the i-th. False: there is none. */
bool members_port(const struct net_device *device, unsigned i, uint16_t *ret);

/* Frees them, after they were closed, and let go of by a bond. */
void members_destroy(const struct net_device *device);
