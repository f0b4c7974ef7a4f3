/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether an AccessPolicy takes a client's address. Asked for each request of a rule that has one,
 * by the workers and by explain.
 *
 * Owner: none, pure. Thread: any, on an image that image_check() accepted.
 */
#pragma once

#include "abi/image.h"

#include <stdbool.h>

/* What an AccessPolicy says of an address: X(NAME, text). */
#define ROUTE_ACCESS_LIST(X)                                                                       \
    X(ALLOWED, "allowed")                                                                          \
    X(DENIED, "denied by addresses.deny")                                                          \
    X(NOT_ALLOWED, "not in addresses.allow")

enum route_access {
#define X(name, text) ROUTE_ACCESS_##name,
    ROUTE_ACCESS_LIST(X)
#undef X
};

/* May a client of that address ask? Cost: O(log n) in the ranges of the policy. */
enum route_access route_access_of(const struct image_view *v, const struct image_access *access,
                                  const struct ip_addr *addr);

/* What those of `n` lists from `first` on in GATE_USES, which stand before a bind or a VIP, say:
 * the first that is against the address. Without `must_be_allowed` only those that deny it count.
 */
enum route_access route_access_of_all(const struct image_view *v, uint32_t first, uint32_t n,
                                      const struct ip_addr *addr, bool must_be_allowed);
