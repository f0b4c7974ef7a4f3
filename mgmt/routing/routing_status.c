/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses of BgpPeers and VirtualRouters: what is in effect, and what BIRD says of sessions. */
#include "routing/routing_priv.h"

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

struct said {
    const char *status;
    const char *reason;
    const char *message;
};

static struct said accepted(const struct routing *r, const struct routing_peer *p)
{
    if (r->bird == NULL) {
        return (struct said){"False", "NoDaemon", "sluice-mgmtd was started without --bird-config"};
    }
    if (p->reason != NULL) {
        return (struct said){"False", p->reason, p->message};
    }
    return (struct said){"True", "Accepted", "it is in BIRD's configuration"};
}

static struct said established(const struct routing *r, const struct routing_peer *p)
{
    const struct session *s = session_of(r, p->name);
    if (r->bird == NULL || p->reason != NULL) {
        return (struct said){"False", "NotAccepted", "it is not configured"};
    }
    if (!r->is_there) {
        return (struct said){"Unknown", "NoDaemon", "BIRD does not answer"};
    }
    if (r->is_refused) {
        return (struct said){"Unknown", "Refused", "BIRD refuses the configuration; see the log"};
    }
    if (s == NULL) {
        return (struct said){"Unknown", "Pending", "BIRD has not said anything of it yet"};
    }
    bool is_up = strncmp(s->info, "Established", strlen("Established")) == 0;
    if (is_up) {
        return (struct said){"True", "Established", "routes are exchanged"};
    }
    /* "Connect       Socket: No route to host": its states come and go, the error is what counts */
    const char *error = strchr(s->info, ' ');
    error = error != NULL ? error + strspn(error, " ") : "";
    return (struct said){"False", "NotEstablished",
                         error[0] != '\0' ? error : "BIRD tries to reach the peer"};
}

/* The condition as it is to be; its time stays while its status does. */
static json_t *condition(const json_t *old, const char *type, struct said said, int64_t generation,
                         const char *now)
{
    size_t i;
    const json_t *c;
    const char *since = now;
    json_array_foreach(old, i, c)
    {
        const char *old_type = json_string_value(json_object_get(c, "type"));
        const char *old_status = json_string_value(json_object_get(c, "status"));
        const char *old_time = json_string_value(json_object_get(c, "lastTransitionTime"));
        if (old_type != NULL && old_status != NULL && old_time != NULL &&
            strcmp(old_type, type) == 0 && strcmp(old_status, said.status) == 0) {
            since = old_time;
        }
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "type", type, "status", said.status,
                     "reason", said.reason, "message", said.message, "observedGeneration",
                     (json_int_t)generation, "lastTransitionTime", since);
}

/* A transaction, begun when there is something to write. */
struct write {
    struct store *store;
    struct store_txn *txn;
    char now[32];
};

/* Puts the status if it is another; takes `conditions`. */
static int put_status(struct write *w, const char *resource, const char *name, json_t *conditions)
{
    const json_t *object = store_get(w->store, resource, NULL, name);
    json_t *status = json_pack("{s:o}", "conditions", conditions);
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

static int put_peers(const struct routing *r, struct write *w)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    int result = 0;
    resource_name(model_type(MODEL_BGP_PEER), resource);
    for (uint32_t i = 0; i < r->view.n_all && result == 0; i++) {
        const struct routing_peer *p = &r->view.all[i];
        const json_t *old = conditions_of(w, resource, p->name);
        json_t *all =
            json_pack("[o, o]", condition(old, "Accepted", accepted(r, p), p->generation, w->now),
                      condition(old, "Established", established(r, p), p->generation, w->now));
        result = put_status(w, resource, p->name, all);
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
        struct said said = {"True", "Accepted", "it is in keepalived's configuration"};
        if (r->keepalived_file.path == NULL) {
            said = (struct said){"False", "NoDaemon",
                                 "sluice-mgmtd was started without --keepalived-config"};
        } else if (v->reason != NULL) {
            said = (struct said){"False", v->reason, v->message};
        }
        const json_t *old = conditions_of(w, resource, v->name);
        json_t *all = json_pack("[o]", condition(old, "Accepted", said, v->generation, w->now));
        result = put_status(w, resource, v->name, all);
    }
    return result;
}

void routing_write_statuses(struct routing *r)
{
    struct write w = {.store = r->store};
    time_t seconds = time(NULL);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(w.now, sizeof(w.now), "%Y-%m-%dT%H:%M:%SZ", &utc);
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
