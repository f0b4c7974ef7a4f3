/* SPDX-License-Identifier: Apache-2.0 */
/* Names and help of the counters, from the same lists as the enum. Pure. */
#include "abi/stats.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"

#include <stddef.h>
#include <string.h>

const char *stat_name(enum stat_id id)
{
    static const char *const names[] = {
#define STAT(name, help) #name,
#include "abi/stats_all.def"
#undef STAT
    };
    ASSERT((unsigned)id < STAT_COUNT);
    return names[id];
}

const char *stat_help(enum stat_id id)
{
    static const char *const helps[] = {
#define STAT(name, help) help,
#include "abi/stats_all.def"
#undef STAT
    };
    ASSERT((unsigned)id < STAT_COUNT);
    return helps[id];
}

const char *stat_help_of(const char *name)
{
    for (unsigned id = 0; id < STAT_COUNT; id++) {
        if (strcmp(name, stat_name((enum stat_id)id)) == 0)
            return stat_help((enum stat_id)id);
    }
    return NULL;
}

const char *stats_round_part_name(enum stats_round_part part)
{
    static const char *const names[] = {STATS_ROUND_LIST(X_NAME)};
    ASSERT((unsigned)part < array_len(names));
    return names[part];
}

const char *stats_longest_name(enum stats_longest_of of)
{
    static const char *const names[] = {"ever", "this_minute", "last_minute"};
    ASSERT((unsigned)of < array_len(names));
    return names[of];
}
