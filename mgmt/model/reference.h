/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an object leads: the namespaces that its references name, and the class of a Gateway. By
 * the API's habit a reference is a member whose name ends in "Ref" or "Refs". Pure; cost: a walk
 * over the object.
 */
#pragma once

#include "model/model.h"

/* `field`: "spec.parentRefs[0].namespace"; `name`: of a namespace, or of what is cluster-wide. Both
 * are borrowed for the call. False: no more is asked for. */
typedef bool (*reference_fn)(void *arg, const char *field, const char *name);

/* Calls fn for each in the object, in the order of its text. */
void reference_each(const struct resource_type *type, const json_t *object, reference_fn fn,
                    void *arg);
