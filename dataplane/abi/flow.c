/* SPDX-License-Identifier: Apache-2.0 */
/* Names of flows' states, flags and trace points, from the lists that made the enums. Pure. */
#include "abi/flow.h"

#include "base/container.h"
#include "base/names.h"

#include <stddef.h>

/* The text at `i` of a table; NULL: it ends before. */
#define AT(table, i) ((i) < array_len(table) ? (table)[i] : NULL)

const char *flow_state_name(unsigned state)
{
    static const char *const names[] = {FLOW_STATE_LIST(X_NAME)};
    return AT(names, state);
}

const char *flow_owner_name(unsigned owner)
{
    static const char *const names[] = {FLOW_OWNER_LIST(X_NAME)};
    return AT(names, owner);
}

const char *flow_timer_name(unsigned timer)
{
    static const char *const names[] = {FLOW_TIMER_LIST(X_NAME)};
    return AT(names, timer);
}

const char *flow_flag_name(unsigned flag)
{
    static const char *const names[] = {FLOW_FLAG_LIST(X_NAME)};
    return AT(names, flag);
}

const char *trace_point_name(unsigned point)
{
    static const char *const names[] = {
#define TRACE(name, fields, help) #name,
#include "abi/trace_points.def"
#undef TRACE
    };
    return AT(names, point);
}

const char *trace_point_fields(unsigned point)
{
    static const char *const fields[] = {
#define TRACE(name, fields, help) fields,
#include "abi/trace_points.def"
#undef TRACE
    };
    return AT(fields, point);
}
