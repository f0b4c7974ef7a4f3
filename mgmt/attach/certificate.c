/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates of listeners, and those by which Gateways are known to backends: what references
 * lead to, and whether it can be shown. Read here as the dataplane will read it, so that what its
 * status calls good is good there.
 */
#include "attach/attach_priv.h"
#include "attach/identity_cache.h"

#include <string.h>

/* What a Secret of type kubernetes.io/tls holds; the fault in words, NULL: none. */
static const char *read_secret(struct attach *a, const json_t *secret, const char *full_name,
                               struct plan_identity *ret, const char **ret_note)
{
    const struct identity_reading *r = identity_cache_read(a->identities, secret);
    if (r == NULL) {
        a->is_cut = true;
        return "it was not read yet"; /* nobody will see it: the run is given up */
    }
    if (r->certificate.len == 0 || r->key.len == 0) {
        return arena_printf(a->arena, "Secret %s has no certificate and key in tls.crt, tls.key",
                            full_name);
    }
    if (r->fault != TLS_FAULT_OK) {
        return arena_printf(a->arena, "Secret %s cannot be used: %s", full_name,
                            tls_fault_help(r->fault));
    }
    if (r->is_staple_bad) {
        *ret_note = arena_printf(a->arena, "tls.ocsp-staple of Secret %s is not shown: %s",
                                 full_name, tls_fault_help(TLS_FAULT_STAPLE));
    }
    *ret = (struct plan_identity){
        .name = full_name, .id = r->id, .certificate = r->certificate, .key = r->key};
    return NULL;
}

/* Whose reference it is. */
struct referrer {
    const char *kind;
    const char *namespace;
    const char *reason; /* of what cannot be used */
};

/* One reference to a certificate; the fault in words, NULL: none. */
static const char *read_ref(struct attach *a, const struct referrer *from, const json_t *ref,
                            struct plan_identity *ret, const char **ret_reason,
                            const char **ret_note)
{
    const char *name = text_at(ref, "name");
    const char *namespace = text_at(ref, "namespace");
    *ret_reason = from->reason;
    if (text_at(ref, "group")[0] != '\0' || strcmp(text_at(ref, "kind"), "Secret") != 0) {
        return arena_printf(a->arena, "%s is not a kind of certificate that is known, Secret is",
                            text_at(ref, "kind"));
    }
    if (namespace[0] == '\0') {
        namespace = from->namespace;
    }
    if (strcmp(namespace, from->namespace) != 0 &&
        !grant_allows(a, GATEWAY_API_GROUP, from->kind, from->namespace, "", "Secret", namespace,
                      name)) {
        *ret_reason = "RefNotPermitted";
        return arena_printf(a->arena, "no ReferenceGrant in %s lets %ss of %s use Secret %s",
                            namespace, from->kind, from->namespace, name);
    }
    const json_t *secret = find_object(a, MODEL_SECRET, namespace, name);
    const char *full_name = arena_printf(a->arena, "%s/%s", namespace, name);
    if (secret == NULL) {
        return arena_printf(a->arena, "Secret %s does not exist", full_name);
    }
    return read_secret(a, secret, full_name, ret, ret_note);
}

void certificate_run(struct attach *a, struct at_listener *l)
{
    const json_t *refs = at_path(l->spec, "tls", "certificateRefs");
    const struct referrer from = {listener_owner_kind(l), listener_owner(l)->namespace,
                                  "InvalidCertificateRef"};
    size_t i;
    const json_t *ref;
    if (l->protocol->plan == PLAN_TLS) {
        return; /* the backends have them */
    }
    l->identities = ARENA_ARRAY(a->arena, struct plan_identity, json_array_size(refs));
    json_array_foreach(refs, i, ref)
    {
        const char *reason, *note = NULL;
        const char *fault = read_ref(a, &from, ref, &l->identities[i], &reason, &note);
        if (fault != NULL) {
            l->resolved = VERDICT("False", reason,
                                  arena_printf(a->arena, "tls.certificateRefs[%zu]: %s", i, fault));
            l->n_identities = 0;
            return;
        }
        l->n_identities++;
        if (note != NULL && strcmp(l->resolved.status, "True") == 0) {
            l->resolved.message = arena_printf(a->arena, "tls.certificateRefs[%zu]: %s", i, note);
        }
    }
    if (l->protocol->needs_identity && l->n_identities == 0) {
        l->resolved = VERDICT("False", "InvalidCertificateRef",
                              arena_printf(a->arena,
                                           "tls.certificateRefs: a listener of protocol %s that "
                                           "terminates TLS needs one",
                                           l->protocol->name));
    }
}

void certificate_run_backend(struct attach *a, struct at_gateway *g)
{
    const json_t *tls = at_path(json_object_get(g->meta.obj, "spec"), "tls", "backend");
    const json_t *ref = json_object_get(tls, "clientCertificateRef");
    struct plan_identity *identity = ARENA_NEW(a->arena, struct plan_identity);
    const char *reason;
    if (ref == NULL) {
        return;
    }
    const char *note; /* backends ask for no OCSP response */
    const struct referrer from = {"Gateway", g->meta.namespace, "InvalidClientCertificateRef"};
    const char *fault = read_ref(a, &from, ref, identity, &reason, &note);
    if (fault == NULL) {
        g->identity = identity;
    } else {
        g->no_identity =
            VERDICT("False", reason,
                    arena_printf(a->arena, "spec.tls.backend.clientCertificateRef: %s", fault));
    }
}
