/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be told of a head that was refused, or that never became whole: for logs only. Nothing
 * of it is to be believed, and nothing is decided by it.
 */
#pragma once

#include "base/slice.h"

/* Each is empty when it is not there, or not yet. */
struct http_glimpse {
    struct slice method;
    struct slice path; /* without a query, which may hold secrets; empty for "http://...", too */
    struct slice host; /* of the first field of that name, with its port */
};

/* Looks at the bytes of a head, as far as they came. Borrows from them. Pure; cost: one pass. */
void http_glimpse(struct slice head, struct http_glimpse *ret);
