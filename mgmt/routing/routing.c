/* SPDX-License-Identifier: Apache-2.0 */
/* See routing.h: what starts a look, the file, and statuses. */
#include "routing/routing.h"

#include "base/container.h"
#include "loop/loop.h"
#include "model/types.h"
#include "routing/bird_client.h"
#include "routing/config_file.h"
#include "routing/routing_view.h"
#include "store/resource.h"
#include "store/store.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INFO_BYTES 80u

/* What BIRD said of a session. */
struct session {
    char name[BIRD_PEER_NAME_MAX + 1];
    char info[INFO_BYTES];
};

struct routing {
    struct loop *loop;
    struct store *store;
    struct store_listener listener;
    struct loop_task task;
    struct wheel_timer timer;
    struct bird_client *bird; /* NULL: nobody is to be configured */
    struct config_file bird_file;
    struct config_file keepalived_file;
    char *keepalived_pid; /* the file with its number */
    char *fifo;
    bool is_offered; /* BIRD has taken the text, or said what is wrong with it */
    bool is_refused;
    bool is_there; /* BIRD answered the last time */
    unsigned n_sessions;
    struct session sessions[ROUTING_PEERS_MAX];
    unsigned n_heard; /* in the conversation under way */
    struct session heard[ROUTING_PEERS_MAX];
    struct routing_view view;
};

static void complain(const char *what, const char *why)
{
    fprintf(stderr, "sluice-mgmtd: routing: %s: %s\n", what, why);
}

/* ---- texts ---- */

static char *text_of_view(const struct bird_view *v)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    if (to == NULL) {
        return NULL;
    }
    bird_config_write(v, to);
    if (fclose(to) == 0) {
        return text;
    }
    free(text);
    return NULL;
}

/* ---- statuses ---- */

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
    return is_up ? (struct said){"True", "Established", "routes are exchanged"}
                 : (struct said){"False", "NotEstablished", s->info};
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

static void write_statuses(struct routing *r)
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
        complain("statuses could not be written", strerror(-result));
    }
}

/* ---- BIRD ---- */

static void on_configured(void *owner, bool is_good, const char *text)
{
    struct routing *r = owner;
    r->is_offered = true;
    if (!is_good) {
        complain("BIRD refuses the configuration", text);
    }
    r->is_refused = !is_good;
}

static void on_protocol(void *owner, const char *name, const char *info)
{
    struct routing *r = owner;
    size_t skip = strlen(BIRD_PEER_PREFIX);
    if (strncmp(name, BIRD_PEER_PREFIX, skip) != 0 || r->n_heard == ROUTING_PEERS_MAX) {
        return;
    }
    struct session *s = &r->heard[r->n_heard++];
    snprintf(s->name, sizeof(s->name), "%s", name + skip);
    snprintf(s->info, sizeof(s->info), "%s", info);
    for (size_t n = strlen(s->info); n > 0 && s->info[n - 1] == ' '; n--) {
        s->info[n - 1] = '\0';
    }
}

static void on_end(void *owner, bool is_whole)
{
    struct routing *r = owner;
    r->is_there = is_whole;
    r->n_sessions = is_whole ? r->n_heard : 0;
    memcpy(r->sessions, r->heard, sizeof(r->sessions));
    if (!is_whole) {
        r->is_offered = false; /* one that comes back has read the file, but it may be another */
    }
    routing_view_read(&r->view, r->store, r->bird_file.text); /* what is borrowed may have gone */
    write_statuses(r);
}

static void ask(struct routing *r)
{
    r->n_heard = 0;
    bird_client_ask(r->bird, !r->is_offered);
}

/* ---- what starts a look ---- */

/* BIRD's configuration as it is to be, to the disk and to BIRD if it is another. */
static void look_at_bird(struct routing *r)
{
    bool is_changed = false;
    int error = config_file_put(&r->bird_file, text_of_view(&r->view.bird), &is_changed);
    if (error != 0) {
        complain(r->bird_file.path, strerror(-error));
    }
    if (is_changed) {
        r->is_offered = false;
        ask(r);
    }
}

/* HUP, if it is there; else it reads the file when it starts. */
static void tell_keepalived(const struct routing *r)
{
    FILE *f = fopen(r->keepalived_pid, "re");
    int pid = 0;
    if (f == NULL) {
        return;
    }
    if (fscanf(f, "%d", &pid) == 1 && pid > 1) {
        kill(pid, SIGHUP);
    }
    fclose(f);
}

static void look_at_keepalived(struct routing *r)
{
    char *text = NULL;
    size_t bytes = 0;
    bool is_changed = false;
    FILE *to = open_memstream(&text, &bytes);
    if (to != NULL) {
        keepalived_config_write(r->view.routers, r->view.n_routers, r->fifo, to);
        fclose(to);
    }
    int error = config_file_put(&r->keepalived_file, text, &is_changed);
    if (error != 0) {
        complain(r->keepalived_file.path, strerror(-error));
    }
    if (is_changed) {
        tell_keepalived(r);
    }
}

static void look(struct routing *r)
{
    routing_view_read(&r->view, r->store, r->bird_file.text);
    write_statuses(r);
    if (r->bird != NULL) {
        look_at_bird(r);
    }
    if (r->keepalived_file.path != NULL) {
        look_at_keepalived(r);
    }
}

static void on_task(struct loop_task *task)
{
    look(container_of(task, struct routing, task));
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct routing *r = container_of(timer, struct routing, timer);
    loop_timer_arm(r->loop, &r->timer, ROUTING_ASK_US);
    ask(r);
}

/* Routes and endpoints come by the thousand and say nothing here. */
static bool is_of_interest(const struct store_change *change)
{
    static const enum model_type_id types[] = {MODEL_INTERFACE, MODEL_BGP_PEER,
                                               MODEL_GATEWAY,   MODEL_DRAIN,
                                               MODEL_SECRET,    MODEL_VIRTUAL_ROUTER};
    char resource[RESOURCE_NAME_BYTES_MAX];
    for (size_t i = 0; i < array_len(types); i++) {
        bool is_own = types[i] != MODEL_GATEWAY && change->is_status_only;
        if (!is_own &&
            strcmp(resource_name(model_type(types[i]), resource), change->resource) == 0) {
            return true;
        }
    }
    return false;
}

static void on_commit(struct store_listener *listener, const struct store_change *changes, size_t n)
{
    struct routing *r = container_of(listener, struct routing, listener);
    for (size_t i = 0; i < n; i++) {
        if (is_of_interest(&changes[i])) {
            loop_task_program(r->loop, &r->task);
            return;
        }
    }
}

/* ---- life ---- */

static int make_bird(struct routing *r, const struct routing_config *config)
{
    struct bird_upcalls upcalls = {
        .on_configured = on_configured, .on_protocol = on_protocol, .on_end = on_end, .owner = r};
    int error = config_file_init(&r->bird_file, config->bird_config);
    return error != 0 ? error : bird_client_new(r->loop, config->bird_socket, &upcalls, &r->bird);
}

static int make_keepalived(struct routing *r, const struct routing_config *config)
{
    int error = config_file_init(&r->keepalived_file, config->keepalived_config);
    if (error != 0) {
        return error;
    }
    r->keepalived_pid = strdup(config->keepalived_pid);
    bool has_fifo = asprintf(&r->fifo, "%s/vrrp.fifo", config->run_dir) >= 0;
    return r->keepalived_pid != NULL && has_fifo ? 0 : -ENOMEM;
}

int routing_new(const struct routing_config *config, struct routing **ret)
{
    struct routing *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return -ENOMEM;
    }
    r->loop = config->loop;
    r->store = config->store;
    r->task.run = on_task;
    r->timer.on_expire = on_timer;
    r->listener.on_commit = on_commit;
    store_listen(r->store, &r->listener);
    int error = config->bird_config != NULL ? make_bird(r, config) : 0;
    if (error == 0 && config->keepalived_config != NULL) {
        error = make_keepalived(r, config);
    }
    if (error != 0) {
        routing_free(r);
        return error;
    }
    if (r->bird != NULL) {
        loop_timer_arm(r->loop, &r->timer, ROUTING_ASK_US);
    }
    loop_task_program(r->loop, &r->task);
    *ret = r;
    return 0;
}

void routing_free(struct routing *r)
{
    if (r == NULL) {
        return;
    }
    store_unlisten(r->store, &r->listener);
    loop_task_cancel(r->loop, &r->task);
    loop_timer_disarm(r->loop, &r->timer);
    bird_client_free(r->bird);
    config_file_done(&r->bird_file);
    config_file_done(&r->keepalived_file);
    free(r->keepalived_pid);
    free(r->fifo);
    free(r);
}
