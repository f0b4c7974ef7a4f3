/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May what a kind lacks be believed to be gone? Asked one after the other: is this the cluster that
 * the objects are of (uid of its oldest namespace); is the kind's definition there and not on its
 * way out; and where that cannot be asked, does discovery still say that objects can be created.
 *
 * A CustomResourceDefinition that is deleted takes its objects along one by one, each as if
 * somebody had deleted it. It has a deletionTimestamp before the first of them goes, and a GET
 * without a resourceVersion is answered from the store: one that was sent after a deletion was seen
 * cannot miss it. Discovery can: an API server takes its time to say what it has just learnt. And
 * an object that is older than the definition of its kind went with an earlier one.
 */
#include "controller/source_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A definition has hundreds of kilobytes; its metadata is enough. */
#define METADATA_ONLY "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
#define DEFINITIONS "apiextensions.k8s.io/v1"

struct verify {
    struct source *source;
    enum kind kind;
    verify_done_fn on_done;
    void *owner;
    struct kube_call *call;
    bool is_asking_default;
    struct verdict verdict;
    char name[128]; /* of the definition */
};

static void end_verify(struct verify *v, const char *doubt)
{
    v->verdict.doubt = doubt;
    v->on_done(v->owner, &v->verdict);
    free(v);
}

static int ask(struct verify *v, const char *path, const char *accept, kube_done_fn on_done)
{
    const struct kube_request request = {
        .method = "GET",
        .path = path,
        .accept = accept,
        .is_urgent = true, /* not behind thousands of statuses */
        .on_done = on_done,
        .owner = v,
    };
    return kube_call(v->source->kube, &request, &v->call);
}

/* The next question has been asked, or that was the end. */
static void go_on(struct verify *v, int error)
{
    if (error != 0)
        end_verify(v, "the API server could not be asked");
}

/* ---- what discovery says ---- */

static bool is_creatable(const json_t *answer, const char *plural)
{
    size_t i, j;
    const json_t *resource;
    const json_t *verb;
    json_array_foreach(json_object_get(answer, "resources"), i, resource)
    {
        if (strcmp(kube_text_at(resource, "name"), plural) != 0)
            continue;
        json_array_foreach(json_object_get(resource, "verbs"), j, verb)
        {
            if (strcmp(json_string_value(verb), "create") == 0)
                return true;
        }
    }
    return false;
}

static void on_resources(void *owner, const struct kube_answer *answer)
{
    struct verify *v = owner;
    if (answer->status != 200)
        end_verify(v, "the API server could not be asked");
    else if (!is_creatable(answer->body, kind_info(v->kind)->plural))
        end_verify(v, "the kind is being removed");
    else
        end_verify(v, NULL);
}

static void ask_resources(struct verify *v)
{
    char path[KUBE_PATH_MAX];
    const char *version = source_api_version(v->source, v->kind);
    if (version == NULL) {
        end_verify(v, "the kind is not served");
        return;
    }
    snprintf(path, sizeof(path), "%s/%s", strchr(version, '/') != NULL ? "/apis" : "/api", version);
    go_on(v, ask(v, path, NULL, on_resources));
}

/* ---- the definition ---- */

static void on_definition(void *owner, const struct kube_answer *answer)
{
    struct verify *v = owner;
    bool is_it = strcmp(kube_text_at(answer->body, "metadata.name"), v->name) == 0;
    bool is_gone =
        answer->status == 404 && strcmp(kube_text_at(answer->body, "details.name"), v->name) == 0;
    if (answer->status == 200 && is_it) {
        const char *since = kube_text_at(answer->body, "metadata.creationTimestamp");
        bool is_going = kube_text_at(answer->body, "metadata.deletionTimestamp")[0] != '\0';
        snprintf(v->verdict.kind_since, sizeof(v->verdict.kind_since), "%s", since);
        end_verify(v, is_going ? "the kind's definition is being deleted" : NULL);
    } else if (is_gone) {
        end_verify(v, "the kind's definition was deleted");
    } else if (answer->status == 404 || answer->status == 403) {
        /* 404: a server without definitions, an appliance; its kinds are its own */
        v->verdict.is_late = answer->status == 403;
        ask_resources(v);
    } else {
        end_verify(v, "the API server could not be asked");
    }
}

static int ask_definition(struct verify *v)
{
    char path[KUBE_PATH_MAX];
    const struct kind_info *info = kind_info(v->kind);
    snprintf(v->name, sizeof(v->name), "%s.%s", info->plural, info->group);
    return kube_path(path, DEFINITIONS, "customresourcedefinitions", NULL, v->name, NULL)
               ? ask(v, path, METADATA_ONLY, on_definition)
               : -EINVAL;
}

/* ---- the cluster ---- */

static void on_identity(void *owner, const struct kube_answer *answer)
{
    struct verify *v = owner;
    struct source *s = v->source;
    if (answer->status == 404 && !v->is_asking_default) {
        v->is_asking_default = true;
        go_on(v, ask(v, discovery_identity_path(true), NULL, on_identity));
        return;
    }
    const char *uid = kube_text_at(answer->body, "metadata.uid");
    if (answer->status != 200 || uid[0] == '\0') {
        end_verify(v, "the API server could not be asked");
        return;
    }
    snprintf(s->uid, sizeof(s->uid), "%s", uid);
    if (strcmp(uid, s->uid_expected) != 0)
        end_verify(v, "this is not the cluster that they are of");
    else if (kind_info(v->kind)->is_custom)
        go_on(v, ask_definition(v));
    else
        ask_resources(v);
}

/* ---- all ---- */

static int begin(struct source *s, enum kind kind, verify_done_fn on_done, void *owner,
                 struct verify **ret)
{
    struct verify *v = calloc(1, sizeof(*v));
    if (v == NULL)
        return -ENOMEM;
    v->source = s;
    v->kind = kind;
    v->on_done = on_done;
    v->owner = owner;
    *ret = v;
    return 0;
}

/* As the call that could or could not be made. */
static int begun(struct verify **ret, int error)
{
    if (error != 0) {
        free(*ret);
        *ret = NULL;
    }
    return error;
}

int verify_list(struct source *s, enum kind kind, verify_done_fn on_done, void *owner,
                struct verify **ret)
{
    int error = begin(s, kind, on_done, owner, ret);
    return error != 0 ? error
                      : begun(ret, ask(*ret, discovery_identity_path(false), NULL, on_identity));
}

int verify_deletion(struct source *s, enum kind kind, verify_done_fn on_done, void *owner,
                    struct verify **ret)
{
    int error = begin(s, kind, on_done, owner, ret);
    return error != 0 ? error : begun(ret, ask_definition(*ret));
}

void verify_cancel(struct verify *v)
{
    kube_call_cancel(v->call);
    free(v);
}
