/* SPDX-License-Identifier: Apache-2.0 */
/* The Explain review between the API and compile's explain_request(). Owner: the daemon; thread:
 * the loop's. */
#include "reconcile/explain.h"

#include "api/api.h"
#include "compile/explain.h"
#include "reconcile/reconcile.h"

static bool may_read(void *arg, const char *namespace)
{
    return api_call_may_read(arg, namespace);
}

static void handle(void *owner, struct api_call *call)
{
    const char *error;
    const json_t *body = api_call_body(call);
    struct explain_input input = {
        .image = reconcile_image(owner),
        .spec = json_object_get(body, "spec"),
        .may_read = may_read,
        .arg = call,
    };
    if (input.image == NULL) {
        api_call_fail(call, 503, "ServiceUnavailable", "no route image was made yet");
        return;
    }
    json_t *status = explain_request(&input, &error);
    if (status == NULL) {
        api_call_fail(call, 400, "BadRequest", "spec: %s", error);
        return;
    }
    json_t *answer = json_pack("{s:s,s:s,s:O,s:o}", "apiVersion", "sluice.internal/v1", "kind",
                               "Explain", "spec", input.spec, "status", status);
    api_call_answer(call, 200, answer);
}

int explain_register(struct api *api, struct reconcile *reconcile)
{
    struct api_extra extra = {.method = "POST",
                              .path = EXPLAIN_PATH,
                              .roles = API_ROLES_ALL,
                              .handle = handle,
                              .owner = reconcile};
    return api_register(api, &extra);
}
