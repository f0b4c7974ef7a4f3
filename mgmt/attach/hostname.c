/* SPDX-License-Identifier: Apache-2.0 */
/* Have two hostnames a host in common (Gateway API, HTTPRouteSpec.hostnames)? "*.example.com" is
 * all names that end in ".example.com", however many labels come before. */
#include "attach/attach_priv.h"

#include <string.h>

static bool is_wildcard(const char *hostname)
{
    return strncmp(hostname, "*.", 2) == 0;
}

/* Is `hostname` (exact or wildcard) within the wildcard? */
static bool is_within(const char *hostname, const char *wildcard)
{
    const char *suffix = wildcard + 1;
    size_t n = strlen(hostname);
    size_t tail = strlen(suffix);
    if (n < tail || strcmp(hostname + n - tail, suffix) != 0) {
        return false;
    }
    /* "*.example.com" is within itself; ".example.com" is no hostname, so n > tail otherwise. */
    return n > tail;
}

bool hostname_intersects(const char *listener, const char *route)
{
    return strcmp(listener, route) == 0 || (is_wildcard(listener) && is_within(route, listener)) ||
           (is_wildcard(route) && is_within(listener, route));
}
