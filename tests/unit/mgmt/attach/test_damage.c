/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random damage to valid objects: whatever the model lets through, a run must not crash on it, its
 * plan must be sound, the dataplane must take the image made of it, and its statuses must be valid
 * objects again.
 */
#include "test_change.h"

#include "abi/image.h"
#include "compile/compile.h"
#include "fixture.h"
#include "scenario.h"

#define DAMAGE_ROUNDS 400

static uint64_t state;

/* xorshift64: the same damage each time. */
static uint32_t chance(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 11) % n;
}

static json_t *any_value(void)
{
    static const char *const texts[] = {"",
                                        "*",
                                        "/",
                                        "a",
                                        "Gateway",
                                        "ListenerSet",
                                        "HTTPRoute",
                                        "GRPCRoute",
                                        "TLSRoute",
                                        "TCPRoute",
                                        "UDPRoute",
                                        "UDP",
                                        "Service",
                                        "BBR",
                                        "web",
                                        "ns",
                                        "gw",
                                        "*.example.com",
                                        "192.0.2.16",
                                        "2001:db8::/32",
                                        "RegularExpression",
                                        "All",
                                        "Selector",
                                        "HTTP",
                                        "HTTPS"};
    switch (chance(8)) {
    case 0:
        return json_integer((json_int_t)chance(70000) - 1000);
    case 1:
        return json_null();
    case 2:
        return json_boolean(chance(2));
    case 3:
        return json_object();
    case 4:
        return json_array();
    default:
        return json_string(texts[chance(sizeof(texts) / sizeof(texts[0]))]);
    }
}

/* A random value somewhere below `root`: its container. */
static json_t *any_container(json_t *root)
{
    json_t *at = root;
    for (uint32_t steps = chance(10); steps > 0; steps--) {
        json_t *next = NULL;
        if (json_is_object(at) && json_object_size(at) > 0) {
            uint32_t skip = chance((uint32_t)json_object_size(at));
            void *iter = json_object_iter(at);
            while (skip-- > 0) {
                iter = json_object_iter_next(at, iter);
            }
            next = json_object_iter_value(iter);
        } else if (json_is_array(at) && json_array_size(at) > 0) {
            next = json_array_get(at, chance((uint32_t)json_array_size(at)));
        }
        if (next == NULL || (!json_is_object(next) && !json_is_array(next))) {
            return at;
        }
        at = next;
    }
    return at;
}

/* Changes, removes or doubles one member. */
static void damage(json_t *root)
{
    json_t *at = any_container(root);
    if (json_is_array(at) && json_array_size(at) > 0) {
        size_t i = chance((uint32_t)json_array_size(at));
        switch (chance(3)) {
        case 0:
            json_array_set_new(at, i, any_value());
            break;
        case 1:
            json_array_remove(at, i);
            break;
        default:
            json_array_append_new(at, json_deep_copy(json_array_get(at, i)));
            break;
        }
    } else if (json_is_object(at) && json_object_size(at) > 0) {
        uint32_t skip = chance((uint32_t)json_object_size(at));
        void *iter = json_object_iter(at);
        while (skip-- > 0) {
            iter = json_object_iter_next(at, iter);
        }
        if (chance(2) == 0) {
            json_object_iter_set_new(at, iter, any_value());
        } else {
            json_object_del(at, json_object_iter_key(iter));
        }
    }
}

/* Would the api take it? */
static bool is_valid(json_t *object)
{
    static struct model_errors errors;
    const char *version = json_string_value(json_object_get(object, "apiVersion"));
    const char *kind = json_string_value(json_object_get(object, "kind"));
    const struct resource_type *type =
        version != NULL && kind != NULL ? model_type_find_kind(version, kind) : NULL;
    if (type == NULL) {
        return false;
    }
    memset(&errors, 0, sizeof(errors));
    model_normalize(type, object);
    model_default(type, object);
    return model_validate(type, object, NULL, &errors) == 0;
}

/* Do the listeners before the i-th that are at its j-th address and port have its congestion
 * control, and want PROXY headers as it does? */
static void check_beside(const struct plan *p, uint32_t i, uint32_t j)
{
    const struct plan_listener *l = &p->listeners[i];
    const struct ip_addr *addr = &p->gateways[l->gateway].addresses[j];
    for (uint32_t k = 0; k < i; k++) {
        const struct plan_listener *other = &p->listeners[k];
        const struct plan_gateway *g = &p->gateways[other->gateway];
        bool may_meet = other->is_served && other->port == l->port;
        for (uint32_t m = 0; may_meet && m < g->n_addresses; m++) {
            CHECK(!ip_addr_eq(addr, &g->addresses[m]) ||
                  (other->congestions[m] == l->congestions[j] &&
                   (other->proxied[m] == NULL) == (l->proxied[j] == NULL)));
        }
    }
}

static void check_congestions(const struct plan *p)
{
    for (uint32_t i = 0; i < p->n_listeners; i++) {
        const struct plan_listener *l = &p->listeners[i];
        for (uint32_t j = 0; l->is_served && j < p->gateways[l->gateway].n_addresses; j++) {
            CHECK(image_is_congestion((uint8_t)l->congestions[j]));
            check_beside(p, i, j);
        }
    }
}

/* Indices within their arrays, lists where they must be. */
static void check_plan(const struct plan *p)
{
    check_congestions(p);
    for (uint32_t i = 0; i < p->n_listeners; i++) {
        CHECK(p->listeners[i].gateway < p->n_gateways);
        for (uint32_t j = 0; j < p->listeners[i].n_attachments; j++) {
            CHECK(p->listeners[i].attachments[j].route < p->n_routes);
            CHECK(p->listeners[i].attachments[j].n_hostnames > 0);
        }
    }
    for (uint32_t i = 0; i < p->n_routes; i++) {
        CHECK(p->routes[i].n_rules > 0);
        for (uint32_t j = 0; j < p->routes[i].n_rules; j++) {
            const struct plan_rule *r = &p->routes[i].rules[j];
            CHECK(r->n_matches > 0);
            for (uint32_t k = 0; k < r->n_backends; k++) {
                CHECK((r->backends[k].fault == PLAN_BACKEND_OK) ==
                      (r->backends[k].group < p->n_groups));
            }
        }
    }
}

/* The dataplane takes the image that is made of the plan. */
static void check_image(const struct plan *p)
{
    static const char *const ports[] = {"port0", "port1"};
    uint32_t *ids = calloc(p->n_groups + 1, sizeof(ids[0]));
    REQUIRE(ids != NULL);
    for (uint32_t i = 0; i < p->n_groups; i++) {
        ids[i] = i;
    }
    struct compile_input in = {
        .plan = p, .group_ids = ids, .port_names = ports, .n_ports = 2, .generation = 1};
    void *image = NULL;
    size_t len = 0;
    REQUIRE(compile_image(&in, &image, &len) == 0);
    struct image_fault_info info;
    CHECK_EQ(image_check(image, len, &info), IMAGE_FAULT_OK);
    free(image);
    free(ids);
}

/* With random damage: as many objects of it as are still valid go into a run. */
static void run_damaged(const struct scenario *whole, uint32_t *ret_refused)
{
    struct scenario s = {.objects = json_array(), .source = whole->source};
    s.source.ctx = &s;
    for (size_t i = 0; i < json_array_size(whole->objects); i++) {
        json_t *object = json_deep_copy(json_array_get(whole->objects, i));
        for (uint32_t n = chance(3); n > 0; n--) {
            damage(object);
        }
        if (is_valid(object)) {
            json_array_append(s.objects, object);
        } else {
            ++*ret_refused;
        }
        json_decref(object);
    }
    struct attach *a = NULL;
    struct attach_input in = {.source = &s.source};
    REQUIRE(attach_run(&in, &a) == 0);
    check_plan(attach_plan(a));
    check_image(attach_plan(a));
    attach_free(a);
    scenario_reconcile(&s, false, "2026-11-23T09:00:00Z");
    for (size_t i = 0; i < json_array_size(s.objects); i++) {
        CHECK(is_valid(json_array_get(s.objects, i)));
    }
    json_decref(s.objects);
}

void damaged_objects_never_crash_a_run(void)
{
    static const char *const files[] = {
        "teams.yaml",       "backends.yaml", "addresses.yaml",      "rules.yaml",
        "listeners.yaml",   "classes.yaml",  "policies.yaml",       "limits.yaml",
        "health.yaml",      "access.yaml",   "tokens.yaml",         "clients.yaml",
        "backend-tls.yaml", "sets.yaml",     "sets-addresses.yaml", "services.yaml"};
    uint32_t refused = 0;
    state = 20261123;
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        struct scenario s;
        scenario_open(&s, files[f]);
        struct attach *a = NULL;
        struct attach_input in = {.source = &s.source};
        REQUIRE(attach_run(&in, &a) == 0);
        check_image(attach_plan(a));
        attach_free(a);
        for (uint32_t i = 0; i < DAMAGE_ROUNDS; i++) {
            run_damaged(&s, &refused);
        }
        scenario_close(&s);
    }
    CHECK(refused > 100);
}
