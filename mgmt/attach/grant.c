/* SPDX-License-Identifier: Apache-2.0 */
/* ReferenceGrants: who may refer to what across namespaces; and the certificates of listeners. */
#include "attach/attach_priv.h"

#include "model/text.h"

#include <stdlib.h>
#include <string.h>

/* Does one of `from` stand for the referrer? */
static bool has_from(const json_t *grant, const char *kind, const char *namespace)
{
    size_t i;
    const json_t *from;
    json_array_foreach(at_path(grant, "spec", "from"), i, from)
    {
        if (strcmp(text_at(from, "group"), GATEWAY_API_GROUP) == 0 &&
            strcmp(text_at(from, "kind"), kind) == 0 &&
            strcmp(text_at(from, "namespace"), namespace) == 0) {
            return true;
        }
    }
    return false;
}

/* Does one of `to` stand for what is referred to? Without a name it stands for all of the kind. */
static bool has_to(const json_t *grant, const char *group, const char *kind, const char *name)
{
    size_t i;
    const json_t *to;
    json_array_foreach(at_path(grant, "spec", "to"), i, to)
    {
        const char *only = text_at(to, "name");
        if (strcmp(text_at(to, "group"), group) == 0 && strcmp(text_at(to, "kind"), kind) == 0 &&
            (only[0] == '\0' || strcmp(only, name) == 0)) {
            return true;
        }
    }
    return false;
}

bool grant_allows(const struct attach *a, const char *from_kind, const char *from_namespace,
                  const char *to_group, const char *to_kind, const char *to_namespace,
                  const char *to_name)
{
    for (uint32_t i = 0; i < a->n_grants; i++) {
        const json_t *grant = a->grants[i];
        if (strcmp(text_at(json_object_get(grant, "metadata"), "namespace"), to_namespace) == 0 &&
            has_from(grant, from_kind, from_namespace) &&
            has_to(grant, to_group, to_kind, to_name)) {
            return true;
        }
    }
    return false;
}

/* Does the Secret's entry hold a PEM block whose label ends in `label`? */
static bool has_pem(const json_t *secret, const char *key, const char *label)
{
    const char *encoded = text_at(json_object_get(secret, "data"), key);
    char *pem = text_base64_decode(encoded);
    bool ok = pem != NULL && strstr(pem, "-----BEGIN ") != NULL && strstr(pem, label) != NULL;
    free(pem);
    return ok;
}

/* What is wrong with one certificateRef; NULL: nothing. */
static const char *certificate_fault(struct attach *a, const struct at_gateway *g,
                                     const json_t *ref, const char **ret_reason)
{
    const char *name = text_at(ref, "name");
    const char *namespace = text_at(ref, "namespace");
    *ret_reason = "InvalidCertificateRef";
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
    if (secret == NULL) {
        return arena_printf(a->arena, "Secret %s/%s does not exist", namespace, name);
    }
    if (!has_pem(secret, "tls.crt", "CERTIFICATE-----") ||
        !has_pem(secret, "tls.key", "PRIVATE KEY-----")) {
        return arena_printf(a->arena, "Secret %s/%s has no certificate and key in tls.crt, tls.key",
                            namespace, name);
    }
    return NULL;
}

bool certificate_check(struct attach *a, const struct at_gateway *g, const json_t *tls,
                       struct verdict *ret)
{
    size_t i;
    const json_t *ref;
    json_array_foreach(json_object_get(tls, "certificateRefs"), i, ref)
    {
        const char *reason;
        const char *fault = certificate_fault(a, g, ref, &reason);
        if (fault != NULL) {
            *ret = VERDICT("False", reason,
                           arena_printf(a->arena, "tls.certificateRefs[%zu]: %s", i, fault));
            return false;
        }
    }
    return true;
}
