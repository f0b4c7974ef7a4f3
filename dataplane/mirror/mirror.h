/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of the exception path: the TAPs beside the ports get the addresses of the
 * image's interfaces, links for their VLANs, and the static routes, so that daemons find there what
 * they would find on a box that routes by its kernel. VIPs stay out: the kernel must never take
 * them for its own. All of it goes with the process, because the TAPs do.
 *
 * Owner, thread: housekeeping, which may wait for the kernel.
 */
#pragma once

#include <stdbool.h>

struct image_view;
struct mirror;

/* Links, addresses and routes in all. A box has some tens; beyond, the rest is left out and
 * told. */
#define MIRROR_ITEMS_MAX 512u

/* Speaks to the kernel in the namespace of the calling thread; `taps` has the TAP's name for each
 * of the ports, empty where there is none, and is copied. NULL: errno says why. */
struct mirror *mirror_new(const char *const *taps, unsigned n_ports);

/* Makes the kernel have what the image says, and no more of what an earlier one said. What the
 * kernel refuses is told by `report` and tried again with the next image. Returns how much that
 * was. */
unsigned mirror_apply(struct mirror *m, const struct image_view *v,
                      void (*report)(const char *format, ...));

/* Ends it; the kernel keeps what it has. NULL: nothing. */
void mirror_free(struct mirror *m);
