/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes' protobuf for the kinds that its client libraries send in it: `kubectl create
 * namespace`, `secret`, `configmap` and `service` know no other form. Only bodies of requests are
 * read; answers are JSON, which such clients take as well. The bytes are
 *
 *   "k8s\0", then a message Unknown: 1 TypeMeta {1 apiVersion, 2 kind}, 2 the object's own message
 *
 * The tables below are the fields of k8s.io/api/core/v1 and apimachinery's generated.proto, as far
 * as the model has them. A field that is not here and not empty is refused: nothing that somebody
 * said is passed over. Empty ones are: that form has no other way to leave out a text or a number.
 *
 * No recursion: PROTOBUF_DEPTH_MAX messages in each other, which the tables cannot reach.
 */
#include "api/api_priv.h"

#include "base/assert.h"
#include "base/base64.h"

#include <stdlib.h>
#include <string.h>

#define MAGIC_BYTES 4u
/* Messages in each other; the kinds that are read have four. */
#define PROTOBUF_DEPTH_MAX 8u

enum wire {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_FIXED32 = 5,
};

enum form {
    FORM_END,
    FORM_TEXT,
    FORM_TEXTS, /* repeated */
    FORM_NUMBER,
    FORM_BOOL,      /* a pointer there: false is said */
    FORM_FLAG,      /* false says nothing */
    FORM_TEXT_MAP,  /* map<string, string> */
    FORM_BYTES_MAP, /* map<string, bytes>: base64 */
    FORM_PORT,      /* IntOrString */
    FORM_MESSAGE,
    FORM_MESSAGES, /* repeated */
    FORM_IGNORED,  /* the server's own */
};

struct field {
    unsigned number;
    enum form form;
    const char *name;
    const struct field *message;
};

static const struct field owner_reference[] = {{5, FORM_TEXT, "apiVersion", NULL},
                                               {1, FORM_TEXT, "kind", NULL},
                                               {3, FORM_TEXT, "name", NULL},
                                               {4, FORM_TEXT, "uid", NULL},
                                               {6, FORM_BOOL, "controller", NULL},
                                               {7, FORM_BOOL, "blockOwnerDeletion", NULL},
                                               {0}};
static const struct field object_meta[] = {{1, FORM_TEXT, "name", NULL},
                                           {2, FORM_TEXT, "generateName", NULL},
                                           {3, FORM_TEXT, "namespace", NULL},
                                           {4, FORM_IGNORED, "selfLink", NULL},
                                           {5, FORM_TEXT, "uid", NULL},
                                           {6, FORM_TEXT, "resourceVersion", NULL},
                                           {7, FORM_IGNORED, "generation", NULL},
                                           {8, FORM_IGNORED, "creationTimestamp", NULL},
                                           {9, FORM_IGNORED, "deletionTimestamp", NULL},
                                           {10, FORM_IGNORED, "deletionGracePeriodSeconds", NULL},
                                           {11, FORM_TEXT_MAP, "labels", NULL},
                                           {12, FORM_TEXT_MAP, "annotations", NULL},
                                           {13, FORM_MESSAGES, "ownerReferences", owner_reference},
                                           {14, FORM_TEXTS, "finalizers", NULL},
                                           {17, FORM_IGNORED, "managedFields", NULL},
                                           {0}};
static const struct field namespace_spec[] = {{1, FORM_TEXTS, "finalizers", NULL}, {0}};
static const struct field namespace_[] = {{1, FORM_MESSAGE, "metadata", object_meta},
                                          {2, FORM_MESSAGE, "spec", namespace_spec},
                                          {3, FORM_IGNORED, "status", NULL},
                                          {0}};
static const struct field config_map[] = {{1, FORM_MESSAGE, "metadata", object_meta},
                                          {2, FORM_TEXT_MAP, "data", NULL},
                                          {3, FORM_BYTES_MAP, "binaryData", NULL},
                                          {4, FORM_BOOL, "immutable", NULL},
                                          {0}};
static const struct field secret[] = {{1, FORM_MESSAGE, "metadata", object_meta},
                                      {2, FORM_BYTES_MAP, "data", NULL},
                                      {3, FORM_TEXT, "type", NULL},
                                      {4, FORM_TEXT_MAP, "stringData", NULL},
                                      {5, FORM_BOOL, "immutable", NULL},
                                      {0}};
static const struct field client_ip[] = {{1, FORM_NUMBER, "timeoutSeconds", NULL}, {0}};
static const struct field affinity[] = {{1, FORM_MESSAGE, "clientIP", client_ip}, {0}};
static const struct field service_port[] = {{1, FORM_TEXT, "name", NULL},
                                            {2, FORM_TEXT, "protocol", NULL},
                                            {3, FORM_NUMBER, "port", NULL},
                                            {4, FORM_PORT, "targetPort", NULL},
                                            {5, FORM_NUMBER, "nodePort", NULL},
                                            {6, FORM_TEXT, "appProtocol", NULL},
                                            {0}};
static const struct field service_spec[] = {{1, FORM_MESSAGES, "ports", service_port},
                                            {2, FORM_TEXT_MAP, "selector", NULL},
                                            {3, FORM_TEXT, "clusterIP", NULL},
                                            {4, FORM_TEXT, "type", NULL},
                                            {5, FORM_TEXTS, "externalIPs", NULL},
                                            {7, FORM_TEXT, "sessionAffinity", NULL},
                                            {8, FORM_TEXT, "loadBalancerIP", NULL},
                                            {9, FORM_TEXTS, "loadBalancerSourceRanges", NULL},
                                            {10, FORM_TEXT, "externalName", NULL},
                                            {11, FORM_TEXT, "externalTrafficPolicy", NULL},
                                            {12, FORM_NUMBER, "healthCheckNodePort", NULL},
                                            {13, FORM_FLAG, "publishNotReadyAddresses", NULL},
                                            {14, FORM_MESSAGE, "sessionAffinityConfig", affinity},
                                            {17, FORM_TEXT, "ipFamilyPolicy", NULL},
                                            {18, FORM_TEXTS, "clusterIPs", NULL},
                                            {19, FORM_TEXTS, "ipFamilies", NULL},
                                            {20, FORM_BOOL, "allocateLoadBalancerNodePorts", NULL},
                                            {21, FORM_TEXT, "loadBalancerClass", NULL},
                                            {22, FORM_TEXT, "internalTrafficPolicy", NULL},
                                            {23, FORM_TEXT, "trafficDistribution", NULL},
                                            {0}};
static const struct field service[] = {{1, FORM_MESSAGE, "metadata", object_meta},
                                       {2, FORM_MESSAGE, "spec", service_spec},
                                       {3, FORM_IGNORED, "status", NULL},
                                       {0}};
static const struct field preconditions[] = {
    {1, FORM_TEXT, "uid", NULL}, {2, FORM_TEXT, "resourceVersion", NULL}, {0}};
static const struct field delete_options[] = {{1, FORM_IGNORED, "gracePeriodSeconds", NULL},
                                              {2, FORM_MESSAGE, "preconditions", preconditions},
                                              {3, FORM_IGNORED, "orphanDependents", NULL},
                                              {4, FORM_IGNORED, "propagationPolicy", NULL},
                                              {5, FORM_TEXTS, "dryRun", NULL},
                                              {0}};
static const struct {
    const char *kind;
    const struct field *message;
} kinds[] = {{"Namespace", namespace_},
             {"ConfigMap", config_map},
             {"Secret", secret},
             {"Service", service},
             {"DeleteOptions", delete_options}};

/* ---- the wire ---- */

/* One field as it stands there: of a varint `number`, of bytes `bytes`. */
struct token {
    unsigned field;
    enum wire wire;
    uint64_t number;
    struct slice bytes;
};

static bool take_varint(struct slice *from, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && from->len > 0; shift += 7) {
        uint8_t byte = from->ptr[0];
        *from = slice_skip(*from, 1);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool take_token(struct slice *from, struct token *ret)
{
    uint64_t tag;
    uint64_t len = 0;
    if (!take_varint(from, &tag) || tag >> 3 > UINT32_MAX)
        return false;
    *ret = (struct token){.field = (unsigned)(tag >> 3), .wire = (enum wire)(tag & 7)};
    if (ret->wire == WIRE_VARINT)
        return take_varint(from, &ret->number);
    if (ret->wire == WIRE_BYTES) {
        if (!take_varint(from, &len))
            return false;
    } else if (ret->wire == WIRE_FIXED64 || ret->wire == WIRE_FIXED32) {
        len = ret->wire == WIRE_FIXED64 ? 8 : 4;
    } else {
        return false;
    }
    if (len > from->len)
        return false;
    ret->bytes = slice_of(from->ptr, (size_t)len);
    *from = slice_skip(*from, (size_t)len);
    return true;
}

/* ---- values ---- */

/* NULL: no UTF-8, or with a NUL, as a text of JSON is refused, too. */
static json_t *text_of(struct slice bytes)
{
    if (bytes.len > 0 && memchr(bytes.ptr, '\0', bytes.len) != NULL)
        return NULL;
    return json_stringn((const char *)bytes.ptr, bytes.len);
}

static json_t *base64_of(struct slice bytes)
{
    size_t n = BASE64_BYTES(bytes.len);
    char *text = malloc(n + 1);
    if (text == NULL)
        return NULL;
    base64_encode(bytes, text);
    json_t *value = json_stringn(text, n);
    explicit_bzero(text, n);
    free(text);
    return value;
}

/* An entry of a map: {1 key, 2 value}. */
static bool put_entry(json_t *map, struct slice entry, bool is_base64)
{
    struct slice key = SLICE_LIT("");
    struct slice value = SLICE_LIT("");
    struct token t;
    while (entry.len > 0) {
        if (!take_token(&entry, &t) || t.wire != WIRE_BYTES || t.field < 1 || t.field > 2)
            return false;
        *(t.field == 1 ? &key : &value) = t.bytes;
    }
    json_t *name = text_of(key);
    json_t *made = is_base64 ? base64_of(value) : text_of(value);
    bool is_put =
        name != NULL && made != NULL && json_object_set(map, json_string_value(name), made) == 0;
    json_decref(name);
    json_decref(made);
    return is_put;
}

/* {1 type: 1 is a text, 2 number, 3 text}; nothing said: NULL and true. */
static bool read_port(struct slice message, json_t **ret)
{
    uint64_t type = 0;
    uint64_t number = 0;
    struct slice text = SLICE_LIT("");
    struct token t;
    while (message.len > 0) {
        if (!take_token(&message, &t) || t.wire != (t.field == 3 ? WIRE_BYTES : WIRE_VARINT))
            return false;
        if (t.field == 3)
            text = t.bytes;
        else
            *(t.field == 1 ? &type : &number) = t.number;
    }
    *ret = NULL;
    if (type == 0 && number != 0)
        *ret = json_integer((json_int_t)(int32_t)number);
    if (type != 1 || text.len == 0)
        return type <= 1;
    *ret = text_of(text);
    return *ret != NULL;
}

/* The member as an object or a list, made if need be. */
static json_t *member(json_t *object, const char *name, bool is_list)
{
    json_t *found = json_object_get(object, name);
    if (found == NULL &&
        json_object_set_new(object, name, is_list ? json_array() : json_object()) == 0)
        found = json_object_get(object, name);
    return found;
}

static bool is_empty(const struct token *t)
{
    return t->wire == WIRE_BYTES ? t->bytes.len == 0 : t->wire == WIRE_VARINT && t->number == 0;
}

/* A field whose value has no messages in it. False: it is broken. */
static bool put_plain(json_t *object, const struct field *f, const struct token *t)
{
    bool is_bool = f->form == FORM_BOOL || f->form == FORM_FLAG;
    bool is_number = f->form == FORM_NUMBER || is_bool;
    json_t *value = NULL;
    if (t->wire != (is_number ? WIRE_VARINT : WIRE_BYTES))
        return false;
    if (f->form == FORM_TEXT_MAP || f->form == FORM_BYTES_MAP)
        return put_entry(member(object, f->name, false), t->bytes, f->form == FORM_BYTES_MAP);
    if (is_empty(t) && f->form != FORM_BOOL)
        return true;
    if (f->form == FORM_PORT && !read_port(t->bytes, &value))
        return false;
    if (f->form == FORM_PORT && value == NULL)
        return true;
    if (f->form == FORM_TEXT || f->form == FORM_TEXTS)
        value = text_of(t->bytes);
    else if (f->form == FORM_NUMBER)
        value = json_integer((json_int_t)t->number);
    else if (is_bool)
        value = json_boolean(t->number != 0);
    if (f->form == FORM_TEXTS)
        return json_array_append_new(member(object, f->name, true), value) == 0;
    return json_object_set_new(object, f->name, value) == 0;
}

/* ---- messages ---- */

struct level {
    struct slice left;
    const struct field *message;
    json_t *object; /* borrowed */
};

static const struct field *find_field(const struct field *message, unsigned number)
{
    while (message->form != FORM_END && message->number != number)
        message++;
    return message->form != FORM_END ? message : NULL;
}

/* The level of a message in a message. False: too deep, or broken. */
static bool go_down(struct level *levels, unsigned *n, const struct field *f, const struct token *t)
{
    json_t *object = NULL;
    json_t *above = levels[*n - 1].object;
    if (t->wire != WIRE_BYTES || *n == PROTOBUF_DEPTH_MAX)
        return false;
    if (f->form == FORM_MESSAGE) {
        object = member(above, f->name, false);
    } else {
        object = json_object();
        if (json_array_append_new(member(above, f->name, true), object) != 0)
            return false;
    }
    levels[(*n)++] = (struct level){t->bytes, f->message, object};
    return object != NULL;
}

static bool read_message(struct slice bytes, const struct field *message, json_t *object)
{
    struct level levels[PROTOBUF_DEPTH_MAX];
    unsigned n = 0;
    levels[n++] = (struct level){bytes, message, object};
    while (n > 0) {
        struct level *l = &levels[n - 1];
        struct token t;
        if (l->left.len == 0) {
            n -= 1;
            continue;
        }
        if (!take_token(&l->left, &t))
            return false;
        const struct field *f = find_field(l->message, t.field);
        bool is_message = f != NULL && (f->form == FORM_MESSAGE || f->form == FORM_MESSAGES);
        if (f == NULL    ? !is_empty(&t)
            : is_message ? !go_down(levels, &n, f, &t)
                         : f->form != FORM_IGNORED && !put_plain(l->object, f, &t))
            return false;
    }
    return true;
}

static const struct field type_meta[] = {
    {1, FORM_TEXT, "apiVersion", NULL}, {2, FORM_TEXT, "kind", NULL}, {0}};

json_t *protobuf_read(struct slice bytes)
{
    struct slice raw = SLICE_LIT("");
    struct token t;
    json_t *object = json_object();
    if (bytes.len < MAGIC_BYTES || memcmp(bytes.ptr, "k8s\0", MAGIC_BYTES) != 0)
        goto broken;
    bytes = slice_skip(bytes, MAGIC_BYTES);
    while (bytes.len > 0) {
        if (!take_token(&bytes, &t) || t.wire != WIRE_BYTES ||
            (t.field == 1 && !read_message(t.bytes, type_meta, object)))
            goto broken;
        if (t.field == 2)
            raw = t.bytes;
    }
    const char *kind = json_string_value(json_object_get(object, "kind"));
    for (size_t i = 0; kind != NULL && i < array_len(kinds); i++) {
        if (strcmp(kind, kinds[i].kind) == 0 && read_message(raw, kinds[i].message, object))
            return object;
    }
broken:
    json_decref(object);
    return NULL;
}
