/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions of statuses, as Kubernetes has them (metav1.Condition). Pure. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* What a condition will say. `reason` NULL: nothing decided yet. */
struct verdict {
    const char *status; /* "True", "False", "Unknown" */
    const char *reason;
    const char *message;
};

/* A condition that we want to say. */
struct wanted {
    const char *type;
    struct verdict verdict; /* reason NULL: the condition must not be there */
};

/*
 * The conditions `old` (array or NULL) with ours put in: in place where the type is there already,
 * else at the end. lastTransitionTime is kept where the condition's status is the same. Conditions
 * of other types are kept as they are; one of ours that speaks of a later generation too. New
 * reference.
 */
json_t *conditions_merge(const json_t *old, const struct wanted *wanted, size_t n,
                         int64_t generation, const char *now);
