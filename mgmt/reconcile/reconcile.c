/* SPDX-License-Identifier: Apache-2.0 */
/* The run, and what starts one. Owner: the daemon; thread: the loop's. See reconcile.h for the way.
 */
#include "reconcile/reconcile.h"

#include "abi/image.h"
#include "base/assert.h"
#include "compile/compile.h"
#include "loop/loop.h"
#include "publish/publish.h"
#include "reconcile/reconcile_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An image on its way: which Gateways, at which generation, it carries. */
struct unacknowledged {
    uint64_t generation;
    json_t *gateways; /* uid -> metadata.generation */
};

struct reconcile {
    struct loop *loop;
    struct store *store;
    struct publish *publish;
    char *controller_name;
    struct store_listener listener;
    struct loop_task task;
    struct wheel_timer start_wait;
    bool is_started; /* WELCOME came, or it was not waited for any longer */
    struct attach *attach;
    void *image; /* of the latest run; NULL: none */
    size_t image_length;
    uint64_t content_published; /* content checksum of the latest image that was published */
    uint32_t n_ports;
    char ports[CONTROL_PORTS_MAX][CONTROL_PORT_NAME_BYTES]; /* the dataplane's, by index */
    json_t *served; /* uid -> metadata.generation that every worker serves */
    unsigned n_unacknowledged;
    struct unacknowledged unacknowledged[RECONCILE_UNACKNOWLEDGED_MAX]; /* oldest first */
    struct reconcile_state state;
    struct group_table groups;
};

static void complain(const char *what, int error)
{
    fprintf(stderr, "sluice-mgmtd: %s: %s\n", what, strerror(-error));
}

/* ---- what an image carries ---- */

static json_t *gateways_of(const struct plan *plan)
{
    json_t *gateways = json_object();
    for (uint32_t i = 0; i < plan->n_gateways; i++)
        json_object_set_new(gateways, plan->gateways[i].uid,
                            json_integer(plan->gateways[i].generation));
    return gateways;
}

static void drop_unacknowledged(struct reconcile *r, unsigned n)
{
    ASSERT(n <= r->n_unacknowledged);
    for (unsigned i = 0; i < n; i++)
        json_decref(r->unacknowledged[i].gateways);
    r->n_unacknowledged -= n;
    memmove(r->unacknowledged, r->unacknowledged + n,
            r->n_unacknowledged * sizeof(r->unacknowledged[0]));
}

/* Remembers that the image of `generation` carries the plan of this run. */
static void remember(struct reconcile *r, uint64_t generation)
{
    unsigned n = r->n_unacknowledged;
    if (n > 0 && r->unacknowledged[n - 1].generation == generation)
        json_decref(r->unacknowledged[--r->n_unacknowledged]
                        .gateways); /* the newer plan has the same image */
    ASSERT(r->n_unacknowledged < RECONCILE_UNACKNOWLEDGED_MAX);
    struct unacknowledged *u = &r->unacknowledged[r->n_unacknowledged++];
    u->generation = generation;
    u->gateways = gateways_of(attach_plan(r->attach));
}

/* Moves what every worker serves by now from "on its way" to "served". */
static void acknowledge(struct reconcile *r, uint64_t generation)
{
    unsigned n = 0;
    while (n < r->n_unacknowledged && r->unacknowledged[n].generation <= generation) {
        /* Only Gateways of the latest image count: those that are gone must not pile up. */
        json_decref(r->served);
        r->served = json_incref(r->unacknowledged[n].gateways);
        n++;
    }
    drop_unacknowledged(r, n);
    if (generation > r->state.generation_served)
        r->state.generation_served = generation;
}

/* ---- the run ---- */

static int attach_anew(struct reconcile *r)
{
    struct attach *attach;
    struct object_source source = store_source(r->store);
    struct attach_input input = {.source = &source, .controller_name = r->controller_name};
    int result = attach_run(&input, &attach);
    if (result != 0)
        return result;
    attach_free(r->attach);
    r->attach = attach;
    return 0;
}

static int compile_anew(struct reconcile *r, const uint32_t *group_ids)
{
    const char *ports[CONTROL_PORTS_MAX];
    for (uint32_t i = 0; i < r->n_ports; i++)
        ports[i] = r->ports[i];
    struct compile_input input = {
        .plan = attach_plan(r->attach),
        .group_ids = group_ids,
        .port_names = ports,
        .n_ports = r->n_ports,
        .generation = r->state.generation_published + 1,
    };
    void *image;
    size_t length;
    int result = compile_image(&input, &image, &length);
    if (result != 0)
        return result;
    free(r->image);
    r->image = image;
    r->image_length = length;
    return 0;
}

/* Publishes the image of this run unless the dataplane has its content already. */
static int publish_anew(struct reconcile *r)
{
    const struct image_header *header = r->image;
    if (header->content_checksum == r->content_published) {
        remember(r, r->state.generation_published);
        acknowledge(r, r->state.generation_served);
        return 0;
    }
    int result = publish_image(r->publish, header->generation, r->image, r->image_length);
    if (result != 0)
        return result;
    r->content_published = header->content_checksum;
    r->state.generation_published = header->generation;
    remember(r, header->generation);
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
        result = publish_anew(r);
    free(ids);
    return result;
}

static void run(struct loop_task *task)
{
    struct reconcile *r = container_of(task, struct reconcile, task);
    /* An answer that is overdue starts the next run; until then changes add up. */
    if (!r->is_started || r->n_unacknowledged == RECONCILE_UNACKNOWLEDGED_MAX)
        return;
    uint64_t begin_us = loop_now_us(r->loop);
    int result = attach_anew(r);
    if (result == 0 && publish_is_connected(r->publish)) {
        result = publish_all(r);
        if (result != 0)
            complain("the dataplane could not be told of a change", result);
    }
    if (r->attach != NULL && (result = statuses_write(r->store, r->attach, r->served)) != 0)
        complain("statuses could not be written", result);
    r->state.runs++;
    r->state.run_us_last = loop_now_us(r->loop) - begin_us;
}

/* ---- what starts a run ---- */

static void on_commit(struct store_listener *listener, const struct store_change *changes, size_t n)
{
    struct reconcile *r = container_of(listener, struct reconcile, listener);
    for (size_t i = 0; i < n; i++) {
        if (!changes[i].is_status_only) {
            loop_task_program(r->loop, &r->task);
            return;
        }
    }
}

static void start(struct reconcile *r)
{
    r->is_started = true;
    loop_timer_disarm(r->loop, &r->start_wait);
    loop_task_program(r->loop, &r->task);
}

static void on_start_wait(struct wheel_timer *timer, uint64_t now_us)
{
    start(container_of(timer, struct reconcile, start_wait));
}

static void on_connected(void *owner, const struct control_welcome *welcome, int telemetry_fd)
{
    struct reconcile *r = owner;
    memset(&r->groups, 0, sizeof(r->groups));
    drop_unacknowledged(r, r->n_unacknowledged);
    r->n_ports = welcome->n_ports <= CONTROL_PORTS_MAX ? welcome->n_ports : CONTROL_PORTS_MAX;
    memcpy(r->ports, welcome->port_names, sizeof(r->ports));
    for (uint32_t i = 0; i < CONTROL_PORTS_MAX; i++)
        r->ports[i][CONTROL_PORT_NAME_BYTES - 1] = '\0';
    r->content_published = welcome->generation != 0 ? welcome->image_checksum : 0;
    r->state.generation_published = welcome->generation;
    r->state.generation_served = welcome->generation;
    r->state.is_connected = true;
    start(r);
}

static void on_disconnected(void *owner)
{
    struct reconcile *r = owner;
    r->state.is_connected = false;
}

static void on_generation(void *owner, uint64_t generation)
{
    struct reconcile *r = owner;
    bool was_full = r->n_unacknowledged == RECONCILE_UNACKNOWLEDGED_MAX;
    acknowledge(r, generation);
    if (was_full)
        loop_task_program(r->loop, &r->task); /* for changes that waited for this answer */
    if (r->attach == NULL)
        return;
    int result = statuses_write(r->store, r->attach, r->served);
    if (result == 0 && generation == r->state.generation_published)
        result = groups_release(&r->groups, r->publish, r->store, attach_plan(r->attach));
    if (result != 0)
        complain("what the dataplane serves could not be written down", result);
}

static void on_refused(void *owner, const struct control_result *refusal)
{
    struct reconcile *r = owner;
    fprintf(stderr, "sluice-mgmtd: the dataplane refused %s %llu at offset %llu: %s\n",
            refusal->type == CONTROL_PUBLISH ? "the image of generation" : "endpoints of group",
            (unsigned long long)refusal->subject, (unsigned long long)refusal->offset,
            refusal->text);
    if (refusal->type != CONTROL_PUBLISH)
        return;
    r->state.images_refused++;
    r->content_published = 0;
    drop_unacknowledged(r, r->n_unacknowledged);
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
    r->served = json_object();
    int result = r->controller_name == NULL || r->served == NULL
                     ? -ENOMEM
                     : publish_new(r->loop, config->run_dir, &upcalls, &r->publish);
    if (result != 0) {
        json_decref(r->served);
        free(r->controller_name);
        free(r);
        return result;
    }
    r->task.run = run;
    r->listener.on_commit = on_commit;
    r->start_wait.on_expire = on_start_wait;
    store_listen(r->store, &r->listener);
    loop_timer_arm(r->loop, &r->start_wait, RECONCILE_START_WAIT_US);
    *ret = r;
    return 0;
}

void reconcile_free(struct reconcile *r)
{
    if (r == NULL)
        return;
    publish_free(r->publish);
    store_unlisten(r->store, &r->listener);
    loop_timer_disarm(r->loop, &r->start_wait);
    loop_task_cancel(r->loop, &r->task);
    drop_unacknowledged(r, r->n_unacknowledged);
    json_decref(r->served);
    attach_free(r->attach);
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
