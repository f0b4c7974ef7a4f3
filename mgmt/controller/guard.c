/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before a copy of a Namespace is removed: an appliance removes what is in it along with it, and
 * that may be somebody else's. So each kind is asked for objects there that are not of this
 * cluster; if there is one, the Namespace is given up instead: it loses our label and stays.
 */
#include "controller/mirror_priv.h"

#include "base/container.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void ask_next(struct copy *c);

/* Nothing of somebody else's is in it, or it cannot be known. */
static void go_on(struct copy *c, int error)
{
    if (error == 0)
        return;
    flight_come_later(c, &(struct kube_answer){.status = error, .text = strerror(-error)});
}

static void on_given_up(void *owner, const struct kube_answer *answer)
{
    struct copy *c = owner;
    if (flight_is_for_later(answer->status)) {
        flight_come_later(c, answer);
        return;
    }
    c->appliance->failures = 0;
    copy_note(c, NULL); /* it is somebody else's now */
    copy_clear_trouble(c);
    copy_land(c, false);
}

static void give_up(struct copy *c)
{
    static const char *const ours[] = {MIRROR_UID, MIRROR_GENERATION, MIRROR_CREATED, MIRROR_HASH,
                                       MIRROR_CLUSTER};
    json_t *annotations = json_object();
    for (size_t i = 0; i < array_len(ours); i++)
        json_object_set_new(annotations, ours[i], json_null());
    json_t *patch = json_pack("{s:{s:{s:n},s:o}}", "metadata", "labels", MIRROR_LABEL,
                              "annotations", annotations);
    go_on(c, patch != NULL ? flight_send(c, "PATCH", patch, on_given_up) : -ENOMEM);
    json_decref(patch);
}

static void on_answer(void *owner, const struct kube_answer *answer)
{
    struct copy *c = owner;
    const json_t *items = json_object_get(answer->body, "items");
    if (answer->status != 200 && answer->status != 404) {
        flight_come_later(c, answer); /* who cannot look may not remove */
        return;
    }
    if (answer->status == 200 && json_array_size(items) > 0) {
        give_up(c);
        return;
    }
    c->guard += 1;
    ask_next(c);
}

/* A list of what is in the Namespace and not ours, one object at most. */
static int ask(struct copy *c, enum kind kind)
{
    char path[KUBE_PATH_MAX];
    char name[254];
    const struct mirror *m = c->appliance->mirror;
    if (!copy_name_there(&m->names, c->object->node->name, name) ||
        !source_path(c->appliance->source, kind, name, NULL, NULL, path))
        return -EINVAL;
    size_t n = strlen(path);
    snprintf(path + n, sizeof(path) - n,
             "?limit=1&labelSelector=sluice.internal%%2Fcluster%%21%%3D%s", m->names.cluster);
    const struct kube_request request = {
        .method = "GET", .path = path, .on_done = on_answer, .owner = c};
    return kube_call(c->appliance->kube, &request, &c->call);
}

static void ask_next(struct copy *c)
{
    while (c->guard < KIND_COUNT &&
           (!kind_info((enum kind)c->guard)->is_namespaced ||
            source_api_version(c->appliance->source, (enum kind)c->guard) == NULL))
        c->guard += 1;
    go_on(c, c->guard < KIND_COUNT ? ask(c, (enum kind)c->guard) : flight_remove(c));
}

void guard_begin(struct copy *c)
{
    c->guard = 0;
    ask_next(c);
}
