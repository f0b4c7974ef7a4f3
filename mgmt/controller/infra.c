/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what stands for the Gateways. See infra.h. */
#include "controller/infra.h"

#include "base/assert.h"
#include "controller/chores.h"
#include "controller/events.h"
#include "controller/infra_shape.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct infra {
    struct infra_config config;
    struct chores *chores;
    struct infra_stats stats;
    bool is_leader;
};

static enum kind kind_of(enum infra_object which)
{
    return which == INFRA_SERVICE ? KIND_SERVICE : KIND_ENDPOINT_SLICE;
}

/* ---- one object of a Gateway ---- */

static void create(struct infra *i, struct chore *c, enum infra_object which, const json_t *wanted)
{
    char path[KUBE_PATH_MAX];
    const char *api_version = source_api_version(i->config.source, kind_of(which));
    if (api_version != NULL && kube_path(path, api_version, kind_info(kind_of(which))->plural,
                                         c->namespace_, NULL, NULL)) {
        chore_send(c, "POST", path, NULL, wanted);
    }
}

static bool change(struct infra *i, struct chore *c, enum infra_object which, const json_t *there,
                   const json_t *wanted)
{
    char path[KUBE_PATH_MAX];
    json_t *patch = infra_patch(there, wanted);
    bool is_sent = patch != NULL && source_path(i->config.source, kind_of(which), c->namespace_,
                                                kube_text_at(there, "metadata.name"), NULL, path);
    if (is_sent) {
        chore_send(c, "PATCH", path, "application/merge-patch+json", patch);
    }
    json_decref(patch);
    return is_sent;
}

static void take_away(struct infra *i, struct chore *c, enum infra_object which,
                      const json_t *there)
{
    char path[KUBE_PATH_MAX];
    json_t *options = json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
                                "preconditions", "uid", kube_text_at(there, "metadata.uid"));
    if (source_path(i->config.source, kind_of(which), c->namespace_,
                    kube_text_at(there, "metadata.name"), NULL, path)) {
        chore_send(c, "DELETE", path, NULL, options);
    }
    json_decref(options);
}

static void tell_of_stranger(struct infra *i, const json_t *gateway, enum infra_object which,
                             const char *name)
{
    char message[300];
    i->stats.strangers++;
    if (i->config.events != NULL) {
        snprintf(message, sizeof(message), "%s %s belongs to somebody else and is left alone",
                 kind_info(kind_of(which))->name, name);
        events_say(i->config.events, gateway, "Warning", "InfrastructureNameTaken", message);
    }
}

/* True: a call was sent. */
static bool look_at(struct infra *i, struct chore *c, const json_t *gateway,
                    enum infra_object which, bool is_ours)
{
    char name[INFRA_NAME_BYTES + 8];
    infra_object_name(gateway, which, name);
    const json_t *there = source_get(i->config.source, kind_of(which), c->namespace_, name);
    json_t *wanted = is_ours ? infra_wanted(gateway, which) : NULL;
    bool is_sent = false;
    if (there == NULL && wanted != NULL) {
        create(i, c, which, wanted);
        is_sent = true;
    } else if (there != NULL && !infra_is_of(there, gateway)) {
        if (wanted != NULL) {
            tell_of_stranger(i, gateway, which, name);
        }
    } else if (there != NULL && wanted != NULL) {
        is_sent = change(i, c, which, there, wanted);
    } else if (there != NULL) {
        take_away(i, c, which, there);
        is_sent = true;
    }
    json_decref(wanted);
    return is_sent;
}

/* ---- a Gateway ---- */

static bool is_ready(const struct infra *i)
{
    return i->is_leader && source_is_all_synced(i->config.source);
}

static void look(void *owner, struct chore *c)
{
    struct infra *i = owner;
    const json_t *gateway = chore_object(c);
    if (!is_ready(i) || gateway == NULL ||
        source_is_held(i->config.source, KIND_GATEWAY, c->namespace_, c->name) ||
        kube_text_at(gateway, "metadata.deletionTimestamp")[0] != '\0') {
        return; /* what belongs to it goes with it, and would go again */
    }
    bool is_ours = mirror_is_relevant(i->config.mirror, KIND_GATEWAY, c->namespace_, c->name);
    for (enum infra_object which = INFRA_SERVICE; which <= INFRA_SLICE_IPV6; which++) {
        if (look_at(i, c, gateway, which, is_ours)) {
            return; /* the next one when the cache has seen this */
        }
    }
}

static enum chore_next on_done(void *owner, struct chore *c, const struct kube_answer *answer)
{
    struct infra *i = owner;
    if (answer->status >= 200 && answer->status < 300) {
        i->stats.writes++;
        return CHORE_OVER; /* the watch tells of it, and then the Gateway is looked at again */
    }
    if (answer->status != 409 && answer->status != 404) { /* those: the cache is behind */
        i->stats.failures++;
        if (c->failures == 0) {
            fprintf(stderr,
                    "sluice-controller: what stands for Gateway %s/%s was not written: %s\n",
                    c->namespace_, c->name, answer->text);
        }
    }
    return CHORE_LATER;
}

static void mark(struct infra *i, const char *namespace_, const char *name)
{
    if (is_ready(i) && chores_mark(i->chores, KIND_GATEWAY, namespace_, name) != 0) {
        abort(); /* no memory: we are started again and begin anew */
    }
}

static void mark_each(void *owner, json_t *gateway)
{
    mark(owner, kube_text_at(gateway, "metadata.namespace"),
         kube_text_at(gateway, "metadata.name"));
}

static void mark_all(struct infra *i)
{
    if (is_ready(i)) {
        source_foreach(i->config.source, KIND_GATEWAY, mark_each, i);
    }
}

/* The Gateway that it belongs to, if one. */
static void mark_owner(struct infra *i, const char *namespace_, const json_t *object)
{
    size_t at;
    const json_t *owner;
    const json_t *metadata = json_object_get(object, "metadata");
    json_array_foreach(json_object_get(metadata, "ownerReferences"), at, owner)
    {
        if (strcmp(kube_text_at(owner, "kind"), "Gateway") == 0) {
            mark(i, namespace_, kube_text_at(owner, "name"));
        }
    }
}

void infra_lead(struct infra *i, bool is_leader)
{
    i->is_leader = is_leader;
    if (is_leader) {
        mark_all(i);
    } else {
        chores_drop_all(i->chores);
    }
}

void infra_on_change(struct infra *i, const struct source_change *change)
{
    if (change->kind == KIND_GATEWAY) {
        mark(i, change->namespace_, change->name);
    } else if (change->kind == KIND_SERVICE || change->kind == KIND_ENDPOINT_SLICE) {
        mark_owner(i, change->namespace_, change->object != NULL ? change->object : change->old);
    }
}

void infra_on_state(struct infra *i)
{
    mark_all(i);
}

void infra_on_news(struct infra *i, enum kind kind, const char *namespace_, const char *name)
{
    if (kind == KIND_GATEWAY) {
        mark(i, namespace_, name);
    }
}

/* ---- all ---- */

int infra_new(const struct infra_config *config, struct infra **ret)
{
    struct infra *i = calloc(1, sizeof(*i));
    if (i == NULL) {
        return -ENOMEM;
    }
    i->config = *config;
    struct chores_config chores = {
        .loop = config->loop,
        .source = config->source,
        .owner = i,
        .look = look,
        .on_done = on_done,
    };
    int error = chores_new(&chores, &i->chores);
    if (error != 0) {
        free(i);
        return error;
    }
    *ret = i;
    return 0;
}

void infra_free(struct infra *i)
{
    if (i != NULL) {
        chores_free(i->chores);
        free(i);
    }
}

void infra_stats(const struct infra *i, struct infra_stats *ret)
{
    *ret = i->stats;
}
