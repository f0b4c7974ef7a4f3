/* SPDX-License-Identifier: Apache-2.0 */
/* Core kinds: defaults that need code, Secret and ConfigMap. See core.h. */
#include "model/core.h"

#include "model/errors.h"
#include "model/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The API server's bound on the data of a Secret or ConfigMap. */
#define CORE_DATA_BYTES_MAX (1024u * 1024u)
#define CORE_KEY_MAX 253

#define NAMESPACE_LABEL "kubernetes.io/metadata.name"

static void default_namespace(json_t *obj)
{
    json_t *meta = json_object_get(obj, "metadata");
    const json_t *name = json_object_get(meta, "name");
    json_t *labels = json_object_get(meta, "labels");
    if (!json_is_string(name)) {
        return;
    }
    if (labels == NULL) {
        labels = json_object();
        json_object_set_new(meta, "labels", labels);
    }
    if (json_is_object(labels)) {
        json_object_set_new(labels, NAMESPACE_LABEL, json_string(json_string_value(name)));
    }
}

static void default_service(json_t *obj)
{
    size_t i;
    json_t *port;
    json_array_foreach(json_object_get(json_object_get(obj, "spec"), "ports"), i, port)
    {
        json_t *number = json_object_get(port, "port");
        if (json_is_object(port) && number != NULL && json_object_get(port, "targetPort") == NULL) {
            json_object_set(port, "targetPort", number);
        }
    }
}

/* Base64 of a text (RFC 4648, section 4). */
static json_t *base64(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(text);
    char *out = malloc((n + 2) / 3 * 4 + 1);
    if (out == NULL) {
        return NULL;
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t b = (uint32_t)(unsigned char)text[i] << 16;
        b |= i + 1 < n ? (uint32_t)(unsigned char)text[i + 1] << 8 : 0;
        b |= i + 2 < n ? (uint32_t)(unsigned char)text[i + 2] : 0;
        out[at++] = digits[b >> 18];
        out[at++] = digits[b >> 12 & 63];
        out[at++] = i + 1 < n ? digits[b >> 6 & 63] : '=';
        out[at++] = i + 2 < n ? digits[b & 63] : '=';
    }
    json_t *ret = json_stringn(out, at);
    free(out);
    return ret;
}

void core_normalize(enum model_type_id id, json_t *obj)
{
    json_t *strings = json_object_get(obj, "stringData");
    if (id != MODEL_SECRET || !json_is_object(strings)) {
        return;
    }
    json_t *data = json_object_get(obj, "data");
    if (data == NULL) {
        data = json_object();
        json_object_set_new(obj, "data", data);
    }
    const char *key;
    json_t *value;
    void *tmp;
    json_object_foreach_safe(strings, tmp, key, value)
    {
        if (json_is_string(value) && json_is_object(data)) {
            json_object_set_new(data, key, base64(json_string_value(value)));
            json_object_del(strings, key);
        }
    }
    if (json_object_size(strings) == 0) {
        json_object_del(obj, "stringData");
    }
}

void core_default(enum model_type_id id, json_t *obj)
{
    if (id == MODEL_NAMESPACE) {
        default_namespace(obj);
    } else if (id == MODEL_SERVICE) {
        default_service(obj);
    }
}

/* Keys of data: file names of letters, digits, '-', '_', '.'. */
static bool is_data_key(const char *key)
{
    size_t n = strlen(key);
    return n > 0 && n <= CORE_KEY_MAX && strcmp(key, ".") != 0 && strncmp(key, "..", 2) != 0 &&
           strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == n;
}

/* Checks the keys of one map and adds up its bytes (of the text: base64 counts as decoded). */
static size_t check_data(const json_t *map, const char *field, bool is_base64,
                         struct model_errors *e)
{
    size_t bytes = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
    {
        if (!is_data_key(key)) {
            char path[MODEL_PATH_MAX];
            snprintf(path, sizeof(path), "%s[%s]", field, key);
            model_error_invalid_key(e, path, key,
                                    "a valid config key must consist of alphanumeric "
                                    "characters, '-', '_' or '.'");
        }
        bytes += is_base64 ? json_string_length(value) / 4 * 3 : json_string_length(value);
    }
    return bytes;
}

static void check_data_bytes(size_t bytes, const char *field, struct model_errors *e)
{
    if (bytes > CORE_DATA_BYTES_MAX) {
        model_error_add(e, MODEL_TOO_LONG, field, "Too long: may not be more than %u bytes",
                        CORE_DATA_BYTES_MAX);
    }
}

/* With `immutable: true` in the old object neither that nor the fields may change. */
static void check_immutable(const json_t *obj, const json_t *old, const char *const *fields,
                            size_t n, struct model_errors *e)
{
    if (old == NULL || !json_is_true(json_object_get(old, "immutable"))) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *now = json_object_get(obj, fields[i]);
        const json_t *was = json_object_get(old, fields[i]);
        if (now != was && (now == NULL || was == NULL || !json_equal(now, was))) {
            model_error_add(e, MODEL_FORBIDDEN, fields[i],
                            "Forbidden: field is immutable when `immutable` is set");
        }
    }
}

void core_check_secret(const json_t *obj, const json_t *old, struct model_errors *e)
{
    const json_t *data = json_object_get(obj, "data");
    check_data_bytes(check_data(data, "data", true, e), "data", e);
    const json_t *type = json_object_get(obj, "type");
    if (strcmp(json_string_value(type), "kubernetes.io/tls") == 0) {
        static const char *const keys[] = {"tls.crt", "tls.key"};
        for (size_t i = 0; i < 2; i++) {
            if (json_object_get(data, keys[i]) == NULL) {
                char path[MODEL_PATH_MAX];
                snprintf(path, sizeof(path), "data[%s]", keys[i]);
                model_error_required(e, path, "");
            }
        }
    }
    const json_t *old_type = json_object_get(old, "type");
    if (old_type != NULL && !json_equal(type, old_type)) {
        model_error_invalid(e, "type", type, "field is immutable");
    }
    static const char *const fields[] = {"immutable", "data"};
    check_immutable(obj, old, fields, 2, e);
}

void core_check_config_map(const json_t *obj, const json_t *old, struct model_errors *e)
{
    const json_t *data = json_object_get(obj, "data");
    const json_t *binary = json_object_get(obj, "binaryData");
    size_t bytes = check_data(data, "data", false, e) + check_data(binary, "binaryData", true, e);
    check_data_bytes(bytes, "", e);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)binary, key, value)
    {
        if (json_object_get(data, key) != NULL) {
            char path[MODEL_PATH_MAX];
            snprintf(path, sizeof(path), "binaryData[%s]", key);
            model_error_invalid_key(e, path, key, "duplicate of key present in data");
        }
    }
    static const char *const fields[] = {"immutable", "data", "binaryData"};
    check_immutable(obj, old, fields, 3, e);
}

void core_check(enum model_type_id id, const json_t *obj, const json_t *old, struct model_errors *e)
{
    if (id == MODEL_SERVICE) {
        core_check_service(obj, e);
    } else if (id == MODEL_ENDPOINT_SLICE) {
        core_check_endpoint_slice(obj, old, e);
    } else if (id == MODEL_SECRET) {
        core_check_secret(obj, old, e);
    } else if (id == MODEL_CONFIG_MAP) {
        core_check_config_map(obj, old, e);
    }
}
