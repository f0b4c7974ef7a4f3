/* SPDX-License-Identifier: Apache-2.0 */
/* Names and help of the counters, from the same lists as the enum. Pure. */
#include "abi/stats.h"

#include "base/assert.h"

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
