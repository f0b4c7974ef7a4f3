/* SPDX-License-Identifier: Apache-2.0 */
/* The names of Backends, to DNS and back. See names.h. */
#include "reconcile/names.h"

static void want(void *arg, const char *name, enum resolve_family family)
{
    resolve_want(arg, name, family);
}

void names_want(struct resolve *resolve, const struct attach *attach)
{
    if (resolve == NULL)
        return;
    resolve_want_begin(resolve);
    attach_names_foreach(attach, want, resolve);
    resolve_want_end(resolve);
}

struct resolve_answer names_lookup(void *arg, const char *name, enum resolve_family family)
{
    return resolve_find(arg, name, family);
}
