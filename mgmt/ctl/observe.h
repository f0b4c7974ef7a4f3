/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking into the dataplane over its own socket: asks, hands each record to the command that
 * asked, and stops in good order at Ctrl-C. Works while mgmtd is down.
 *
 * Owner: sluicectl's main; thread: one.
 */
#pragma once

#include "abi/control.h"
#include "abi/observe.h"
#include "abi/stats_read.h"
#include "ctl/ctl.h"

/* What there is to know before the first record. */
struct observe_scene {
    const struct control_welcome *welcome;
    const struct stats_map *stats; /* names of counters */
    uint64_t epoch_us;             /* UNIX time of a record: epoch_us + its time_us */
};

struct observer {
    /* The dataplane has said who it is; the request may still be changed. NULL: nothing to do.
     * False: stop, it was said why on stderr. */
    bool (*greet)(void *owner, const struct control_welcome *welcome);
    /* It has begun. False: stop, it was said why on stderr. */
    bool (*begin)(void *owner, const struct observe_scene *scene);
    /* One record, sound in its length. False: stop, it was said why. */
    bool (*on_record)(void *owner, const struct observe_record *record);
    /* It is over. */
    void (*end)(void *owner, const struct control_observed *observed);
    void *owner;
};

/* Fills in what all commands share: the matches that the command line names, workers, bounds.
 * False: a word is no match, or there are too many; said on stderr. */
bool observe_request(const struct ctl_options *o, enum observe_kind kind,
                     struct control_observe *ret);

/* Asks and follows until it is over. */
enum ctl_exit observe_run(const struct ctl_options *o, const struct control_observe *request,
                          const struct observer *observer);
