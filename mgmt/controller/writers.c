/* SPDX-License-Identifier: Apache-2.0 */
/* See writers.h. */
#include "controller/writers.h"

#include "base/assert.h"
#include "controller/events.h"
#include "controller/infra.h"
#include "controller/lease.h"
#include "controller/probe.h"
#include "controller/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMPONENT "sluice-controller"
/* Where the Lease is when nobody says and the kubeconfig names no namespace. */
#define LEASE_NAMESPACE "sluice-system"

static int complain(int error, const char *what)
{
    fprintf(stderr, "sluice-controller: %s: %s\n", what, strerror(-error));
    return error;
}

/* ---- who leads ---- */

static void lead(struct writers *w, bool is_leader)
{
    status_lead(w->status, is_leader);
    infra_lead(w->infra, is_leader);
    if (is_leader) {
        mirror_resume(w->controller->mirror);
    }
}

static void on_leader(void *owner, bool is_leader)
{
    struct writers *w = owner;
    fprintf(stderr, "sluice-controller: %s %s the lease\n", lease_identity(w->lease),
            is_leader ? "holds" : "holds no more");
    lead(w, is_leader);
}

bool writers_may(const struct writers *w)
{
    return w != NULL && w->on_left == NULL && (w->lease == NULL || lease_is_leader(w->lease));
}

static int make_lease(struct writers *w)
{
    const struct options *o = &w->controller->options;
    const char *namespace_ =
        o->lease_namespace != NULL ? o->lease_namespace : o->cluster.namespace_;
    struct lease_config config = {
        .loop = w->controller->loop,
        .kube = w->controller->kube,
        .namespace_ = namespace_ != NULL ? namespace_ : LEASE_NAMESPACE,
        .name = o->lease_name,
        .identity = o->identity,
        .owner = w,
        .on_change = on_leader,
    };
    int error = lease_new(&config, &w->lease);
    return error != 0 ? complain(error, "the lease") : 0;
}

/* ---- all ---- */

static int make_parts(struct writers *w)
{
    struct controller *c = w->controller;
    const struct events_config events = {
        .loop = c->loop,
        .kube = c->kube,
        .component = COMPONENT,
        .instance = c->options.identity != NULL ? c->options.identity : COMPONENT,
    };
    int error = events_new(&events, &w->events);
    const struct status_config status = {
        .loop = c->loop,
        .source = c->source,
        .mirror = c->mirror,
        .events = w->events,
        .controller_name = c->options.controller_name,
    };
    const struct infra_config infra = {
        .loop = c->loop, .source = c->source, .mirror = c->mirror, .events = w->events};
    error = error == 0 ? status_new(&status, &w->status) : error;
    error = error == 0 ? infra_new(&infra, &w->infra) : error;
    return error != 0 ? complain(error, "what writes to the cluster") : 0;
}

static int make_probe(struct writers *w)
{
    const struct options *o = &w->controller->options;
    struct probe_config config = {
        .loop = w->controller->loop,
        .owner = w,
        .is_ready = writers_are_ready,
        .metrics = metrics_write,
    };
    if (strcmp(o->listen, "none") == 0) {
        return 0;
    }
    if (!probe_parse_listen(o->listen, &config.addr, &config.port)) {
        fprintf(stderr, "sluice-controller: --listen wants ADDR:PORT or none, not %s\n", o->listen);
        return -EINVAL;
    }
    int error = probe_new(&config, &w->probe);
    return error != 0 ? complain(error, o->listen) : 0;
}

int writers_new(struct controller *c, struct writers **ret)
{
    struct writers *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        return -ENOMEM;
    }
    w->controller = c;
    *ret = w;
    int error = make_parts(w);
    if (error == 0 && c->options.has_lease) {
        error = make_lease(w);
    } else if (error == 0) {
        lead(w, true);
    }
    return error == 0 ? make_probe(w) : error;
}

void writers_free(struct writers *w)
{
    if (w == NULL) {
        return;
    }
    probe_free(w->probe);
    lease_free(w->lease);
    infra_free(w->infra);
    status_free(w->status);
    events_free(w->events);
    free(w);
}

/* ---- what is heard ---- */

void writers_on_change(struct writers *w, const struct source_change *change)
{
    status_on_change(w->status, change);
    infra_on_change(w->infra, change);
}

void writers_on_state(struct writers *w)
{
    status_on_state(w->status);
    infra_on_state(w->infra);
}

struct held {
    const struct writers *w;
    const char *type, *reason, *message;
};

static void tell_class(void *owner, json_t *class)
{
    const struct held *h = owner;
    const char *name = kube_text_at(class, "metadata.name");
    if (mirror_is_relevant(h->w->controller->mirror, KIND_GATEWAY_CLASS, "", name)) {
        events_say(h->w->events, class, h->type, h->reason, h->message);
    }
}

void writers_on_held(struct writers *w, enum kind kind, const char *text)
{
    char message[EVENTS_MESSAGE_BYTES_MAX];
    const struct source *source = w->controller->source;
    bool is_over = source_held(source, kind) == 0;
    snprintf(message, sizeof(message), "%s: %s", kind_info(kind)->plural, text);
    struct held held = {w, is_over ? "Normal" : "Warning",
                        is_over ? "DeletionsResolved" : "DeletionsHeld", message};
    if (writers_may(w)) {
        source_foreach(source, KIND_GATEWAY_CLASS, tell_class, &held);
    }
}

void writers_on_news(struct writers *w, enum kind kind, const char *namespace_, const char *name)
{
    status_on_news(w->status, kind, namespace_, name);
    infra_on_news(w->infra, kind, namespace_, name);
}

static void on_released(void *owner)
{
    struct writers *w = owner;
    w->on_left(w->controller);
}

void writers_leave(struct writers *w, void (*on_left)(struct controller *c))
{
    if (w->on_left != NULL) {
        return; /* it is on its way */
    }
    w->on_left = on_left;
    lead(w, false);
    if (w->lease != NULL) {
        lease_release(w->lease, on_released);
    } else {
        on_left(w->controller);
    }
}

bool writers_are_ready(void *owner, char *text, size_t size)
{
    const struct writers *w = owner;
    const struct controller *c = w->controller;
    if (!source_is_all_synced(c->source)) {
        snprintf(text, size, "the cluster was not listed whole yet");
        return false;
    }
    for (size_t i = 0; i < mirror_appliance_count(c->mirror); i++) {
        if (!source_is_all_synced(mirror_appliance_source(c->mirror, i))) {
            snprintf(text, size, "appliance %s was not listed whole yet",
                     mirror_appliance_name(c->mirror, i));
            return false;
        }
    }
    return true;
}
