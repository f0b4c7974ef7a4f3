/* SPDX-License-Identifier: Apache-2.0 */
/* Who speaks of an object, and what comes of it. See status.h. */
#include "controller/status_priv.h"

#include "model/text.h"

#include <string.h>
#include <time.h>

#define GATEWAY_API_GROUP "gateway.networking.k8s.io"

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text);
    size_t m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

bool status_shape(enum kind kind, enum merge_shape *ret)
{
    const struct kind_info *info = kind_info(kind);
    bool is_gateway_api = strcmp(info->group, GATEWAY_API_GROUP) == 0;
    if (is_gateway_api && strcmp(info->name, "GatewayClass") == 0) {
        *ret = MERGE_CLASS;
    } else if (is_gateway_api &&
               (strcmp(info->name, "Gateway") == 0 || strcmp(info->name, "ListenerSet") == 0)) {
        *ret = MERGE_GATEWAY;
    } else if (ends_with(info->name, "Route")) {
        *ret = MERGE_PARENTS;
    } else if (!is_gateway_api && strcmp(info->name, "Backend") == 0) {
        *ret = MERGE_CLASS;
    } else if (ends_with(info->name, "Policy")) {
        *ret = MERGE_ANCESTORS;
    } else {
        return false;
    }
    return true;
}

/* What a merge asks of us. */
struct asked {
    const struct status *s;
    const char *namespace_; /* of the object */
};

static const char *text_or(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : otherwise;
}

/* What routes attach to: Gateways and ListenerSets, and Services if those are ours, too. */
static bool is_parent(const struct mirror *m, enum kind kind)
{
    enum merge_shape shape;
    if (kind == KIND_SERVICE) {
        return mirror_has_mesh(m);
    }
    return kind != KIND_COUNT && status_shape(kind, &shape) && shape == MERGE_GATEWAY;
}

static bool is_ours(void *ctx, const json_t *ref)
{
    const struct asked *asked = ctx;
    enum kind kind =
        kind_find(text_or(ref, "group", GATEWAY_API_GROUP), text_or(ref, "kind", "Gateway"));
    return is_parent(asked->s->config.mirror, kind) &&
           mirror_is_relevant(asked->s->config.mirror, kind,
                              text_or(ref, "namespace", asked->namespace_),
                              text_or(ref, "name", ""));
}

static bool name_here(void *ctx, const char *there, char ret[MERGE_NAME_BYTES])
{
    const struct asked *asked = ctx;
    return mirror_name_here(asked->s->config.mirror, there, ret);
}

/* Does trying again not help, as long as the object is as it is? */
static bool is_refusal(const struct mirror_trouble *trouble)
{
    if (strcmp(trouble->reason, "NotServed") == 0) {
        return true; /* an older appliance */
    }
    return trouble->status >= 400 && trouble->status < 500 && trouble->status != 401 &&
           trouble->status != 404 && trouble->status != 408 && trouble->status != 429;
}

static struct merge_voice hear(const struct status *s, size_t appliance, enum kind kind,
                               const json_t *object)
{
    const char *namespace_ = kube_text_at(object, "metadata.namespace");
    const char *name = kube_text_at(object, "metadata.name");
    const struct mirror *m = s->config.mirror;
    const struct mirror_trouble *trouble = mirror_trouble_of(m, appliance, kind, namespace_, name);
    struct merge_voice v = {
        .appliance = mirror_appliance_name(m, appliance),
        .copy = mirror_copy(m, appliance, kind, namespace_, name),
    };
    struct mirror_origin origin;
    int64_t generation =
        json_integer_value(json_object_get(json_object_get(object, "metadata"), "generation"));
    if (trouble != NULL && is_refusal(trouble) && trouble->generation == generation) {
        v.refusal = trouble->text;
    }
    v.is_current = v.copy != NULL && mirror_origin_of(m, v.copy, &origin) &&
                   strcmp(origin.uid, kube_text_at(object, "metadata.uid")) == 0 &&
                   origin.generation == generation;
    return v;
}

json_t *status_wanted(struct status *s, enum kind kind, const json_t *object)
{
    struct merge_voice voices[MERGE_VOICES_MAX];
    char now[TEXT_TIME_BYTES];
    struct asked asked = {s, kube_text_at(object, "metadata.namespace")};
    struct merge_question q = {
        .object = object,
        .controller_name = s->config.controller_name,
        .own_feature = "GatewayInfrastructurePropagation", /* infra.h */
        .now = now,
        .voices = voices,
        .is_ours = is_ours,
        .name_here = name_here,
        .ctx = &asked,
    };
    if (!status_shape(kind, &q.shape)) {
        return NULL;
    }
    text_of_time(time(NULL), now);
    if (mirror_is_relevant(s->config.mirror, kind, asked.namespace_,
                           kube_text_at(object, "metadata.name"))) {
        size_t n = mirror_appliance_count(s->config.mirror);
        for (size_t i = 0; i < n && i < MERGE_VOICES_MAX; i++) {
            voices[q.n_voices++] = hear(s, i, kind, object);
        }
    }
    return merge_status(&q);
}

/* ---- finalizers ---- */

struct use {
    const struct source *source;
    const char *class_name;
    bool is_used;
};

/* One that is held is not in the cluster: were it counted, the definition of classes could not be
 * deleted, and so not made anew, as long as that of Gateways is not back. */
static void look_for_use(void *owner, json_t *gateway)
{
    struct use *use = owner;
    bool is_of_class = strcmp(kube_text_at(gateway, "spec.gatewayClassName"), use->class_name) == 0;
    if (is_of_class && !use->is_used)
        use->is_used =
            !source_is_held(use->source, KIND_GATEWAY, kube_text_at(gateway, "metadata.namespace"),
                            kube_text_at(gateway, "metadata.name"));
}

json_t *status_class_finalizers(const struct status *s, const json_t *object)
{
    if (strcmp(kube_text_at(object, "spec.controllerName"), s->config.controller_name) != 0) {
        return NULL;
    }
    struct use use = {.source = s->config.source,
                      .class_name = kube_text_at(object, "metadata.name")};
    source_foreach(s->config.source, KIND_GATEWAY, look_for_use, &use);
    bool is_there = false;
    bool is_going = kube_text_at(object, "metadata.deletionTimestamp")[0] != '\0';
    json_t *finalizers = json_array();
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(json_object_get(object, "metadata"), "finalizers"), i, each)
    {
        const char *text = json_string_value(each);
        if (text != NULL && strcmp(text, STATUS_CLASS_FINALIZER) == 0) {
            is_there = true;
        } else {
            json_array_append(finalizers, each);
        }
    }
    if (is_there == use.is_used || (is_going && !is_there)) {
        json_decref(finalizers); /* as it has to be, or too late: none can be added to it */
        return NULL;
    }
    if (use.is_used) {
        json_array_append_new(finalizers, json_string(STATUS_CLASS_FINALIZER));
    }
    return finalizers;
}
