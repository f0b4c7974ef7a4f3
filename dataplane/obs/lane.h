/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What housekeeping and one worker share: a bell and, for each observation that there can be, a
 * lane. No lock: each word has one writer at any time, and nobody waits.
 *
 *   housekeeping: free --request, totals = 0, wanted + 1 (odd), bell--> asked
 *   worker:       asked --is_on, answered = wanted--> looking: records into the ring
 *   worker:       looking --all is told, or a bound--> over: is_on = false
 *   housekeeping: any --wanted + 1 (even), bell--> to be ended
 *   worker:       to be ended --is_on = false, answered = wanted--> free
 *
 *   over:  answered == wanted and not is_on;   free: over and wanted is even
 *
 * The request and the totals are housekeeping's while the lane is free, else the worker's. The
 * worker looks at the bell once a round: one word, which stays in its cache while nobody rings.
 */
#pragma once

#include "obs/ring.h"

#include <stdbool.h>

struct obs_lane {
    _Alignas(64) uint32_t wanted; /* housekeeping's; odd: look, even: do not */
    struct control_observe request;
    _Alignas(64) uint32_t answered; /* the worker's: the value of `wanted` that it follows */
    bool is_on;                     /* the worker's */
    bool is_whole;                  /* all was told, no bound ended it */
    uint64_t cursor;                /* where a dump goes on; the producer's */
    uint64_t records;
    uint64_t bytes;
    uint64_t lost;
    uint64_t looked;
    struct obs_ring ring;
};

struct obs_box {
    _Alignas(64) uint32_t bell;  /* housekeeping's: another value when a lane has news */
    _Alignas(64) uint8_t worker; /* whose */
    struct obs_lane lanes[OBS_SLOTS_MAX];
};
