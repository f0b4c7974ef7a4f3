/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses of BgpPeers and VirtualRouters: what is in effect, and what BIRD says of sessions. */
#include "routing/routing_priv.h"

#include "model/at.h"
#include "model/condition.h"
#include "model/text.h"
#include "model/types.h"
#include "store/resource.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct session *session_of(const struct routing *r, const char *name)
{
    for (unsigned i = 0; i < r->n_sessions; i++) {
        if (strcmp(r->sessions[i].name, name) == 0) {
            return &r->sessions[i];
        }
    }
    return NULL;
}

static struct verdict accepted(const struct routing *r, const struct routing_peer *p)
{
    if (r->bird == NULL) {
        return (struct verdict){"False", "NoDaemon",
                                "sluice-mgmtd was started without --bird-config"};
    }
    if (p->reason != NULL) {
        return (struct verdict){"False", p->reason, p->message};
    }
    return (struct verdict){"True", "Accepted", "it is in BIRD's configuration"};
}

static struct verdict established(const struct routing *r, const struct routing_peer *p)
{
    const struct session *s = session_of(r, p->name);
    if (r->bird == NULL || p->reason != NULL) {
        return (struct verdict){"False", "NotAccepted", "it is not configured"};
    }
    if (!r->is_there) {
        return (struct verdict){"Unknown", "NoDaemon", "BIRD does not answer"};
    }
    if (r->is_refused) {
        return (struct verdict){"Unknown", "Refused",
                                "BIRD refuses the configuration; see the log"};
    }
    if (s == NULL) {
        return (struct verdict){"Unknown", "Pending", "BIRD has not said anything of it yet"};
    }
    bool is_up = strncmp(s->info, "Established", strlen("Established")) == 0;
    if (is_up) {
        return (struct verdict){"True", "Established", "routes are exchanged"};
    }
    /* "Connect       Socket: No route to host": its states come and go, the error is what counts */
    const char *error = strchr(s->info, ' ');
    error = error != NULL ? error + strspn(error, " ") : "";
    return (struct verdict){"False", "NotEstablished",
                            error[0] != '\0' ? error : "BIRD tries to reach the peer"};
}

/* A transaction, begun when there is something to write. */
struct write {
    struct store *store;
    struct store_txn *txn;
    char now[TEXT_TIME_BYTES];
};

/* Puts the status if it is another; takes `conditions` and `routes` (NULL: there are none). */
static int put_status(struct write *w, const char *resource, const char *name, json_t *conditions,
                      json_t *routes)
{
    const json_t *object = store_get(w->store, resource, NULL, name);
    json_t *status = json_pack("{s:o,s:o*}", "conditions", conditions, "routes", routes);
    int result = status == NULL ? -ENOMEM : 0;
    if (result == 0 && object != NULL && !json_equal(json_object_get(object, "status"), status)) {
        result = w->txn != NULL ? 0 : store_begin(w->store, &w->txn);
        if (result == 0) {
            result = store_put_status(w->txn, resource, NULL, name, status);
        }
    }
    json_decref(status);
    return result;
}

/* The conditions that the object has. */
static const json_t *conditions_of(const struct write *w, const char *resource, const char *name)
{
    const json_t *object = store_get(w->store, resource, NULL, name);
    return json_object_get(json_object_get(object, "status"), "conditions");
}

/* Why not all is taken that a peer tells; reason NULL: it is told nothing. */
static struct verdict learned(const struct routing *r, const struct routing_peer *p)
{
    char protocol[BIRD_NAME_BYTES];
    snprintf(protocol, sizeof(protocol), BIRD_PEER_PREFIX "%s", p->name);
    if (p->accept_limit == 0) {
        return (struct verdict){0};
    }
    if (!r->is_there) {
        return (struct verdict){"Unknown", "NoDaemon",
                                "BIRD does not answer; what it had taken stays in use"};
    }
    if (r->learned.n_left_out > 0) {
        return (struct verdict){"False", "NoRoom",
                                "all peers together have told more routes than 4096"};
    }
    if (learned_count(&r->learned, protocol) >= p->accept_limit) {
        return (struct verdict){"False", "LimitReached",
                                "it has told as many routes as accept.limit says; no more are "
                                "taken"};
    }
    return (struct verdict){"True", "Learned", "what it tells within accept is in status.routes"};
}

/* What the peer has told; what it had told before, while BIRD does not answer. */
static json_t *routes_of(const struct routing *r, const struct write *w, const char *resource,
                         const struct routing_peer *p)
{
    char protocol[BIRD_NAME_BYTES];
    const json_t *object = store_get(w->store, resource, NULL, p->name);
    snprintf(protocol, sizeof(protocol), BIRD_PEER_PREFIX "%s", p->name);
    if (r->bird == NULL || p->accept_limit == 0) {
        return NULL;
    }
    return r->is_there ? learned_json(&r->learned, w->store, protocol)
                       : json_incref((json_t *)(uintptr_t)at_path(object, "status", "routes"));
}

static int put_peers(const struct routing *r, struct write *w)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    int result = 0;
    resource_name(model_type(MODEL_BGP_PEER), resource);
    for (uint32_t i = 0; i < r->view.n_all && result == 0; i++) {
        const struct routing_peer *p = &r->view.all[i];
        const json_t *old = conditions_of(w, resource, p->name);
        const struct wanted wanted[] = {{"Accepted", accepted(r, p)},
                                        {"Established", established(r, p)},
                                        {"RoutesLearned", learned(r, p)}};
        json_t *all = conditions_merge(old, wanted, 3, p->generation, w->now);
        result = put_status(w, resource, p->name, all, routes_of(r, w, resource, p));
    }
    return result;
}

static int put_routers(const struct routing *r, struct write *w)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    int result = 0;
    resource_name(model_type(MODEL_VIRTUAL_ROUTER), resource);
    for (uint32_t i = 0; i < r->view.n_all_routers && result == 0; i++) {
        const struct routing_router *v = &r->view.all_routers[i];
        struct verdict said = {"True", "Accepted", "it is in keepalived's configuration"};
        if (r->keepalived_file.path == NULL) {
            said = (struct verdict){"False", "NoDaemon",
                                    "sluice-mgmtd was started without --keepalived-config"};
        } else if (v->reason != NULL) {
            said = (struct verdict){"False", v->reason, v->message};
        }
        const json_t *old = conditions_of(w, resource, v->name);
        const struct wanted wanted = {"Accepted", said};
        json_t *all = conditions_merge(old, &wanted, 1, v->generation, w->now);
        result = put_status(w, resource, v->name, all, NULL);
    }
    return result;
}

void routing_write_statuses(struct routing *r)
{
    struct write w = {.store = r->store};
    text_of_time(time(NULL), w.now);
    int result = put_peers(r, &w);
    if (result == 0) {
        result = put_routers(r, &w);
    }
    if (w.txn != NULL && result == 0) {
        result = store_commit(w.txn);
    } else if (w.txn != NULL) {
        store_rollback(w.txn);
    }
    if (result != 0) {
        routing_complain("statuses could not be written", strerror(-result));
    }
}
