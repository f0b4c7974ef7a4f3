/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CA certificates: what caCertificateRefs lead to, and whether it is such. Read here as the
 * dataplane will read it. Of several references those that are good count together.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"
#include "tls/digest.h"
#include "tls/tls_trust.h"

#include <string.h>

#define CA_KEY "ca.crt"

/* The text of a ConfigMap; NULL: *ret_why. */
static const char *find_text(struct attach *a, const char *namespace, const char *name,
                             const char **ret_why)
{
    const json_t *obj = find_object(a, MODEL_CONFIG_MAP, namespace, name);
    if (obj == NULL || is_going(obj)) {
        *ret_why = arena_printf(a->arena, "ConfigMap %s/%s does not exist", namespace, name);
        return NULL;
    }
    const char *text = json_string_value(json_object_get(json_object_get(obj, "data"), CA_KEY));
    if (text == NULL) {
        *ret_why = arena_printf(a->arena, "ConfigMap %s/%s has no key " CA_KEY, namespace, name);
    }
    return text;
}

/* Can the dataplane load it, beside what it has of others? NULL: it can. */
static const char *check_text(struct attach *a, const char *text, size_t others)
{
    struct tls_trust *loaded = NULL;
    size_t len = strlen(text);
    if (len > KEYS_PEM_BYTES_MAX - 1 || others > KEYS_PEM_BYTES_MAX - 1 - len) {
        return arena_printf(a->arena, "all together have more than %u bytes", KEYS_PEM_BYTES_MAX);
    }
    enum tls_fault fault = tls_trust_new(slice_of_str(text), &loaded);
    tls_trust_free(loaded);
    return fault == TLS_FAULT_OK ? NULL : tls_fault_help(fault);
}

/* The text that one reference leads to; NULL: *ret_reason, *ret_why. */
static const char *read_ref(struct attach *a, const struct authority_reading *in, const json_t *ref,
                            const char **ret_reason, const char **ret_why)
{
    const char *name = text_at(ref, "name");
    const char *namespace = text_at(ref, "namespace");
    *ret_reason = in->reason_of_kind;
    if (text_at(ref, "group")[0] != '\0' || strcmp(text_at(ref, "kind"), "ConfigMap") != 0) {
        *ret_why = arena_printf(
            a->arena,
            "%s of group \"%s\" is no kind of CA certificates that is known, ConfigMap is",
            text_at(ref, "kind"), text_at(ref, "group"));
        return NULL;
    }
    namespace = namespace[0] != '\0' ? namespace : in->namespace;
    *ret_reason = "RefNotPermitted";
    if (strcmp(namespace, in->namespace) != 0 &&
        !grant_allows(a, GATEWAY_API_GROUP, in->kind, in->namespace, "", "ConfigMap", namespace,
                      name)) {
        *ret_why = arena_printf(a->arena, "no ReferenceGrant in %s lets %ss of %s use ConfigMap %s",
                                namespace, in->kind, in->namespace, name);
        return NULL;
    }
    *ret_reason = "InvalidCACertificateRef";
    return find_text(a, namespace, name, ret_why);
}

/* Adds one reference's certificates; NULL, or why it cannot. */
static const char *add_ref(struct attach *a, const struct authority_reading *in, const json_t *ref,
                           struct plan_bundle *bundle, const char **ret_reason)
{
    const char *namespace = text_at(ref, "namespace");
    const char *why = NULL;
    const char *text = read_ref(a, in, ref, ret_reason, &why);
    if (text == NULL) {
        return why;
    }
    const char *full_name = arena_printf(
        a->arena, "%s/%s", namespace[0] != '\0' ? namespace : in->namespace, text_at(ref, "name"));
    why = check_text(a, text, bundle->pem.len);
    if (why != NULL) {
        return arena_printf(a->arena, "ConfigMap %s cannot be used: %s", full_name, why);
    }
    bool is_first = bundle->pem.len == 0;
    bundle->name = is_first ? full_name : arena_printf(a->arena, "%s,%s", bundle->name, full_name);
    bundle->pem = slice_of_str(is_first ? text
                                        : arena_printf(a->arena, "%.*s\n%s", (int)bundle->pem.len,
                                                       (const char *)bundle->pem.ptr, text));
    return NULL;
}

void authority_name(struct plan_bundle *bundle)
{
    const struct slice parts[] = {SLICE_LIT(KEYS_BUNDLE_PREFIX), bundle->pem};
    uint8_t digest[DIGEST_BYTES];
    bool is_done = digest_sha256(parts, 2, digest);
    ASSERT(is_done);
    memcpy(bundle->id.bytes, digest, sizeof(bundle->id.bytes));
}

bool authority_read(struct attach *a, const struct authority_reading *in, const json_t *refs,
                    struct plan_bundle *ret, struct verdict *ret_fault)
{
    struct plan_bundle bundle = {0};
    size_t i;
    const json_t *ref;
    json_array_foreach(refs, i, ref)
    {
        const char *reason = NULL;
        const char *why = add_ref(a, in, ref, &bundle, &reason);
        if (why != NULL && ret_fault->reason == NULL) {
            *ret_fault =
                VERDICT("False", reason, arena_printf(a->arena, "%s[%zu]: %s", in->place, i, why));
        }
    }
    if (bundle.pem.len == 0) {
        if (ret_fault->reason == NULL) {
            *ret_fault = VERDICT("False", "InvalidCACertificateRef",
                                 arena_printf(a->arena, "%s: there are none", in->place));
        }
        return false;
    }
    authority_name(&bundle);
    *ret = bundle;
    return true;
}
