/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client certificates: what a Gateway's spec.tls.frontend asks of those who come to its HTTPS
 * listeners (GEP-91). What it says of a port counts there in place of the default.
 */
#include "attach/attach_priv.h"

#include "abi/image.h"

#include <string.h>

/* What of the frontend counts on the port, and in words where it stands. */
static const json_t *find_validation(struct attach *a, const json_t *frontend, uint16_t port,
                                     const char **ret_place)
{
    size_t i;
    const json_t *of_port;
    json_array_foreach(json_object_get(frontend, "perPort"), i, of_port)
    {
        if (int_at(of_port, "port") == port) {
            *ret_place = arena_printf(a->arena, "spec.tls.frontend.perPort[%zu].tls", i);
            return at_path(of_port, "tls", "validation");
        }
    }
    *ret_place = "spec.tls.frontend.default";
    return at_path(frontend, "default", "validation");
}

static enum image_client_auth mode_of(const json_t *validation)
{
    enum image_client_auth auth = image_client_auth_named(text_at(validation, "mode"));
    return auth != IMAGE_CLIENT_AUTH_NONE ? auth : IMAGE_CLIENT_AUTH_REQUIRED; /* the default */
}

/* What the validation comes to; read once, for a Gateway may have thousands of listeners. */
static const struct at_clients *read_clients(struct attach *a, struct at_gateway *g,
                                             const json_t *validation, const char *place)
{
    struct at_clients *clients = g->clients;
    while (clients != NULL && clients->validation != validation) {
        clients = clients->next;
    }
    if (clients != NULL) {
        return clients;
    }
    const struct authority_reading in = {
        .kind = "Gateway",
        .namespace = g->meta.namespace,
        .place = arena_printf(a->arena, "%s.validation.caCertificateRefs", place),
        .reason_of_kind = "InvalidCACertificateKind",
    };
    struct plan_clients *plan = ARENA_NEW(a->arena, struct plan_clients);
    clients = ARENA_NEW(a->arena, struct at_clients);
    *clients = (struct at_clients){.validation = validation, .next = g->clients};
    plan->auth = mode_of(validation);
    if (authority_read(a, &in, json_object_get(validation, "caCertificateRefs"), &plan->bundle,
                       &clients->fault)) {
        clients->plan = plan;
    }
    g->clients = clients;
    return clients;
}

void clients_run(struct attach *a, struct at_listener *l)
{
    struct at_gateway *g = l->gateway;
    const json_t *frontend = at_path(json_object_get(g->meta.obj, "spec"), "tls", "frontend");
    const char *place;
    const json_t *validation = find_validation(a, frontend, l->port, &place);
    if (l->protocol->plan != PLAN_HTTPS || validation == NULL) {
        return;
    }
    const struct at_clients *clients = read_clients(a, g, validation, place);
    l->clients = clients->plan;
    /* who has a ListenerSet need not know what the Gateway refers to */
    bool is_own = l->set == NULL;
    if (is_own && clients->fault.reason != NULL && strcmp(l->resolved.status, "True") == 0) {
        l->resolved = clients->fault;
    }
    if (clients->plan == NULL && l->fault == PLAN_LISTENER_OK) {
        l->fault = PLAN_LISTENER_NO_CA;
        l->accepted =
            VERDICT("False", plan_listener_fault_reason(l->fault),
                    is_own ? clients->fault.message
                           : "the Gateway wants client certificates and has no valid CA of them");
    }
}

struct verdict clients_insecure(const struct at_gateway *g)
{
    const json_t *frontend = at_path(json_object_get(g->meta.obj, "spec"), "tls", "frontend");
    bool is_insecure =
        mode_of(at_path(frontend, "default", "validation")) == IMAGE_CLIENT_AUTH_FALLBACK;
    size_t i;
    const json_t *of_port;
    json_array_foreach(json_object_get(frontend, "perPort"), i, of_port)
    {
        is_insecure |= mode_of(at_path(of_port, "tls", "validation")) == IMAGE_CLIENT_AUTH_FALLBACK;
    }
    if (!is_insecure) {
        return (struct verdict){0};
    }
    return VERDICT("True", "ConfigurationChanged",
                   "mode AllowInsecureFallback lets clients in whatever certificate they show");
}
