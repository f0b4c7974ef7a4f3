/* SPDX-License-Identifier: Apache-2.0 */
/* See ip4_options.h. */
#include "net/ip4_options.h"

#include "base/assert.h"

#define OPTIONS_BYTES_MAX 40u /* header length 15, less the header: RFC 791, section 3.1 */

#define OPTION_END 0u
#define OPTION_NOTHING 1u
#define OPTION_RECORD_ROUTE 7u
#define OPTION_TIMESTAMP 68u
#define OPTION_LOOSE_ROUTE 131u
#define OPTION_STRICT_ROUTE 137u

/* The shortest that an option can be; 2: type and length, for those that we do not know. */
static uint32_t least_bytes(uint8_t type)
{
    switch (type) {
    case OPTION_RECORD_ROUTE:
    case OPTION_LOOSE_ROUTE:
    case OPTION_STRICT_ROUTE:
        return 3; /* with a pointer */
    case OPTION_TIMESTAMP:
        return 4; /* and flags */
    default:
        return 2;
    }
}

enum ip4_options_fault ip4_options_check(const uint8_t *options, uint32_t bytes, uint32_t *ret_at)
{
    ASSERT(bytes <= OPTIONS_BYTES_MAX);
    for (uint32_t at = 0; at < bytes && options[at] != OPTION_END;) {
        uint8_t type = options[at];
        if (type == OPTION_NOTHING) {
            at++;
            continue;
        }
        uint32_t len = bytes - at >= 2 ? options[at + 1] : 0;
        enum ip4_options_fault fault = IP4_OPTIONS_FINE;
        if (len < least_bytes(type) || len > bytes - at)
            fault = IP4_OPTIONS_BROKEN;
        else if (type == OPTION_LOOSE_ROUTE || type == OPTION_STRICT_ROUTE)
            fault = IP4_OPTIONS_SOURCE_ROUTE;
        if (fault != IP4_OPTIONS_FINE) {
            *ret_at = at;
            return fault;
        }
        at += len;
    }
    return IP4_OPTIONS_FINE;
}
