/* SPDX-License-Identifier: Apache-2.0 */
#include "held_calls.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

struct held_call held_calls[HELD_CALLS_MAX];
unsigned held_calls_n;

void held_reset(void)
{
    for (unsigned i = 0; i < held_calls_n; i++) {
        json_decref(held_calls[i].body);
    }
    memset(held_calls, 0, sizeof(held_calls));
    held_calls_n = 0;
}

struct held_call *held_open(void)
{
    for (unsigned i = 0; i < held_calls_n; i++) {
        if (held_calls[i].is_open) {
            return &held_calls[i];
        }
    }
    return NULL;
}

void held_answer(struct held_call *call, int status, json_t *body)
{
    struct kube_answer answer = {.status = status, .body = body, .text = "the test says so"};
    REQUIRE(call != NULL && call->is_open);
    call->is_open = false;
    call->on_done(call->owner, &answer);
    json_decref(body);
}

int kube_call(struct kube *k, const struct kube_request *request, struct kube_call **ret)
{
    REQUIRE(held_calls_n < HELD_CALLS_MAX);
    struct held_call *call = &held_calls[held_calls_n++];
    snprintf(call->method, sizeof(call->method), "%s", request->method);
    snprintf(call->path, sizeof(call->path), "%s", request->path);
    call->body = request->body != NULL ? json_deep_copy(request->body) : NULL;
    call->on_done = request->on_done;
    call->owner = request->owner;
    call->is_open = true;
    if (ret != NULL) {
        *ret = (struct kube_call *)call;
    }
    return 0;
}

void kube_call_cancel(struct kube_call *call)
{
    struct held_call *held = (struct held_call *)call;
    REQUIRE(held->is_open);
    held->is_open = false;
}
