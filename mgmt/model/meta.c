/* SPDX-License-Identifier: Apache-2.0 */
/* metadata: the API server's rules for names, labels and annotations. See meta.h. */
#include "model/meta.h"

#include "model/errors.h"
#include "model/text.h"

#include <stdio.h>
#include <string.h>

/* The API server's bound on all annotations of an object. */
#define META_ANNOTATIONS_BYTES_MAX (256u * 1024u)

#define SUBDOMAIN_HELP                                                                             \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "   \
    "'.', and must start and end with an alphanumeric character"
#define LABEL_HELP                                                                                 \
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "   \
    "must start and end with an alphanumeric character"
#define LABEL_1035_HELP                                                                            \
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "   \
    "alphabetic character, and end with an alphanumeric character"
#define QUALIFIED_HELP                                                                             \
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "  \
    "with an alphanumeric character, with an optional DNS subdomain prefix and '/'"
#define LABEL_VALUE_HELP                                                                           \
    "a valid label must be an empty string or consist of at most 63 alphanumeric characters, "     \
    "'-', '_' or '.', and must start and end with an alphanumeric character"

static void check_name(const struct resource_type *type, const json_t *meta, struct model_errors *e)
{
    const json_t *name = json_object_get(meta, "name");
    if (name == NULL || json_string_length(name) == 0) {
        model_error_add(e, MODEL_REQUIRED, "metadata.name",
                        "Required value: name or generateName is required");
        return;
    }
    const char *text = json_string_value(name);
    bool is_core = type->group[0] == '\0';
    if (is_core && strcmp(type->kind, "Namespace") == 0) {
        if (!text_is_dns_label(text)) {
            model_error_invalid(e, "metadata.name", name, LABEL_HELP);
        }
    } else if (is_core && strcmp(type->kind, "Service") == 0) {
        if (!text_is_dns_1035_label(text)) {
            model_error_invalid(e, "metadata.name", name, LABEL_1035_HELP);
        }
    } else if (!text_is_dns_subdomain(text)) {
        model_error_invalid(e, "metadata.name", name, SUBDOMAIN_HELP);
    }
}

static void check_namespace(const struct resource_type *type, const json_t *meta,
                            struct model_errors *e)
{
    const json_t *ns = json_object_get(meta, "namespace");
    if (!type->namespaced) {
        if (ns != NULL && json_string_length(ns) > 0) {
            model_error_add(e, MODEL_FORBIDDEN, "metadata.namespace",
                            "Forbidden: not allowed on this type");
        }
    } else if (ns == NULL || json_string_length(ns) == 0) {
        model_error_add(e, MODEL_REQUIRED, "metadata.namespace", "Required value");
    } else if (!text_is_dns_label(json_string_value(ns))) {
        model_error_invalid(e, "metadata.namespace", ns, LABEL_HELP);
    }
}

static void check_labels(const json_t *meta, struct model_errors *e)
{
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(meta, "labels"), key, value)
    {
        if (!text_is_qualified_name(key)) {
            model_error_invalid_key(e, "metadata.labels", key, QUALIFIED_HELP);
        }
        if (!text_is_label_value(json_string_value(value))) {
            model_error_invalid(e, "metadata.labels", value, LABEL_VALUE_HELP);
        }
    }
}

/* Annotation keys may be written in upper case; a cluster takes them as if in lower. */
static bool is_annotation_key(const char *key)
{
    char lower[TEXT_DNS_SUBDOMAIN_MAX + TEXT_LABEL_VALUE_MAX + 2];
    size_t n = strlen(key);
    if (n >= sizeof(lower)) {
        return false;
    }
    for (size_t i = 0; i <= n; i++) {
        lower[i] = (char)(key[i] >= 'A' && key[i] <= 'Z' ? key[i] + ('a' - 'A') : key[i]);
    }
    return text_is_qualified_name(lower);
}

static void check_annotations(const json_t *meta, struct model_errors *e)
{
    size_t bytes = 0;
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(meta, "annotations"), key, value)
    {
        if (!is_annotation_key(key)) {
            model_error_invalid_key(e, "metadata.annotations", key, QUALIFIED_HELP);
        }
        bytes += strlen(key) + json_string_length(value);
    }
    if (bytes > META_ANNOTATIONS_BYTES_MAX) {
        model_error_add(e, MODEL_TOO_LONG, "metadata.annotations",
                        "Too long: may not be more than %u bytes", META_ANNOTATIONS_BYTES_MAX);
    }
}

static void check_finalizers(const json_t *meta, struct model_errors *e)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(meta, "finalizers"), i, item)
    {
        if (!text_is_qualified_name(json_string_value(item))) {
            char path[MODEL_PATH_MAX];
            snprintf(path, sizeof(path), "metadata.finalizers[%zu]", i);
            model_error_invalid(e, path, item, QUALIFIED_HELP);
        }
    }
}

static void check_age(const json_t *meta, struct model_errors *e)
{
    const json_t *age = json_object_get(meta, "creationTimestamp");
    const char *text = json_string_value(age);
    if (age != NULL && (text == NULL || !text_is_date_time(text))) {
        model_error_invalid(e, "metadata.creationTimestamp", age,
                            "must be a time as in RFC 3339, like 2026-11-23T09:00:00Z");
    }
}

/* What the server sets may be left out by clients, but not be changed. */
static void check_unchanged(const json_t *meta, const json_t *old, struct model_errors *e)
{
    static const char *const fields[] = {"name", "namespace", "uid", "creationTimestamp"};
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        const json_t *now = json_object_get(meta, fields[i]);
        const json_t *was = json_object_get(old, fields[i]);
        if (now != NULL && was != NULL && !json_equal(now, was)) {
            char path[MODEL_PATH_MAX];
            snprintf(path, sizeof(path), "metadata.%s", fields[i]);
            model_error_invalid(e, path, now, "field is immutable");
        }
    }
}

void meta_check(const struct resource_type *type, const json_t *meta, const json_t *old,
                struct model_errors *e)
{
    check_name(type, meta, e);
    check_namespace(type, meta, e);
    check_labels(meta, e);
    check_annotations(meta, e);
    check_finalizers(meta, e);
    check_age(meta, e);
    if (old != NULL) {
        check_unchanged(meta, old, e);
    }
}
