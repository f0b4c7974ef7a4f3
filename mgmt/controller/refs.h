/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an object refers to, read off its spec by the API's habit: a member whose name ends in "Ref"
 * or "Refs" is a reference, or a list of them, with `name` and, where they are not given, a kind, a
 * group and a namespace that follow from the member's name. So a kind that is new to us is
 * understood, too. Pure; no recursion; REFS_DEPTH_MAX levels, what is deeper is not looked at.
 */
#pragma once

#include "controller/kinds.h"

#include <jansson.h>

#define REFS_DEPTH_MAX 48u

struct ref {
    json_t *at;             /* the reference itself */
    const char *key;        /* "backendRefs" */
    enum kind kind;         /* KIND_COUNT: none of those that are mirrored */
    const char *namespace_; /* NULL: the object's own; "" of a cluster-wide kind */
    const char *name;
    /* The object belongs to what it refers to (parentRefs, targetRefs): it matters if that does.
     * Else it needs it. */
    bool is_join;
};

/* Calls fn for each reference of the spec, in its order. fn may change the reference. */
void refs_each(json_t *object, void (*fn)(void *owner, const struct ref *ref), void *owner);
