/* SPDX-License-Identifier: Apache-2.0 */
/* See routing.h: what starts a look, the file, and statuses. */
#include "routing/routing_priv.h"

#include "base/container.h"
#include "model/types.h"
#include "store/resource.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

void routing_complain(const char *what, const char *why)
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

/* ---- BIRD ---- */

static void on_configured(void *owner, bool is_good, const char *text)
{
    struct routing *r = owner;
    r->is_offered = true;
    if (!is_good) {
        routing_complain("BIRD refuses the configuration", text);
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

static void on_route(void *owner, const struct bird_route *route)
{
    struct routing *r = owner;
    learned_add(&r->hearing, route);
}

static void on_end(void *owner, bool is_whole)
{
    struct routing *r = owner;
    if (is_whole) {
        learned_sort(&r->hearing);
        r->learned = r->hearing;
    }
    r->is_there = is_whole;
    r->n_sessions = is_whole ? r->n_heard : 0;
    memcpy(r->sessions, r->heard, sizeof(r->sessions));
    if (!is_whole) {
        r->is_offered = false; /* one that comes back has read the file, but it may be another */
    }
    routing_view_read(&r->view, r->store, r->bird_file.text); /* what is borrowed may have gone */
    routing_write_statuses(r);
}

static void ask(struct routing *r)
{
    r->n_heard = 0;
    r->hearing.n = 0;
    r->hearing.n_left_out = 0;
    bird_client_ask(r->bird, !r->is_offered);
}

/* ---- what starts a look ---- */

/* BIRD's configuration as it is to be, to the disk and to BIRD if it is another. */
static void look_at_bird(struct routing *r)
{
    bool is_changed = false;
    int error = config_file_put(&r->bird_file, text_of_view(&r->view.bird), &is_changed);
    if (error != 0) {
        routing_complain(r->bird_file.path, strerror(-error));
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
        routing_complain(r->keepalived_file.path, strerror(-error));
    }
    if (is_changed) {
        tell_keepalived(r);
    }
}

static void look(struct routing *r)
{
    routing_view_read(&r->view, r->store, r->bird_file.text);
    routing_write_statuses(r);
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
    if (r->view.has_young_drain) {
        loop_task_program(r->loop, &r->task);
    }
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
    struct bird_upcalls upcalls = {.on_configured = on_configured,
                                   .on_protocol = on_protocol,
                                   .on_route = on_route,
                                   .on_end = on_end,
                                   .owner = r};
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
