/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of a rate limit: the generic cell rate algorithm (ITU-T I.371, annex A), which is
 * a token bucket told by one number. A bucket is `due_ns`, the time at which it is full again; a
 * request moves it one interval on, and is let through as long as that leaves it within a burst of
 * now. So a bucket that was forgotten (0) is a full one, and nothing has to be done while time
 * passes.
 *
 * Whole numbers of ns: an interval is rounded up, so a limit is never exceeded, by at most 1 ns a
 * request. What image_is_limit() allows fits 64 bits, whatever the number of workers.
 *
 * Owner: none, pure. Thread: any. No clock: time comes in.
 */
#pragma once

#include "abi/image.h"

#include <stdbool.h>
#include <stdint.h>

struct limit_rate {
    uint64_t interval_ns; /* between two requests of a steady stream; at least 1 */
    uint64_t slack_ns;    /* how far beyond now a bucket may be due before another request */
};

/*
 * What one worker lets through of a limit that `workers` share: a part of the requests, and of the
 * burst, but of the burst at least one. With `workers` 1 all of it. In sum over the workers: not
 * more requests a period than the limit says, nor a greater burst, unless it is below `workers`.
 */
struct limit_rate limit_rate_of(const struct image_limit *limit, unsigned worker, unsigned workers);

/* May another request pass? If not, *ret_wait_ns is how long until it may. */
bool limit_rate_allows(const struct limit_rate *r, uint64_t due_ns, uint64_t now_ns,
                       uint64_t *ret_wait_ns);

/* The bucket after a request that may pass. */
uint64_t limit_rate_take(const struct limit_rate *r, uint64_t due_ns, uint64_t now_ns);

/* A wait in whole seconds, as Retry-After tells it: rounded up, at least 1. */
uint64_t limit_wait_s(uint64_t wait_ns);
