/* SPDX-License-Identifier: Apache-2.0 */
/* A run: the steps one after the other. See attach.h. */
#include "attach/attach_priv.h"
#include "attach/identity_cache.h"

#include "base/assert.h"
#include "base/names.h"

#include <errno.h>
#include <stdlib.h>

/* What follows from the Gateways. */
static void run_rest(struct attach *a, const struct attach_input *in)
{
    address_run(a);
    set_judge(a);
    backend_kind_run(a, in);
    policy_run(a);
    route_run(a);
    address_list(a);
    plan_run(a);
}

int attach_run(const struct attach_input *in, struct attach **ret)
{
    struct attach *a = calloc(1, sizeof(*a));
    if (a == NULL) {
        return -ENOMEM;
    }
    a->arena = arena_new();
    a->held = json_array();
    ASSERT(a->held != NULL);
    a->source = in->source;
    a->own_identities = in->identities == NULL ? identity_cache_new() : NULL;
    a->identities = in->identities != NULL ? in->identities : a->own_identities;
    ASSERT(a->identities != NULL);
    a->system_cas = in->system_cas;
    a->is_pattern = in->is_pattern;
    a->is_pattern_arg = in->is_pattern_arg;
    a->controller_name = arena_strdup(
        a->arena, in->controller_name != NULL ? in->controller_name : ATTACH_CONTROLLER_NAME);
    a->grants = collect(a, MODEL_REFERENCE_GRANT, &a->n_grants);
    group_init(a);
    cluster_run(a);
    node_run(a);
    network_run(a);
    pool_run(a);
    class_run(a);
    gateway_run(a);
    set_run(a);
    if (a->is_cut) {
        attach_free(a);
        return -EAGAIN;
    }
    run_rest(a, in);
    a->source = NULL;
    a->is_pattern = NULL;
    a->identities = NULL;
    *ret = a;
    return 0;
}

const struct plan *attach_plan(const struct attach *a)
{
    return &a->plan;
}

void attach_free(struct attach *a)
{
    if (a == NULL) {
        return;
    }
    group_done(a);
    json_decref(a->held);
    arena_free(a->plan_arena);
    arena_free(a->arena);
    identity_cache_free(a->own_identities);
    free(a);
}

const char *plan_backend_fault_reason(enum plan_backend_fault fault)
{
    static const char *const reasons[] = {PLAN_BACKEND_FAULT_LIST(X_TEXT)};
    ASSERT((size_t)fault < sizeof(reasons) / sizeof(reasons[0]));
    return reasons[fault];
}

const char *plan_listener_fault_reason(enum plan_listener_fault fault)
{
    static const char *const reasons[] = {PLAN_LISTENER_FAULT_LIST(X_TEXT)};
    ASSERT((size_t)fault < sizeof(reasons) / sizeof(reasons[0]));
    return reasons[fault];
}
