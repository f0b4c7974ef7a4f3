/* SPDX-License-Identifier: Apache-2.0 */
/* The run, and what starts one. Owner: the daemon; thread: the loop's. See reconcile.h for the way.
 */
#include "reconcile/reconcile.h"

#include "abi/image.h"
#include "abi/stats_read.h"
#include "attach/identity_cache.h"
#include "base/assert.h"
#include "compile/compile.h"
#include "compile/regex_cache.h"
#include "loop/loop.h"
#include "publish/publish.h"
#include "reconcile/carried.h"
#include "reconcile/keys.h"
#include "reconcile/names.h"
#include "reconcile/pace.h"
#include "reconcile/reconcile_priv.h"
#include "reconcile/touched.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reconcile {
    struct loop *loop;
    struct store *store;
    struct publish *publish;
    char *controller_name;
    struct slice system_cas;
    struct store_listener listener;
    struct loop_task task;
    struct wheel_timer start_wait;
    struct wheel_timer tickets; /* when their keys are looked at again */
    struct pace pace;
    bool is_started;        /* WELCOME came, or it was not waited for any longer */
    bool is_plan_published; /* the latest image that was published carries the plan of `attach` */
    bool is_writing;        /* statuses: what the store tells of is our own doing */
    struct touched touched; /* since `attach` was brought up to date */
    struct regex_cache *patterns;
    struct identity_cache *identities;
    struct resolve *resolve; /* NULL: names are not asked for */
    struct attach *attach;
    void *image; /* of the latest run; NULL: none */
    size_t image_length;
    uint64_t content_published; /* content checksum of the latest image that was published */
    uint32_t n_ports;
    char ports[CONTROL_PORTS_MAX][CONTROL_PORT_NAME_BYTES]; /* the dataplane's, by index */
    struct carried carried;
    char *notes; /* what the latest image left out, one a line; NULL: nothing */
    struct reconcile_state state;
    struct group_table groups;
    struct reconcile_keys keys;
    bool has_telemetry;
    struct stats_map telemetry; /* of the dataplane that is connected */
};

/* Says what failed, and sees to another attempt. */
static void complain(struct reconcile *r, const char *what, int error)
{
    uint64_t pause_us = pace_on_failure(&r->pace);
    r->state.failures++;
    fprintf(stderr, "sluice-mgmtd: %s: %s; next attempt within %u ms\n", what, strerror(-error),
            (unsigned)(pause_us / 1000u));
}

static void acknowledge(struct reconcile *r, uint64_t generation)
{
    carried_acknowledge(&r->carried, generation);
    if (generation > r->state.generation_served)
        r->state.generation_served = generation;
}

/*
 * Does every worker serve what `attach` found? Statuses of routes and policies say nothing of that
 * by a condition of their own, so they are not told before. While there is no dataplane nobody
 * waits for one.
 */
static bool is_in_effect(const struct reconcile *r)
{
    return !r->state.is_connected ||
           (r->is_plan_published && r->state.generation_served >= r->state.generation_published);
}

/* ---- the run ---- */

static struct attach_input attach_input(const struct reconcile *r,
                                        const struct object_source *source)
{
    return (struct attach_input){.source = source,
                                 .controller_name = r->controller_name,
                                 .system_cas = r->system_cas,
                                 .is_pattern = regex_cache_check,
                                 .is_pattern_arg = r->patterns,
                                 .lookup = r->resolve != NULL ? names_lookup : NULL,
                                 .lookup_arg = r->resolve,
                                 .identities = r->identities};
}

static int attach_anew(struct reconcile *r, const struct attach_input *input)
{
    struct attach *attach;
    int result = attach_run(input, &attach);
    if (result != 0)
        return result;
    attach_free(r->attach);
    r->attach = attach;
    names_want(r->resolve, attach);
    identity_cache_trim(r->identities);
    return 0;
}

/* Looks at what changed, or at everything. */
static int look(struct reconcile *r)
{
    struct object_source source = store_source(r->store);
    struct attach_input input = attach_input(r, &source);
    int result = 0;
    identity_cache_allow(r->identities, IDENTITY_CACHE_READS_MAX);
    if (r->touched.is_all ||
        !attach_update(r->attach, &input, (const json_t *const *)r->touched.versions, r->touched.n))
        result = attach_anew(r, &input);
    if (result != 0) {
        touched_set_all(&r->touched);
        return result;
    }
    touched_clear(&r->touched);
    r->is_plan_published = false;
    return 0;
}

/* What one image leaves out. */
struct notes {
    FILE *to;
    unsigned n;
};

static void on_note(void *arg, const char *text)
{
    struct notes *notes = arg;
    if (notes->to != NULL && notes->n < RECONCILE_NOTES_MAX)
        fprintf(notes->to, "sluice-mgmtd: not in the image: %s\n", text);
    notes->n++;
}

/* Says what is left out, once: not again with each image that leaves out the same. Takes `text`. */
static void keep_notes(struct reconcile *r, char *text, unsigned n)
{
    if (text != NULL && (r->notes == NULL || strcmp(text, r->notes) != 0)) {
        fputs(text, stderr);
        if (n > RECONCILE_NOTES_MAX)
            fprintf(stderr, "sluice-mgmtd: not in the image: %u more\n", n - RECONCILE_NOTES_MAX);
    }
    free(r->notes);
    r->notes = text;
    r->state.left_out = n;
}

static int compile_anew(struct reconcile *r, const uint32_t *group_ids)
{
    const char *ports[CONTROL_PORTS_MAX];
    for (uint32_t i = 0; i < r->n_ports; i++)
        ports[i] = r->ports[i];
    struct compile_input input = {
        .plan = attach_plan(r->attach),
        .patterns = r->patterns,
        .group_ids = group_ids,
        .port_names = ports,
        .n_ports = r->n_ports,
        .generation = r->state.generation_published + 1,
        .on_note = on_note,
    };
    char *text = NULL;
    size_t text_bytes = 0;
    struct notes notes = {.to = open_memstream(&text, &text_bytes)};
    input.arg = &notes;
    void *image;
    size_t length;
    int result = compile_image(&input, &image, &length);
    regex_cache_trim(r->patterns);
    if (notes.to != NULL && fclose(notes.to) == 0)
        keep_notes(r, text, notes.n);
    if (result != 0)
        return result;
    free(r->image);
    r->image = image;
    r->image_length = length;
    r->state.image_bytes = length;
    return 0;
}

/* Publishes the image of this run, unless the dataplane has its content already, or has too many to
 * answer for. */
static int publish_anew(struct reconcile *r)
{
    const struct image_header *header = r->image;
    const struct plan *plan = attach_plan(r->attach);
    if (header->content_checksum == r->content_published) {
        carried_remember(&r->carried, r->state.generation_published, plan);
        acknowledge(r, r->state.generation_served);
        r->is_plan_published = true;
        return 0;
    }
    if (carried_is_full(&r->carried))
        return 0; /* the next answer starts a run */
    int result = publish_image(r->publish, header->generation, r->image, r->image_length);
    if (result != 0)
        return result;
    r->content_published = header->content_checksum;
    r->state.generation_published = header->generation;
    carried_remember(&r->carried, header->generation, plan);
    r->is_plan_published = true;
    pace_on_image(&r->pace);
    return 0;
}

static int publish_all(struct reconcile *r)
{
    const struct plan *plan = attach_plan(r->attach);
    uint32_t *ids = calloc(plan->n_groups + 1, sizeof(*ids));
    if (ids == NULL)
        return -ENOMEM;
    int result = groups_number(r->store, plan, ids);
    if (result == 0)
        result = groups_publish(&r->groups, r->publish, plan, ids);
    if (result == 0)
        result = compile_anew(r, ids);
    if (result == 0)
        result = reconcile_keys_add(&r->keys, r->publish, plan);
    if (result == 0)
        result = publish_anew(r);
    free(ids);
    publish_flush(r->publish);
    return result;
}

static void write_statuses(struct reconcile *r, enum attach_status_only which)
{
    if (r->attach == NULL)
        return;
    r->is_writing = true;
    int result = statuses_write(r->store, r->attach, r->carried.served, which);
    r->is_writing = false;
    if (result != 0)
        complain(r, "statuses could not be written", result);
}

static void run(struct loop_task *task)
{
    struct reconcile *r = container_of(task, struct reconcile, task);
    if (!r->is_started)
        return;
    uint64_t begin_us = pace_clock_us();
    int result = look(r);
    if (result == -EAGAIN) { /* more certificates are new than may be read in one go */
        loop_task_program(r->loop, &r->task);
        return;
    }
    if (result != 0)
        complain(r, "the objects could not be looked at", result);
    if (result == 0 && publish_is_connected(r->publish)) {
        result = publish_all(r);
        if (result != 0)
            complain(r, "the dataplane could not be told of a change", result);
    }
    write_statuses(r, is_in_effect(r) ? ATTACH_STATUS_ALL : ATTACH_STATUS_EARLY);
    r->state.runs++;
    r->state.run_us_last = pace_clock_us() - begin_us;
    pace_on_run(&r->pace, r->state.run_us_last);
}

/* ---- what starts a run ---- */

static void on_group(void *arg, const struct plan_group *group)
{
    struct reconcile *r = arg;
    int result = groups_publish_one(&r->groups, r->publish, r->store, group);
    if (result != 0)
        complain(r, "the dataplane could not be told of endpoints", result);
}

/* Versions of objects that a commit touches. */
struct versions {
    size_t n;
    const json_t *list[2 * RECONCILE_SLICES_MAX];
};

static void add_versions(struct versions *v, const struct store_change *change)
{
    v->list[v->n++] = change->object;
    if (change->old != NULL)
        v->list[v->n++] = change->old;
}

/*
 * Endpoints that come and go must not wait until everything was looked at: a commit of nothing but
 * EndpointSlices and Nodes goes to the dataplane at once, whatever the number of routes, and needs
 * no image. False: a run has to do it.
 */
static bool publish_endpoints_now(struct reconcile *r, const struct store_change *changes, size_t n)
{
    struct versions slices = {0}, nodes = {0};
    if (r->attach == NULL || !publish_is_connected(r->publish) || n > RECONCILE_SLICES_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool is_slice = touched_is_slice(&changes[i]);
        if (!is_slice && !touched_is_node(&changes[i]))
            return false;
        add_versions(is_slice ? &slices : &nodes, &changes[i]);
    }
    struct object_source source = store_source(r->store);
    struct attach_input input = attach_input(r, &source);
    bool is_done = attach_update_slices(r->attach, &input, slices.list, slices.n, on_group, r) &&
                   attach_update_nodes(r->attach, &input, nodes.list, nodes.n, on_group, r);
    publish_flush(r->publish);
    return is_done;
}

/* A group of a plan that no run has told the dataplane of is told by that run. */
static void on_named_group(void *arg, const struct plan_group *group)
{
    struct reconcile *r = arg;
    if (publish_is_connected(r->publish))
        on_group(r, group);
}

static void on_names(void *owner)
{
    struct reconcile *r = owner;
    if (r->attach == NULL)
        return;
    struct object_source source = store_source(r->store);
    struct attach_input input = attach_input(r, &source);
    attach_update_names(r->attach, &input, on_named_group, r);
    publish_flush(r->publish);
    write_statuses(r, ATTACH_STATUS_BACKENDS);
}

static void on_commit(struct store_listener *listener, const struct store_change *changes, size_t n)
{
    struct reconcile *r = container_of(listener, struct reconcile, listener);
    if (!publish_endpoints_now(r, changes, n) &&
        touched_add(&r->touched, changes, n, r->is_writing))
        pace_program_run(&r->pace);
}

static void start(struct reconcile *r)
{
    r->is_started = true;
    loop_timer_disarm(r->loop, &r->start_wait);
    pace_program_run(&r->pace);
}

static void on_start_wait(struct wheel_timer *timer, uint64_t now_us)
{
    start(container_of(timer, struct reconcile, start_wait));
}

/* Ticket keys have their time, whether or not anything else changes. */
static void on_tickets(struct wheel_timer *timer, uint64_t now_us)
{
    struct reconcile *r = container_of(timer, struct reconcile, tickets);
    loop_timer_arm(r->loop, &r->tickets, RECONCILE_TICKETS_LOOK_US);
    if (r->attach == NULL || !publish_is_connected(r->publish))
        return;
    int result = reconcile_keys_add(&r->keys, r->publish, attach_plan(r->attach));
    if (result != 0)
        complain(r, "the dataplane could not be told of keys", result);
}

static void close_telemetry(struct reconcile *r)
{
    if (r->has_telemetry)
        stats_map_close(&r->telemetry);
    r->has_telemetry = false;
}

static void open_telemetry(struct reconcile *r, int fd)
{
    close_telemetry(r);
    r->has_telemetry = stats_map_open(fd, &r->telemetry) == 0;
    if (!r->has_telemetry)
        fprintf(stderr, "sluice-mgmtd: the dataplane's telemetry is not ours to read\n");
}

static void on_connected(void *owner, const struct control_welcome *welcome, int telemetry_fd)
{
    struct reconcile *r = owner;
    uint64_t newest = welcome->generation > welcome->generation_newest ? welcome->generation
                                                                       : welcome->generation_newest;
    memset(&r->groups, 0, sizeof(r->groups));
    carried_forget_all(&r->carried);
    reconcile_keys_forget(&r->keys);
    r->n_ports = welcome->n_ports <= CONTROL_PORTS_MAX ? welcome->n_ports : CONTROL_PORTS_MAX;
    memcpy(r->ports, welcome->port_names, sizeof(r->ports));
    open_telemetry(r, telemetry_fd);
    for (uint32_t i = 0; i < CONTROL_PORTS_MAX; i++)
        r->ports[i][CONTROL_PORT_NAME_BYTES - 1] = '\0';
    /* What a manager before us published and not every worker serves yet, we know nothing of: ours
     * goes over it. */
    bool is_known = welcome->generation != 0 && welcome->generation == newest;
    r->content_published = is_known ? welcome->image_checksum : 0;
    r->state.generation_published = newest;
    r->state.generation_served = welcome->generation;
    r->state.is_connected = true;
    r->is_plan_published = false; /* to this one */
    start(r);
}

static void on_disconnected(void *owner)
{
    struct reconcile *r = owner;
    r->state.is_connected = false;
    close_telemetry(r);
    pace_on_answer(&r->pace);
}

static void on_generation(void *owner, uint64_t generation)
{
    struct reconcile *r = owner;
    acknowledge(r, generation);
    if (generation > r->state.generation_published)
        r->state.generation_published = generation; /* of a manager before us */
    if (generation == r->state.generation_published)
        pace_on_answer(&r->pace);
    if (r->attach == NULL)
        return;
    write_statuses(r, is_in_effect(r) ? ATTACH_STATUS_ALL : ATTACH_STATUS_GATEWAYS);
    if (!r->is_plan_published) {
        pace_program_run(&r->pace); /* the latest plan waited for this answer */
        return;
    }
    if (generation != r->state.generation_published)
        return;
    pace_on_success(&r->pace);
    const struct plan *plan = attach_plan(r->attach);
    int result = groups_release(&r->groups, r->publish, r->store, plan);
    if (result != 0)
        complain(r, "ids of backends could not be released", result);
    result = reconcile_keys_trim(&r->keys, r->publish, plan);
    if (result != 0)
        complain(r, "keys could not be taken from the dataplane", result);
}

/* Refused keys are like a refused image, which would be next. */
static void on_image_refused(struct reconcile *r)
{
    reconcile_keys_forget(&r->keys);
    r->state.images_refused++;
    r->content_published = 0;
    r->is_plan_published = false;
    carried_forget_unacknowledged(&r->carried);
    pace_on_answer(&r->pace);
}

/* What serves goes on serving. What was refused goes again after a pause: an image under a higher
 * number, a list because the dataplane may only have been too busy for it. */
static void on_refused(void *owner, const struct control_result *refusal)
{
    struct reconcile *r = owner;
    bool is_record = refusal->type == CONTROL_ENDPOINTS;
    const char *what = refusal->type == CONTROL_KEYS ? "keys for" : "the image of generation";
    uint64_t pause_us = pace_on_failure(&r->pace);
    r->state.failures++;
    if (is_record)
        groups_forget(&r->groups, refusal->subject);
    else
        on_image_refused(r);
    fprintf(stderr,
            "sluice-mgmtd: the dataplane refused %s %llu at offset %llu: %s; next attempt within "
            "%u ms\n",
            is_record ? "endpoints of group" : what, (unsigned long long)refusal->subject,
            (unsigned long long)refusal->offset, refusal->text, (unsigned)(pause_us / 1000u));
}

/* ---- life ---- */

int reconcile_new(const struct reconcile_config *config, struct reconcile **ret)
{
    struct reconcile *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    const char *name =
        config->controller_name != NULL ? config->controller_name : ATTACH_CONTROLLER_NAME;
    struct publish_upcalls upcalls = {.on_connected = on_connected,
                                      .on_disconnected = on_disconnected,
                                      .on_generation = on_generation,
                                      .on_refused = on_refused,
                                      .owner = r};
    r->loop = config->loop;
    r->store = config->store;
    r->controller_name = strdup(name);
    r->patterns = regex_cache_new();
    r->identities = identity_cache_new();
    int result = carried_init(&r->carried);
    if (result == 0)
        result = r->controller_name == NULL || r->patterns == NULL || r->identities == NULL
                     ? -ENOMEM
                     : publish_new(r->loop, config->run_dir, &upcalls, &r->publish);
    if (result != 0) {
        carried_done(&r->carried);
        regex_cache_free(r->patterns);
        identity_cache_free(r->identities);
        free(r->controller_name);
        free(r);
        return result;
    }
    r->task.run = run;
    touched_set_all(&r->touched);
    pace_init(&r->pace, r->loop, &r->task);
    r->listener.on_commit = on_commit;
    r->start_wait.on_expire = on_start_wait;
    r->tickets.on_expire = on_tickets;
    r->keys.ticket_secret = config->ticket_secret;
    r->system_cas = config->system_cas;
    r->resolve = config->resolve;
    if (r->resolve != NULL)
        resolve_listen(r->resolve, on_names, r);
    store_listen(r->store, &r->listener);
    loop_timer_arm(r->loop, &r->start_wait, RECONCILE_START_WAIT_US);
    loop_timer_arm(r->loop, &r->tickets, RECONCILE_TICKETS_LOOK_US);
    *ret = r;
    return 0;
}

void reconcile_free(struct reconcile *r)
{
    if (r == NULL)
        return;
    publish_free(r->publish);
    close_telemetry(r);
    if (r->resolve != NULL)
        resolve_listen(r->resolve, NULL, NULL);
    store_unlisten(r->store, &r->listener);
    loop_timer_disarm(r->loop, &r->start_wait);
    loop_timer_disarm(r->loop, &r->tickets);
    pace_done(&r->pace);
    loop_task_cancel(r->loop, &r->task);
    carried_done(&r->carried);
    reconcile_keys_forget(&r->keys);
    touched_clear(&r->touched);
    free(r->notes);
    attach_free(r->attach);
    regex_cache_free(r->patterns);
    identity_cache_free(r->identities);
    free(r->image);
    free(r->controller_name);
    free(r);
}

void reconcile_state(const struct reconcile *r, struct reconcile_state *ret)
{
    *ret = r->state;
}

const void *reconcile_image(const struct reconcile *r)
{
    return r->image;
}

const struct stats_map *reconcile_telemetry(const struct reconcile *r)
{
    return r->has_telemetry ? &r->telemetry : NULL;
}
