/* SPDX-License-Identifier: Apache-2.0 */
/* The client's functions, answered from the test's own objects. */
#include "fake_kube.h"

#include "base/container.h"
#include "base/list.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kube {
    struct list_node calls, watches;
};

struct kube_call {
    struct list_node link;
    char path[KUBE_PATH_MAX];
    kube_done_fn on_done;
    void *owner;
};

struct kube_watch {
    struct list_node link;
    char path[KUBE_PATH_MAX];
    struct kube_watch_request request;
};

struct fake_server server;
static struct kube the_kube;

struct kube *fake_new(void)
{
    server = (struct fake_server){
        .is_creatable = true,
        .definition = 200,
        .definition_since = "2026-01-01T00:00:00Z",
        .going_after = -1,
        .uid = "uid-1",
        .version = 100,
    };
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        server.objects[i] = json_array();
        server.is_served[i] = true;
    }
    list_init(&the_kube.calls);
    list_init(&the_kube.watches);
    return &the_kube;
}

void fake_free(struct kube *k)
{
    for (unsigned i = 0; i < KIND_COUNT; i++)
        json_decref(server.objects[i]);
    json_decref(server.fail_body);
}

json_t *fake_object(enum kind kind, const char *namespace_, const char *name, unsigned version)
{
    json_t *object =
        json_pack("{s:{s:s,s:o,s:s}}", "metadata", "name", name, "resourceVersion",
                  json_sprintf("%u", version != 0 ? version : server.version), "uid", name);
    if (kind_info(kind)->is_namespaced)
        json_object_set_new(json_object_get(object, "metadata"), "namespace",
                            json_string(namespace_));
    return object;
}

void fake_remove(enum kind kind, const char *name)
{
    for (size_t i = json_array_size(server.objects[kind]); i > 0; i--) {
        const json_t *o = json_array_get(server.objects[kind], i - 1);
        if (strcmp(kube_text_at(o, "metadata.name"), name) == 0)
            json_array_remove(server.objects[kind], i - 1);
    }
}

void fake_put(enum kind kind, json_t *object)
{
    fake_remove(kind, kube_text_at(object, "metadata.name"));
    json_array_append_new(server.objects[kind], object);
}

/* ---- the client's functions ---- */

int kube_call(struct kube *k, const struct kube_request *request, struct kube_call **ret)
{
    struct kube_call *call = calloc(1, sizeof(*call));
    snprintf(call->path, sizeof(call->path), "%s", request->path);
    call->on_done = request->on_done;
    call->owner = request->owner;
    list_push_back(&k->calls, &call->link);
    if (ret != NULL)
        *ret = call;
    return 0;
}

void kube_call_cancel(struct kube_call *call)
{
    list_remove(&call->link);
    free(call);
}

int kube_watch_open(struct kube *k, const struct kube_watch_request *request,
                    struct kube_watch **ret)
{
    struct kube_watch *w = calloc(1, sizeof(*w));
    snprintf(w->path, sizeof(w->path), "%s", request->path);
    w->request = *request;
    list_push_back(&k->watches, &w->link);
    server.n_watches += 1;
    const char *version = strstr(request->path, "resourceVersion=");
    snprintf(server.watch_version, sizeof(server.watch_version), "%.*s",
             version != NULL ? (int)strcspn(version + 16, "&") : 0,
             version != NULL ? version + 16 : "");
    *ret = w;
    return 0;
}

void kube_watch_close(struct kube_watch *w)
{
    if (w == NULL)
        return;
    list_remove(&w->link);
    free(w);
}

/* ---- the server ---- */

/* The path without its query ends in /PLURAL. */
static bool is_of(const char *path, enum kind kind)
{
    const char *plural = kind_info(kind)->plural;
    size_t n = strcspn(path, "?");
    size_t m = strlen(plural);
    return n > m && path[n - m - 1] == '/' && strncmp(path + n - m, plural, m) == 0;
}

static json_t *resources(const char *group)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (strcmp(kind_info((enum kind)i)->group, group) != 0 || !server.is_served[i])
            continue;
        json_array_append_new(list, json_pack("{s:s,s:[s,s]}", "name",
                                              kind_info((enum kind)i)->plural, "verbs", "list",
                                              server.is_creatable ? "create" : "delete"));
    }
    return json_pack("{s:o}", "resources", list);
}

static json_t *page_of(enum kind kind, const char *path)
{
    const char *token = strstr(path, "continue=");
    size_t at = token != NULL ? strtoul(token + 9, NULL, 10) : 0;
    size_t n = json_array_size(server.objects[kind]);
    size_t end = server.page != 0 && strstr(path, "limit=0") == NULL ? at + server.page : n;
    json_t *items = json_array();
    for (size_t i = at; i < end && i < n; i++)
        json_array_append(items, json_array_get(server.objects[kind], i));
    json_t *list = json_pack("{s:{s:o},s:o}", "metadata", "resourceVersion",
                             json_sprintf("%u", server.version), "items", items);
    if (end < n)
        json_object_set_new(json_object_get(list, "metadata"), "continue",
                            json_sprintf("%zu", end));
    return list;
}

static int answer_list(enum kind kind, const char *path, json_t **body)
{
    bool is_first = strstr(path, "continue=") == NULL;
    server.n_lists += is_first;
    server.n_whole_lists += strstr(path, "limit=0") != NULL;
    *body = json_incref(server.fail_body);
    if (server.fail_status != 0)
        return server.fail_status;
    if (server.fail_pages != 0 && !is_first)
        return server.fail_pages;
    if (!server.is_served[kind])
        return 404;
    json_decref(*body);
    *body = page_of(kind, path);
    return 200;
}

/* One object of a kind: .../PLURAL/NAME. */
static int answer_get(const char *path, json_t **body)
{
    const char *name = strrchr(path, '/') + 1;
    server.n_gets += 1;
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        size_t j;
        json_t *object;
        json_array_foreach(server.objects[i], j, object)
        {
            if (kind_info((enum kind)i)->is_named &&
                strcmp(kube_text_at(object, "metadata.name"), name) == 0) {
                *body = json_incref(object);
                return 200;
            }
        }
    }
    *body = json_pack("{s:{s:s}}", "details", "name", name);
    return 404;
}

/* .../customresourcedefinitions/NAME */
static int answer_definition(const char *name, json_t **body)
{
    bool is_going = server.going_after >= 0 && (int)server.n_definition_gets >= server.going_after;
    server.n_definition_gets += 1;
    if (server.has_none)
        return 404;
    if (server.definition != 200)
        *body = json_pack("{s:{s:s}}", "details", "name", name);
    else
        *body = json_pack("{s:{s:s,s:s,s:s*}}", "metadata", "name", name, "creationTimestamp",
                          server.definition_since, "deletionTimestamp",
                          is_going ? "2026-02-01T00:00:00Z" : NULL);
    return server.definition;
}

static int answer(const char *path, json_t **body)
{
    static const char definitions[] = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/";
    if (strncmp(path, definitions, sizeof(definitions) - 1) == 0)
        return answer_definition(path + sizeof(definitions) - 1, body);

    if (strcmp(path, "/api/v1/namespaces/kube-system") == 0) {
        *body = json_pack("{s:{s:s}}", "metadata", "uid", server.uid);
        return 200;
    }
    if (strcmp(path, "/api/v1") == 0) {
        *body = resources("");
        return 200;
    }
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (is_of(path, (enum kind)i))
            return answer_list((enum kind)i, path, body);
    }
    if (strncmp(path, "/apis/", 6) != 0 || strstr(path, "/namespaces/") != NULL)
        return answer_get(path, body);
    char group[64];
    snprintf(group, sizeof(group), "%.*s", (int)strcspn(path + 6, "/"), path + 6);
    if (strchr(path + 6, '/') != NULL)
        *body = resources(group);
    else
        *body = json_pack("{s:[{s:o}]}", "versions", "groupVersion", json_sprintf("%s/v1", group));
    return 200;
}

void fake_run(struct loop *loop)
{
    struct list_node *node;
    loop_round(loop, 2000);
    while ((node = list_take_front(&the_kube.calls)) != NULL) {
        struct kube_call *call = container_of(node, struct kube_call, link);
        json_t *body = NULL;
        int status = answer(call->path, &body);
        const struct kube_answer a = {.status = status, .body = body, .text = "so said"};
        call->on_done(call->owner, &a);
        json_decref(body);
        free(call);
    }
}

static struct kube_watch *watch_of(enum kind kind)
{
    LIST_EACH (it, &the_kube.watches) {
        struct kube_watch *w = container_of(it, struct kube_watch, link);
        if (is_of(w->path, kind))
            return w;
    }
    return NULL;
}

bool fake_event(enum kind kind, const char *type, json_t *object)
{
    struct kube_watch *w = watch_of(kind);
    json_t *event = json_pack("{s:s,s:o}", "type", type, "object", object);
    if (w != NULL)
        w->request.on_event(w->request.owner, event);
    json_decref(event);
    return w != NULL;
}

bool fake_end_watch(enum kind kind, int status)
{
    struct kube_watch *w = watch_of(kind);
    if (w == NULL)
        return false;
    list_remove(&w->link);
    w->request.on_end(w->request.owner, &(struct kube_answer){.status = status, .text = "over"});
    free(w);
    return true;
}

bool fake_is_watched(enum kind kind)
{
    return watch_of(kind) != NULL;
}
