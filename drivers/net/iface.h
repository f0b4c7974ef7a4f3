/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says of one of its interfaces. Thread: the composer's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The interface's MTU (65535 if it is larger); 0: there is no such interface. */
uint16_t iface_mtu(const char *name);

/* Is it up, with something at the other end of the wire? */
bool iface_has_carrier(const char *name);

/* How many receive queues it has; 0: there is no such interface. */
unsigned iface_rx_queues(const char *name);
