/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations of the simulator. Every image has what the plan's requests need (sim_plan.h,
 * SIM_TARGET_LIST); what changes from one to the next are weights, extra routes before and behind,
 * an extra address, congestion control. So a request may never notice a change.
 */
#include "sim_config.h"

#include "base/assert.h"
#include "compile/image_builder.h"
#include "core/endpoint_table.h"
#include "core/generation.h"
#include "sim.h"
#include "sim_congestion.h"
#include "sim_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FULL_RETRY_US 20000u /* too many images are held by requests: then later */
#define EXTRA_ROUTES_MAX 12u

static struct ip_addr addr_of(const char *text)
{
    struct ip_addr a;
    bool is_good = ip_addr_parse(text, &a);
    ASSERT(is_good);
    return a;
}

static void add_address(struct image_builder *b, const char *text, uint8_t prefix_len, bool is_vip,
                        uint16_t interface)
{
    struct image_address a = {addr_of(text), prefix_len, is_vip, interface};
    int fault = image_builder_address(b, &a);
    ASSERT(fault == 0);
}

static void add_network(struct sim_box *box, struct image_builder *b)
{
    uint32_t clients = image_builder_interface(b, "clients", 0, 0, 0);
    uint32_t backends = image_builder_interface(b, "backends", 1, 0, 0);
    ASSERT(clients == 0 && backends == 1);
    add_address(b, "198.18.0.1", 96 + 24, false, 0);
    add_address(b, "2001:db8:0::1", 64, false, 0);
    add_address(b, "198.18.1.1", 96 + 24, false, 1);
    add_address(b, "2001:db8:1::1", 64, false, 1);
    add_address(b, "198.18.0.80", 128, true, 0);
    if (box->has_vip6)
        add_address(b, "2001:db8:0::80", 128, true, 0);
    if (rng_below(&box->rng, 2) == 0)
        add_address(b, "198.18.0.81", 128, true, 0);
}

static void add_match(struct image_builder *b, const char *path)
{
    char prefix[64];
    snprintf(prefix, sizeof(prefix), "%s", path);
    size_t len = strlen(prefix);
    if (len > 1 && prefix[len - 1] == '/')
        prefix[len - 1] = '\0';
    struct image_match_spec match = {.path_kind = IMAGE_PATH_PREFIX, .path = prefix};
    int fault = image_builder_match(b, &match);
    ASSERT(fault == 0);
}

/* Half of the requests go to another backend too, all to one that is not there. */
static void add_mirrors(const struct sim_box *box, struct image_builder *b)
{
    if (!box->sim->plan.is_mirrored)
        return;
    int fault = image_builder_mirror(b, "sim/svc-mirror:80", SIM_GROUP_B1, 1, 2);
    ASSERT(fault == 0);
    fault = image_builder_mirror(b, "sim/svc-mirror-empty:80", SIM_GROUP_EMPTY, 1, 1);
    ASSERT(fault == 0);
}

/* Where routes are attached. */
struct listeners {
    unsigned n;
    uint32_t all[3]; /* HTTP, HTTPS, and HTTPS where others share the port */
};

/* A route of one rule. `weights`: of groups first_group, first_group + 1, ... */
static void add_route(const struct sim_box *box, struct image_builder *b,
                      const struct listeners *listeners, const char *name, const char *path,
                      uint32_t first_group, const uint32_t *weights, unsigned n)
{
    int fault = image_builder_route(b, name, 1);
    ASSERT(fault == 0);
    uint32_t rule = image_builder_rule(b, 0);
    ASSERT(rule != IMAGE_NONE);
    if (box->sim->plan.is_retried) {
        struct image_retry_spec retry = {.attempts = SIM_RETRIES, .backoff_ms = 25};
        fault = image_builder_retry(b, &retry);
        ASSERT(fault == 0);
    }
    add_mirrors(box, b);
    for (unsigned i = 0; i < n; i++) {
        char backend[32];
        snprintf(backend, sizeof(backend), "sim/svc-%u:80", first_group + i);
        fault = image_builder_backend(b, backend, first_group + i, weights[i]);
        ASSERT(fault == 0);
    }
    add_match(b, path);
    for (unsigned i = 0; i < listeners->n; i++) {
        fault = image_builder_attach(b, listeners->all[i], SIM_NAME);
        ASSERT(fault == 0);
    }
}

static void add_extra_routes(struct sim_box *box, struct image_builder *b,
                             const struct listeners *listeners, const char *prefix)
{
    uint32_t n = rng_below(&box->rng, EXTRA_ROUTES_MAX);
    uint32_t weight = 1;
    for (uint32_t i = 0; i < n; i++) {
        char name[32];
        char path[32];
        snprintf(name, sizeof(name), "sim/%s-%02u", prefix, i);
        snprintf(path, sizeof(path), "/%s/%u/", prefix, i);
        add_route(box, b, listeners, name, path, SIM_GROUP_A, &weight, 1);
    }
}

/* Do the group's backends speak HTTP/2? */
static bool is_h2(const struct sim_box *box, uint32_t group)
{
    return (box->sim->plan.h2_groups >> group & 1) != 0;
}

/* Do they speak TLS? */
static bool is_tls(const struct sim_box *box, uint32_t group)
{
    return (box->sim->plan.tls.groups >> group & 1) != 0;
}

/* Behind the last group that there is. */
static uint32_t group_end(const struct sim_box *box)
{
    const struct sim_plan *plan = &box->sim->plan;
    return plan->passes.n > 0 ? SIM_GROUP_END
           : plan->asks.n > 0 ? SIM_GROUP_UDP + 1
                              : SIM_GROUP_EMPTY + 1;
}

static uint16_t port_of(const struct sim_box *box, uint32_t group)
{
    if (group == SIM_GROUP_UDP)
        return SIM_UDP_PORT;
    if (group > SIM_GROUP_EMPTY) {
        bool is_passed = group == SIM_GROUP_PASSED;
        return is_passed ? SIM_PASSED_PORT : is_tls(box, group) ? SIM_RAW_TLS_PORT : SIM_RAW_PORT;
    }
    return is_tls(box, group)  ? SIM_BACKEND_TLS_PORT
           : is_h2(box, group) ? SIM_BACKEND_H2_PORT
                               : SIM_BACKEND_PORT;
}

/* Do its packets go on by themselves? */
static bool is_forwarded(const struct sim_box *box, uint32_t group)
{
    return group == SIM_GROUP_UDP || (group == SIM_GROUP_TCP && box->sim->plan.passes.forwarded);
}

/* By which endpoints rest soon and briefly, and begin slowly. It may never be the reason why a
 * request fails: when too few are left, all get requests. */
static void set_ejection(const struct sim_box *box, uint32_t group, struct image_health *h)
{
    uint64_t number = box->sim->plan.seed / 5 + box->generation + group;
    h->failures = (uint16_t)(1 + number % 2);
    h->base_ejection_ms = 200;
    h->max_ejection_ms = 2000;
    h->max_ejected_percent = number % 4 == 0 ? 100 : 50;
    h->slow_start_ms = number % 3 == 0 ? 0 : 1000;
}

/* The backends of a group are asked ten times a second, or less often where they are so far away
 * that a neighbour, a connection and an answer take longer: by HTTP (HTTP/2 where that is spoken to
 * the group), or by TCP alone. */
static void set_checks(const struct sim_plan *plan, bool is_http, struct image_health *h)
{
    h->interval_ms = plan->wires[1].delay_us < 1000 ? 100 : 500;
    h->timeout_ms = h->interval_ms;
    h->healthy_checks = 1;
    h->unhealthy_checks = 2;
    h->check = is_http ? IMAGE_HEALTH_CHECK_HTTP : IMAGE_HEALTH_CHECK_TCP;
    if (!is_http)
        return;
    h->n_statuses = 1;
    h->statuses[0] = (struct image_status_range){204, 204};
}

/* The policy of a group, if the plan has any. */
static void add_health(const struct sim_box *box, struct image_builder *b, uint32_t group)
{
    const struct sim_plan *plan = &box->sim->plan;
    bool is_checked = plan->is_checked && !box->is_settled;
    bool is_http = is_checked && (group + plan->seed) % 2 == 0 && group <= SIM_GROUP_EMPTY;
    struct image_health_spec spec = {.name = "sim/health", .path = is_http ? SIM_CHECK_PATH : NULL};
    spec.numbers.panic_percent = 50;
    if ((!plan->ejects && !is_checked) || group == SIM_GROUP_UDP)
        return;
    if (plan->ejects)
        set_ejection(box, group, &spec.numbers);
    if (is_checked)
        set_checks(plan, is_http, &spec.numbers);
    int fault = image_builder_group_health(b, group, &spec);
    ASSERT(fault == 0);
}

/* The image's number `n` bind or group; another image may say otherwise. */
static enum image_congestion congestion_of(const struct sim_box *box, unsigned n)
{
    unsigned number = (unsigned)box->generation * SIM_GROUP_END + n;
    bool is_bbr = sim_congestion_of(&box->sim->plan, number) == TCP_CONGESTION_BBR;
    return is_bbr ? IMAGE_CONGESTION_BBR : IMAGE_CONGESTION_CUBIC;
}

/* Does the group go by hash of the client's address? One of two in every other run. */
static bool is_hashed(const struct sim_box *box, uint32_t group)
{
    return box->sim->plan.seed % 2 == 0 && group % 2 == 0;
}

uint32_t sim_config_listener(struct sim_box *box, struct image_builder *b, const char *name,
                             const char *host, enum image_protocol protocol, uint16_t port)
{
    uint32_t listener = image_builder_listener(b, name, host, protocol, port);
    ASSERT(listener != IMAGE_NONE);
    if (image_is_terminated(protocol))
        sim_keys_add(box, b, protocol);
    struct ip_addr vips[] = {box->sim->vip4, box->sim->vip6};
    for (unsigned i = 0; i < (box->has_vip6 ? 2 : 1); i++) {
        int fault = image_builder_bind(b, &vips[i], port, listener);
        ASSERT(fault == 0);
        if (protocol != IMAGE_PROTOCOL_UDP)
            fault = image_builder_bind_congestion(b, &vips[i], port, congestion_of(box, i));
        ASSERT(fault == 0);
    }
    return listener;
}

/* Whom connections to the groups lead to, and how. */
static void add_groups(const struct sim_box *box, struct image_builder *b)
{
    static const enum image_forwarding ways[SIM_WAYS] = {[SIM_WAY_NAT] = IMAGE_FORWARDING_NAT,
                                                         [SIM_WAY_IPIP] = IMAGE_FORWARDING_IPIP,
                                                         [SIM_WAY_GUE] = IMAGE_FORWARDING_GUE};
    static const struct image_balance_spec by_ends = {.way = IMAGE_BALANCING_MAGLEV,
                                                      .hash_key = IMAGE_HASH_KEY_CONNECTION};
    for (unsigned group = SIM_GROUP_A; group < group_end(box); group++) {
        add_health(box, b, group);
        int fault = image_builder_group_congestion(b, group, congestion_of(box, group));
        ASSERT(fault == 0);
        if (is_h2(box, group))
            fault = image_builder_group_protocol(b, group, IMAGE_BACKEND_HTTP2);
        ASSERT(fault == 0);
        if (is_hashed(box, group))
            fault = image_builder_group_balancing(b, group, &by_ends);
        ASSERT(fault == 0);
        if (is_tls(box, group))
            sim_keys_secure_group(b, group);
        if (is_forwarded(box, group))
            fault = image_builder_group_forwarding(b, group, ways[box->sim->plan.way]);
        ASSERT(fault == 0);
    }
}

/* Routes in the order of their names, as precedence wants it. */
static void add_routes(struct sim_box *box, struct image_builder *b)
{
    struct listeners listeners = {.n = 0};
    struct sim_config_passed passed;
    bool has_passes = box->sim->plan.passes.n > 0;
    uint32_t udp = IMAGE_NONE;
    listeners.all[listeners.n++] =
        sim_config_listener(box, b, "sim/gw/http", "", IMAGE_PROTOCOL_HTTP, SIM_PORT);
    if (box->sim->plan.tls.is_on)
        listeners.all[listeners.n++] = sim_config_listener(box, b, "sim/gw/https", SIM_NAME,
                                                           IMAGE_PROTOCOL_HTTPS, SIM_TLS_PORT);
    if (has_passes)
        listeners.all[listeners.n++] = sim_config_add_pass_listeners(box, b, &passed);
    if (box->sim->plan.asks.n > 0)
        udp = sim_config_listener(box, b, "sim/gw/udp", "", IMAGE_PROTOCOL_UDP, SIM_UDP_PORT);
    add_groups(box, b);
    uint32_t one = 1;
    uint32_t two[2] = {rng_below(&box->rng, 4), 1 + rng_below(&box->rng, 4)};
    add_extra_routes(box, b, &listeners, "extra");
    add_route(box, b, &listeners, "sim/route-a", "/a/", SIM_GROUP_A, &one, 1);
    add_route(box, b, &listeners, "sim/route-b", "/b/", SIM_GROUP_B1, two, 2);
    add_route(box, b, &listeners, "sim/route-empty", "/empty/", SIM_GROUP_EMPTY, &one, 1);
    add_route(box, b, &listeners, "sim/route-none", "/none/", SIM_GROUP_A, NULL, 0);
    add_extra_routes(box, b, &listeners, "then");
    if (has_passes)
        sim_config_add_pass_routes(b, &passed);
    if (udp != IMAGE_NONE)
        sim_config_add_udp_route(b, udp);
}

/* Publishes the next image. False: too many are alive. */
static bool publish_image(struct sim_box *box)
{
    if (generation_live_count(box->generations) == GENERATIONS_MAX)
        return false;
    void *image;
    size_t len;
    struct image_fault_info info;
    struct image_builder *b = image_builder_new();
    ASSERT(b != NULL);
    box->has_vip6 =
        !box->sim->plan.moves_vip6 || box->generation == 0 || rng_below(&box->rng, 2) == 0;
    box->n_shown = 0;
    add_network(box, b);
    add_routes(box, b);
    int error = image_builder_finish(b, box->generation + 1, &image, &len);
    ASSERT(error == 0);
    image_builder_free(b);
    if (image_check(image, len, &info) != IMAGE_FAULT_OK)
        sim_fail(box->sim, "image refused: %s", image_fault_name(info.fault));
    bool is_published = generation_publish(box->generations, image, len, sim_keys_new(box, image));
    ASSERT(is_published);
    sim_keys_set_tickets(box);
    box->generation++;
    sim_note(box->sim, "image %lu", box->generation);
    return true;
}

/* Nobody has the address, nobody listens on the port, or who does shows another's certificate. */
static struct endpoint dead_end(const struct sim_box *box, uint32_t group)
{
    const struct sim_plan *plan = &box->sim->plan;
    bool is_nobody = (plan->seed + group) % 2 == 0;
    bool is_liar = is_tls(box, group) && (plan->seed + group) % 3 != 0;
    return (struct endpoint){.addr = is_nobody && !is_liar ? addr_of("198.18.1.250")
                                                           : box->sim->hosts[plan->n_clients].addr4,
                             .port = is_liar ? SIM_LIAR_PORT : SIM_BACKEND_PORT + 1,
                             .weight = 1,
                             .flags = ENDPOINT_READY | ENDPOINT_SERVING};
}

/* Every backend for certain with `all`; else a part of them, at least one. */
static void put_group(struct sim_box *box, uint32_t group, bool all)
{
    struct {
        struct endpoint_record record;
        struct endpoint endpoints[SIM_BACKENDS_MAX + 1];
    } r = {.record = {.group = group, .version = ++box->versions[group]}};
    const struct sim_plan *plan = &box->sim->plan;
    uint32_t sure = rng_below(&box->rng, plan->n_backends);
    bool has_table = is_hashed(box, group) || is_forwarded(box, group);
    r.record.flags = has_table ? ENDPOINT_RECORD_HASHED : 0;
    for (uint32_t i = 0; i < plan->n_backends && group != SIM_GROUP_EMPTY; i++) {
        bool is_ready = all || i == sure || rng_below(&box->rng, 2) == 0;
        bool is_leaving = !is_ready && rng_below(&box->rng, 2) == 0;
        if (!is_ready && !is_leaving)
            continue;
        const struct sim_host *host = &box->sim->hosts[plan->n_clients + i];
        bool is_ip6 = (group + i + plan->seed) % 3 == 0;
        r.endpoints[r.record.count++] =
            (struct endpoint){.addr = is_ip6 ? host->addr6 : host->addr4,
                              .port = port_of(box, group),
                              .weight = 1,
                              .flags = is_ready ? ENDPOINT_READY | ENDPOINT_SERVING
                                                : ENDPOINT_SERVING | ENDPOINT_TERMINATING};
    }
    if (plan->has_dead_ends && group != SIM_GROUP_EMPTY)
        r.endpoints[r.record.count++] = dead_end(box, group);
    r.record.checksum = endpoints_checksum(r.endpoints, r.record.count);
    enum endpoints_fault fault =
        endpoints_check(&r, sizeof(r.record) + r.record.count * sizeof(struct endpoint));
    bool is_put = fault == ENDPOINTS_FAULT_OK &&
                  endpoint_table_put(box->endpoints, &r.record, box->sim->now_us, &fault);
    if (!is_put)
        sim_fail(box->sim, "endpoints refused: %s", endpoints_fault_name(fault));
    sim_note(box->sim, "group %u has %u endpoints", group, r.record.count);
}

/* When the next of `left` changes comes, so that they spread over the run. */
static uint64_t next_change(struct sim_box *box, uint32_t left)
{
    if (left == 0)
        return UINT64_MAX;
    uint32_t mean_us = (uint32_t)(box->sim->plan.span_us / left) + 1;
    return box->sim->now_us + 1 + rng_below(&box->rng, 2 * mean_us);
}

void sim_config_begin(struct sim_box *b)
{
    for (uint32_t group = SIM_GROUP_A; group < group_end(b); group++)
        put_group(b, group, true);
    bool is_published = publish_image(b);
    ASSERT(is_published);
    b->next_image_us = next_change(b, b->images_left);
    b->next_endpoints_us = next_change(b, b->endpoints_left);
}

/* Any but the empty one. */
static uint32_t group_of_change(struct sim_box *b)
{
    uint32_t group = SIM_GROUP_A + rng_below(&b->rng, group_end(b) - SIM_GROUP_A - 1);
    return group < SIM_GROUP_EMPTY ? group : group + 1;
}

bool sim_config_poll(struct sim_box *b, uint64_t now_us)
{
    bool did = false;
    if (now_us >= b->next_image_us) {
        did = publish_image(b);
        b->images_left -= did;
        b->next_image_us = did ? next_change(b, b->images_left) : now_us + FULL_RETRY_US;
    }
    if (now_us >= b->next_endpoints_us) {
        put_group(b, group_of_change(b), false);
        b->endpoints_left--;
        b->next_endpoints_us = next_change(b, b->endpoints_left);
        did = true;
    }
    generation_set_reap(b->generations);
    endpoint_table_reap(b->endpoints);
    return did;
}
