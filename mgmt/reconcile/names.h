/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between attach, which knows what names Backends have, and resolve, which knows what DNS says of
 * them. Owner: reconcile. Thread: the loop's.
 */
#pragma once

#include "attach/attach.h"
#include "resolve/resolve.h"

/* Has just the names of the Backends asked for. `resolve` NULL: nothing is. */
void names_want(struct resolve *resolve, const struct attach *attach);

/* attach_lookup_fn; `arg` is the resolve. */
struct resolve_answer names_lookup(void *arg, const char *name, enum resolve_family family);
