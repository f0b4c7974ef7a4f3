/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates of listeners, and those by which Gateways are known to backends: what references
 * lead to, and whether it can be shown. Read here as the dataplane will read it, so that what its
 * status calls good is good there.
 */
#include "attach/attach_priv.h"

#include "model/text.h"
#include "tls/digest.h"
#include "tls/tls_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A Secret's entry, decoded; empty: it has none, or not in base64. */
static struct slice secret_text(struct attach *a, const json_t *secret, const char *key)
{
    char *decoded = text_base64_decode(text_at(json_object_get(secret, "data"), key));
    const char *kept = decoded != NULL ? arena_strdup(a->arena, decoded) : "";
    if (decoded != NULL) {
        explicit_bzero(decoded, strlen(decoded));
    }
    free(decoded);
    return slice_of_str(kept);
}

#define STAPLE_KEY "tls.ocsp-staple"

/* The chain with the Secret's OCSP response behind it, as a block of PEM: its base64 is that of the
 * Secret, in lines. NULL: it has none. */
static const char *with_staple(struct attach *a, const json_t *secret, struct slice chain)
{
    enum { LINE = 64 };
    const char *base64 = text_at(json_object_get(secret, "data"), STAPLE_KEY);
    if (base64[0] == '\0') {
        return NULL;
    }
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    if (to == NULL) {
        return NULL;
    }
    fprintf(to, "%.*s\n-----BEGIN OCSP RESPONSE-----\n", (int)chain.len, (const char *)chain.ptr);
    for (size_t left = strlen(base64), n; left > 0; left -= n, base64 += n) {
        n = left < LINE ? left : LINE;
        fprintf(to, "%.*s\n", (int)n, base64);
    }
    fputs("-----END OCSP RESPONSE-----\n", to);
    const char *kept = fclose(to) == 0 ? arena_strdup(a->arena, text) : NULL;
    free(text);
    return kept;
}

/* Can the dataplane load it? */
static enum tls_fault try_identity(const struct plan_identity *identity)
{
    struct tls_identity *loaded = NULL;
    if (identity->certificate.len > KEYS_PEM_BYTES_MAX || identity->key.len > KEYS_PEM_BYTES_MAX) {
        return TLS_FAULT_CERTIFICATE;
    }
    enum tls_fault fault = tls_identity_new(identity->certificate, identity->key, &loaded);
    tls_identity_free(loaded);
    return fault;
}

/* Whether it can be loaded, with the Secret's OCSP response if that can be used; without, if it
 * cannot: *ret_note says so. An old response must not take a listener from its clients. */
static enum tls_fault read_identity(struct attach *a, const json_t *secret,
                                    struct plan_identity *ret, const char **ret_note)
{
    struct plan_identity stapled = *ret;
    const char *text = with_staple(a, secret, ret->certificate);
    if (text == NULL) {
        return try_identity(ret);
    }
    stapled.certificate = slice_of_str(text);
    if (try_identity(&stapled) == TLS_FAULT_OK) {
        *ret = stapled;
        return TLS_FAULT_OK;
    }
    *ret_note = arena_printf(a->arena, "%s of Secret %s is not shown: %s", STAPLE_KEY, ret->name,
                             tls_fault_help(TLS_FAULT_STAPLE));
    return try_identity(ret);
}

/* What a Secret of type kubernetes.io/tls holds; the fault in words, NULL: none. */
static const char *read_secret(struct attach *a, const json_t *secret, const char *full_name,
                               struct plan_identity *ret, const char **ret_note)
{
    uint8_t digest[DIGEST_BYTES];
    ret->name = full_name;
    ret->certificate = secret_text(a, secret, "tls.crt");
    ret->key = secret_text(a, secret, "tls.key");
    if (ret->certificate.len == 0 || ret->key.len == 0) {
        return arena_printf(a->arena, "Secret %s has no certificate and key in tls.crt, tls.key",
                            full_name);
    }
    enum tls_fault fault = read_identity(a, secret, ret, ret_note);
    if (fault == TLS_FAULT_OK && !digest_sha256(&ret->certificate, 1, digest)) {
        fault = TLS_FAULT_MEMORY;
    }
    if (fault != TLS_FAULT_OK) {
        return arena_printf(a->arena, "Secret %s cannot be used: %s", full_name,
                            tls_fault_help(fault));
    }
    memcpy(ret->id.bytes, digest, sizeof(ret->id.bytes));
    return NULL;
}

/* One reference of the Gateway to a certificate; the fault in words, NULL: none. `reason`: of what
 * cannot be used. */
static const char *read_ref(struct attach *a, const struct at_gateway *g, const json_t *ref,
                            const char *reason, struct plan_identity *ret, const char **ret_reason,
                            const char **ret_note)
{
    const char *name = text_at(ref, "name");
    const char *namespace = text_at(ref, "namespace");
    *ret_reason = reason;
    if (text_at(ref, "group")[0] != '\0' || strcmp(text_at(ref, "kind"), "Secret") != 0) {
        return arena_printf(a->arena, "%s is not a kind of certificate that is known, Secret is",
                            text_at(ref, "kind"));
    }
    if (namespace[0] == '\0') {
        namespace = g->meta.namespace;
    }
    if (strcmp(namespace, g->meta.namespace) != 0 &&
        !grant_allows(a, "Gateway", g->meta.namespace, "", "Secret", namespace, name)) {
        *ret_reason = "RefNotPermitted";
        return arena_printf(a->arena, "no ReferenceGrant in %s lets Gateways of %s use Secret %s",
                            namespace, g->meta.namespace, name);
    }
    const json_t *secret = find_object(a, MODEL_SECRET, namespace, name);
    const char *full_name = arena_printf(a->arena, "%s/%s", namespace, name);
    if (secret == NULL) {
        return arena_printf(a->arena, "Secret %s does not exist", full_name);
    }
    return read_secret(a, secret, full_name, ret, ret_note);
}

void certificate_run(struct attach *a, const struct at_gateway *g, struct at_listener *l)
{
    const json_t *refs = at_path(l->spec, "tls", "certificateRefs");
    size_t i;
    const json_t *ref;
    if (l->protocol->plan == PLAN_TLS) {
        return; /* the backends have them */
    }
    l->identities = ARENA_ARRAY(a->arena, struct plan_identity, json_array_size(refs));
    json_array_foreach(refs, i, ref)
    {
        const char *reason, *note = NULL;
        const char *fault =
            read_ref(a, g, ref, "InvalidCertificateRef", &l->identities[i], &reason, &note);
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
    const char *fault =
        read_ref(a, g, ref, "InvalidClientCertificateRef", identity, &reason, &note);
    if (fault == NULL) {
        g->identity = identity;
    } else {
        g->no_identity =
            VERDICT("False", reason,
                    arena_printf(a->arena, "spec.tls.backend.clientCertificateRef: %s", fault));
    }
}
