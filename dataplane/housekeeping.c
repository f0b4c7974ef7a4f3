/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Housekeeping: what each control message means, and what is due in between. Station beside the
 * path: nothing here touches a packet. Thread: housekeeping's.
 */
#include "housekeeping_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void housekeeping_report(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("sluice-dataplane: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static void free_image(const void *image, size_t length, struct image_companion *companion)
{
    image_companion_free(companion);
    image_intake_free(image, length);
}

static void release_image(void *owner, const void *image, size_t length, void *companion)
{
    housekeeping_access_catch_up(owner);
    free_image(image, length, companion);
}

void housekeeping_drop_image(struct image_map *image)
{
    if (image->data != NULL)
        free_image(image->data, image->length, image->companion);
    *image = (struct image_map){0};
}

/* Copies, checks and loads. False: nothing is left of it. */
static bool take_image(struct housekeeping *h, const struct control_publish *publish, int fd,
                       struct image_map *ret, struct image_refusal *ret_refusal)
{
    *ret = (struct image_map){0};
    if (!image_intake_fd(fd, publish->generation, publish->length, h->n_ports, ret, ret_refusal))
        return false;
    if (image_intake_companion(ret, h->keys, h->workers, ret_refusal))
        return true;
    housekeeping_drop_image(ret);
    return false;
}

void housekeeping_count(struct housekeeping *h, enum stat_id id)
{
    h->stats->counters[id]++;
}

void housekeeping_answer(struct control_peer *peer, const struct control_msg *msg, uint32_t fault,
                         uint64_t offset, uint64_t subject, const char *text)
{
    struct control_result result = {
        .type = msg->type, .fault = fault, .offset = offset, .subject = subject};
    snprintf(result.text, sizeof(result.text), "%s", text);
    control_send(peer, CONTROL_RESULT, msg->id, &result, sizeof(result), -1);
}

static bool on_hello(struct housekeeping *h, struct control_peer *peer,
                     const struct control_msg *msg, const struct control_hello *hello)
{
    if (msg->length != sizeof(*hello) || hello->role > CONTROL_MANAGER)
        return false;
    if (hello->role == CONTROL_MANAGER) {
        control_set_manager(h->server, peer);
        endpoint_table_forget_versions(h->endpoints);
    }
    struct control_welcome welcome = {
        .generation = h->served.generation,
        .image_checksum = h->served.content_checksum,
        .generation_newest = h->newest_generation,
        .workers = h->workers,
        .n_ports = h->n_ports,
    };
    memcpy(welcome.port_names, h->port_names, sizeof(welcome.port_names));
    control_send(peer, CONTROL_WELCOME, msg->id, &welcome, sizeof(welcome), h->telemetry_fd);
    return true;
}

/* Is the number new? What is older than what we have can only be a mistake. */
static bool is_newer(const struct housekeeping *h, uint64_t generation,
                     struct image_refusal *ret_refusal)
{
    if (generation > h->newest_generation)
        return true;
    ret_refusal->fault = IMAGE_FAULT_GENERATION;
    ret_refusal->offset = 0;
    snprintf(ret_refusal->text, sizeof(ret_refusal->text),
             "generation %llu is not greater than %llu, which was published before",
             (unsigned long long)generation, (unsigned long long)h->newest_generation);
    return false;
}

static bool on_publish(struct housekeeping *h, struct control_peer *peer,
                       const struct control_msg *msg, const struct control_publish *publish, int fd)
{
    struct image_map image;
    struct image_refusal refusal;
    if (msg->length != sizeof(*publish))
        return false;
    if (!is_newer(h, publish->generation, &refusal) ||
        !take_image(h, publish, fd, &image, &refusal)) {
        housekeeping_count(h, STAT_core_images_refused);
        housekeeping_report("image of generation %llu refused: %s",
                            (unsigned long long)publish->generation, refusal.text);
        housekeeping_answer(peer, msg, refusal.fault, refusal.offset, publish->generation,
                            refusal.text);
        return true;
    }
    housekeeping_count(h, STAT_core_images_accepted);
    housekeeping_answer(peer, msg, IMAGE_FAULT_OK, 0, publish->generation,
                        image_fault_help(IMAGE_FAULT_OK));
    housekeeping_publish(h, &image);
    return true;
}

/* Puts the record into the table. When too many old lists wait, the workers get time to let go of
 * them; they do so within a round, unless one hangs. */
static enum endpoints_fault put_endpoints(struct housekeeping *h,
                                          const struct endpoint_record *record)
{
    enum endpoints_fault fault;
    for (unsigned i = 0; i < ENDPOINT_WAITS_MAX; i++) {
        if (endpoint_table_put(h->endpoints, record, h->now_us(), &fault))
            return fault;
        housekeeping_count(h, STAT_core_endpoints_waits);
        housekeeping_wait_us(ENDPOINT_WAIT_US);
        endpoint_table_reap(h->endpoints);
    }
    return ENDPOINTS_FAULT_BUSY;
}

static bool on_endpoints(struct housekeeping *h, struct control_peer *peer,
                         const struct control_msg *msg, const void *body)
{
    const struct endpoint_record *record = body;
    enum endpoints_fault fault = endpoints_check(body, msg->length);
    if (fault == ENDPOINTS_FAULT_OK)
        fault = put_endpoints(h, record);
    uint64_t group = msg->length >= sizeof(*record) ? record->group : 0;
    housekeeping_answer(peer, msg, fault, 0, group, endpoints_fault_help(fault));
    if (fault != ENDPOINTS_FAULT_OK) {
        housekeeping_count(h, STAT_core_endpoints_refused);
        return true;
    }
    housekeeping_count(h, STAT_core_endpoints_accepted);
    if (!endpoint_log_append(h->log, record)) {
        housekeeping_count(h, STAT_core_state_write_failed);
        housekeeping_report("endpoints of group %u not written: %s", record->group,
                            strerror(errno));
    }
    return true;
}

static bool on_message(void *owner, struct control_peer *peer, const struct control_msg *msg,
                       const void *body, int *fd)
{
    struct housekeeping *h = owner;
    if (msg->type == CONTROL_HELLO)
        return on_hello(h, peer, msg, body);
    if (msg->type == CONTROL_OBSERVE)
        return housekeeping_observe(h, peer, msg, body);
    if (msg->type == CONTROL_STOP)
        return housekeeping_stop_observing(h, peer, msg);
    if (peer != control_manager(h->server))
        return false; /* observers may look, no more */
    if (msg->type == CONTROL_PUBLISH)
        return on_publish(h, peer, msg, body, *fd);
    if (msg->type == CONTROL_KEYS)
        return housekeeping_take_keys(h, peer, msg, body, *fd);
    if (msg->type == CONTROL_ENDPOINTS)
        return on_endpoints(h, peer, msg, body);
    return false;
}

static void on_gone(void *owner, struct control_peer *peer)
{
    housekeeping_forget_observer(owner, peer);
    housekeeping_forget_keys(owner, peer);
}

static bool fail(struct housekeeping_fault *ret_fault, const char *what, const char *where)
{
    snprintf(ret_fault->text, sizeof(ret_fault->text), "%s %s: %s", what, where, strerror(errno));
    return false;
}

/* The parts in the order in which they need each other: what is on disk comes before the first
 * message. */
static bool set_up(struct housekeeping *h, const struct housekeeping_config *config,
                   struct housekeeping_fault *ret_fault)
{
    struct endpoint_log_found found;
    h->generations = generation_set_new(config->workers, release_image, h);
    h->keys = keyring_new();
    if (h->generations == NULL || h->keys == NULL)
        return fail(ret_fault, "generations", "");
    h->state = state_dir_open(config->state_dir, STATE_DIR_NAME);
    if (h->state == NULL)
        return fail(ret_fault, "state directory", config->state_dir);
    h->log = endpoint_log_open(h->state, h->endpoints, &found);
    if (h->log == NULL)
        return fail(ret_fault, "endpoint log in", config->state_dir);
    housekeeping_note_log(h, &found);
    housekeeping_load_keys(h);
    housekeeping_load_image(h);
    if (!housekeeping_vrrp_begin(h, config->run_dir, config->masters))
        return fail(ret_fault, VRRP_FIFO_NAME " in", config->run_dir);
    if (!housekeeping_access_begin(h, &config->access))
        return fail(ret_fault, "access log", config->access.file);
    h->server = control_server_new(config->run_dir, h->stats, on_message, on_gone, h);
    if (h->server == NULL && errno == EADDRINUSE) {
        snprintf(ret_fault->text, sizeof(ret_fault->text),
                 "another dataplane listens in run directory %s", config->run_dir);
        return false;
    }
    return h->server != NULL || fail(ret_fault, "control socket in", config->run_dir);
}

struct housekeeping *housekeeping_new(const struct housekeeping_config *config,
                                      struct housekeeping_fault *ret_fault)
{
    ASSERT(config->n_ports <= CONTROL_PORTS_MAX);
    struct housekeeping *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        fail(ret_fault, "housekeeping", "");
        return NULL;
    }
    h->workers = config->workers;
    h->n_ports = config->n_ports;
    h->endpoints = config->endpoints;
    h->stats = config->stats;
    h->mbufs = config->mbufs;
    h->telemetry_fd = config->telemetry_fd;
    h->tickets = config->tickets;
    h->ports = config->ports;
    h->links = config->links;
    h->has_carrier = config->has_carrier;
    h->mirror = config->mirror;
    h->obs = config->obs;
    h->now_us = config->now_us;
    for (unsigned i = 0; i < config->n_ports; i++)
        snprintf(h->port_names[i], sizeof(h->port_names[i]), "%s", config->port_names[i]);
    if (!set_up(h, config, ret_fault)) {
        housekeeping_free(h);
        return NULL;
    }
    return h;
}

struct generation_set *housekeeping_generations(struct housekeeping *h)
{
    return h->generations;
}

unsigned housekeeping_poll(struct housekeeping *h, int timeout_ms)
{
    unsigned handled = control_server_poll(h->server, housekeeping_timeout_ms(h, timeout_ms));
    housekeeping_read_keys(h);
    endpoint_table_reap(h->endpoints);
    housekeeping_pass_records(h);
    housekeeping_access_write(h, ACCESS_LINES_PER_POLL);
    housekeeping_access_follow(h);
    housekeeping_follow(h);
    housekeeping_mirror(h);
    housekeeping_vrrp_listen(h);
    housekeeping_links_follow(h);
    housekeeping_set_gauges(h);
    housekeeping_count_ejected(h);
    housekeeping_sync(h);
    return handled;
}

void housekeeping_free(struct housekeeping *h)
{
    if (h == NULL)
        return;
    housekeeping_access_end(h);
    housekeeping_vrrp_end(h);
    control_server_free(h->server);
    endpoint_log_close(h->log);
    state_dir_close(h->state);
    housekeeping_drop_image(&h->waiting);
    generation_set_free(h->generations);
    keyring_free(h->keys);
    free(h);
}
