/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single objects change, and the run that was there is brought up to date: plan, statuses and image
 * are those of a new run, whatever changed in whatever order.
 */
#include "test_change.h"

#include "base/container.h"
#include "base/rng.h"
#include "compile/compile.h"
#include "fixture.h"
#include "model/types.h"
#include "scenario.h"

#define T0 "2026-11-23T09:00:00Z"
#define EDITS 400u
#define OBJECTS_MAX 12u /* of the kind that is edited */

static bool has_kind(const json_t *object, const char *kind)
{
    return strcmp(json_string_value(json_object_get(object, "kind")), kind) == 0;
}

/* The place of an object of the kind, by chance; the number of objects: there is none. */
static size_t pick(const struct scenario *s, struct rng *rng, const char *kind)
{
    size_t n = 0;
    size_t chosen = json_array_size(s->objects);
    for (size_t i = 0; i < json_array_size(s->objects); i++) {
        if (has_kind(json_array_get(s->objects, i), kind) && rng_below(rng, (uint32_t)++n) == 0) {
            chosen = i;
        }
    }
    return chosen;
}

/* ---- edits: each makes a new version of the object, as a store does ---- */

static json_t *spec_of(json_t *object)
{
    return json_object_get(object, "spec");
}

static void edit_route(json_t *route, struct rng *rng)
{
    static const char *const hostnames[] = {"a.example.com", "*.example.com", "b.other.org"};
    json_t *rules = json_object_get(spec_of(route), "rules");
    json_t *rule = json_array_get(rules, 0);
    bool is_grpc = has_kind(route, "GRPCRoute");
    bool is_l4 = !is_grpc && !has_kind(route, "HTTPRoute");
    switch (is_l4 ? 2 * rng_below(rng, 2) : rng_below(rng, is_grpc ? 3 : 5)) {
    case 0:
        json_object_set_new(spec_of(route), "hostnames",
                            json_pack("[s]", hostnames[rng_below(rng, 3)]));
        break;
    case 1:
        json_object_set_new(rule, "matches",
                            is_grpc ? json_pack("[{s:{s:s,s:s}}]", "method", "type", "Exact",
                                                rng_below(rng, 2) ? "service" : "method", "one")
                                    : json_pack("[{s:{s:s,s:s}}]", "path", "type", "PathPrefix",
                                                "value", rng_below(rng, 2) ? "/one" : "/two"));
        break;
    case 2: /* a Service that may not be there */
        json_object_set_new(rule, "backendRefs",
                            json_pack("[{s:s,s:s,s:s,s:i}]", "group", "", "kind", "Service", "name",
                                      rng_below(rng, 2) ? "svc" : "nobody", "port", 80));
        break;
    case 3:
        json_object_set_new(rule, "retry", json_object());
        break;
    default:
        json_object_del(rule, "retry");
        break;
    }
}

/* Other ports, protocols and hostnames, maybe such that others have; maybe another Gateway. */
static void edit_set(json_t *set, struct rng *rng)
{
    static const char *const hostnames[] = {"a.example.com", "b.example.com", "gw.example.com",
                                            "new.example.com", "newer.example.com"};
    static const char *const gateways[] = {"shared", "closed", "theirs", "nothing"};
    json_t *listeners = json_object_get(spec_of(set), "listeners");
    json_t *parent = json_object_get(spec_of(set), "parentRef");
    json_t *l = json_array_get(listeners, rng_below(rng, (uint32_t)json_array_size(listeners)));
    switch (rng_below(rng, 6)) {
    case 0:
        json_object_set_new(l, "port", json_integer(80 + (json_int_t)rng_below(rng, 3)));
        break;
    case 1:
        if (json_array_size(listeners) > 1) {
            json_array_remove(listeners, 0);
        }
        break;
    case 2:
        if (rng_below(rng, 4) == 0) {
            json_object_set_new(parent, "name", json_string(gateways[rng_below(rng, 4)]));
        }
        break;
    default:
        if (strcmp(json_string_value(json_object_get(l, "protocol")), "HTTP") == 0) {
            json_object_set_new(l, "hostname", json_string(hostnames[rng_below(rng, 5)]));
        }
        break;
    }
}

static void edit_slice(json_t *slice, struct rng *rng)
{
    char address[32];
    json_t *labels = json_object_get(json_object_get(slice, "metadata"), "labels");
    snprintf(address, sizeof(address), "192.0.2.%u", 200 + rng_below(rng, 20));
    json_object_set_new(slice, "endpoints", json_pack("[{s:[s]}]", "addresses", address));
    if (rng_below(rng, 4) == 0) {
        json_object_set_new(labels, "kubernetes.io/service-name",
                            json_string(rng_below(rng, 2) ? "svc" : "elsewhere"));
    }
}

/* Every third change is one that means nothing. */
static void edit_node(json_t *node, struct rng *rng)
{
    char address[32];
    json_t *status = json_object_get(node, "status");
    snprintf(address, sizeof(address), "192.0.2.%u", 200 + rng_below(rng, 20));
    switch (rng_below(rng, 6)) {
    case 0:
        fixture_set_new(node, "spec.unschedulable", json_boolean(rng_below(rng, 2)));
        break;
    case 1:
        json_object_set_new(status, "conditions",
                            json_pack("[{s:s,s:s}]", "type", "Ready", "status",
                                      rng_below(rng, 2) ? "True" : "Unknown"));
        break;
    case 2:
        json_object_set_new(status, "addresses",
                            json_pack("[{s:s,s:s}]", "type", "InternalIP", "address", address));
        break;
    case 3: /* of a cluster with ways to pods, or one without */
        fixture_set_new(node, "spec.podCIDR",
                        json_string(rng_below(rng, 2) ? "10.244.1.0/24" : "10.244.9.0/24"));
        break;
    default:
        fixture_set_new(node, "metadata.resourceVersion", json_string("7"));
        break;
    }
}

/* A copy under another name, maybe older than all others. */
static json_t *another(const json_t *object, struct rng *rng)
{
    char name[32];
    json_t *copy = json_deep_copy(object);
    snprintf(name, sizeof(name), "%snew-%u",
             has_kind(object, "Node") && rng_below(rng, 2) ? "east-" : "", rng_below(rng, 1000));
    fixture_set_new(copy, "metadata.name", json_string(name));
    if (rng_below(rng, 2) == 0) {
        fixture_set_new(copy, "metadata.creationTimestamp", json_string("2026-01-01T00:00:00Z"));
    }
    json_object_del(copy, "status");
    return copy;
}

static uint32_t count(const struct scenario *s, const char *kind)
{
    uint32_t n = 0;
    for (size_t i = 0; i < json_array_size(s->objects); i++) {
        n += has_kind(json_array_get(s->objects, i), kind);
    }
    return n;
}

static const char *meta_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(json_object_get(object, "metadata"), key));
}

static bool is_there(struct scenario *s, const json_t *object)
{
    char which[600];
    snprintf(which, sizeof(which), "%s %s/%s", json_string_value(json_object_get(object, "kind")),
             meta_of(object, "namespace"), meta_of(object, "name"));
    return scenario_find(s, which) != NULL;
}

/* Changes, adds or removes an object of the kind; what it was and is goes into `versions`. */
static void edit(struct scenario *s, struct rng *rng, const char *kind, json_t *versions)
{
    size_t at = pick(s, rng, kind);
    uint32_t n = count(s, kind);
    if (n == 0) {
        return;
    }
    json_t *old = json_array_get(s->objects, at);
    json_t *now = json_deep_copy(old);
    json_array_append(versions, old);
    switch (rng_below(rng, 6)) {
    case 0: /* goes, if it is not the last, of which others are copied */
        json_decref(now);
        if (n > 1) {
            json_array_remove(s->objects, at);
        }
        return;
    case 1:
    case 2:
        json_decref(now);
        now = another(old, rng);
        if (n < OBJECTS_MAX && !is_there(s, now)) {
            json_array_append(versions, now);
            json_array_append(s->objects, now);
        }
        json_decref(now);
        return;
    default:
        (strcmp(kind, "EndpointSlice") == 0 ? edit_slice
         : strcmp(kind, "ListenerSet") == 0 ? edit_set
         : strcmp(kind, "Node") == 0        ? edit_node
                                            : edit_route)(now, rng);
        json_array_append(versions, now);
        json_array_set_new(s->objects, at, now);
    }
}

/* ---- what came of it ---- */

/* The plan without its groups, which are in the order of their first use. */
static char *plan_text(const struct attach *a)
{
    char *text = NULL;
    size_t len;
    struct plan plan = *attach_plan(a);
    FILE *out = open_memstream(&text, &len);
    uint32_t n_groups = plan.n_groups;
    plan.n_groups = 0;
    plan_dump(&plan, out);
    fprintf(out, "%u groups\n", n_groups);
    fclose(out);
    return text;
}

static const struct plan_group *group_named(const struct plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->n_groups; i++) {
        if (strcmp(plan->groups[i].name, name) == 0) {
            return &plan->groups[i];
        }
    }
    return NULL;
}

static void check_groups(const struct plan *a, const struct plan *b)
{
    for (uint32_t i = 0; i < a->n_groups; i++) {
        const struct plan_group *g = &a->groups[i];
        const struct plan_group *h = group_named(b, g->name);
        REQUIRE(h != NULL && h->n_endpoints == g->n_endpoints);
        CHECK_EQ(h->congestion, g->congestion);
        CHECK_EQ(h->proxy_header, g->proxy_header);
        CHECK_EQ(h->protocol, g->protocol);
        CHECK_EQ(h->forwarding, g->forwarding);
        CHECK(g->n_endpoints == 0 ||
              memcmp(g->endpoints, h->endpoints, g->n_endpoints * sizeof(g->endpoints[0])) == 0);
    }
}

static int compare_names(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* The image of a plan; groups are numbered by their names, as a store would once and for all. */
static void *image_of(const struct attach *a, size_t *ret_length)
{
    static const char *const ports[] = {"p0"};
    const struct plan *plan = attach_plan(a);
    const char *names[64];
    uint32_t ids[64];
    REQUIRE(plan->n_groups < 64);
    for (uint32_t i = 0; i < plan->n_groups; i++) {
        names[i] = plan->groups[i].name;
    }
    qsort(names, plan->n_groups, sizeof(names[0]), compare_names);
    for (uint32_t i = 0; i < plan->n_groups; i++) {
        for (ids[i] = 0; strcmp(names[ids[i]], plan->groups[i].name) != 0;) {
            ids[i]++;
        }
    }
    struct compile_input in = {
        .plan = plan, .group_ids = ids, .port_names = ports, .n_ports = 1, .generation = 1};
    void *image = NULL;
    REQUIRE(compile_image(&in, &image, ret_length) == 0);
    return image;
}

static int collect_status(void *arg, const struct attach_status *s)
{
    char name[600];
    snprintf(name, sizeof(name), "%s %s/%s", s->type->kind, s->namespace ? s->namespace : "",
             s->name);
    json_object_set(arg, name, s->status != NULL ? s->status : json_null());
    return 0;
}

static json_t *statuses(struct scenario *s, struct attach *a)
{
    json_t *all = json_object();
    struct attach_status_input in = {.source = &s->source, .now = T0};
    REQUIRE(attach_status_foreach(a, &in, collect_status, all) == 0);
    return all;
}

static void check_same(struct scenario *s, struct attach *updated, struct attach *fresh)
{
    char *a = plan_text(updated), *b = plan_text(fresh);
    CHECK_STR(a, b);
    free(a);
    free(b);
    check_groups(attach_plan(updated), attach_plan(fresh));
    size_t length_a, length_b;
    void *image_a = image_of(updated, &length_a), *image_b = image_of(fresh, &length_b);
    REQUIRE(length_a == length_b);
    CHECK(memcmp(image_a, image_b, length_a) == 0);
    free(image_a);
    free(image_b);
    json_t *of_updated = statuses(s, updated), *of_fresh = statuses(s, fresh);
    CHECK(json_equal(of_updated, of_fresh));
    json_decref(of_updated);
    json_decref(of_fresh);
}

static const json_t *const *items(const json_t *versions, const json_t *ret[8])
{
    REQUIRE(json_array_size(versions) <= 8);
    for (size_t i = 0; i < json_array_size(versions); i++) {
        ret[i] = json_array_get(versions, i);
    }
    return ret;
}

static void on_group(void *arg, const struct plan_group *group)
{
    *(unsigned *)arg += group->name != NULL;
}

static struct attach *run(struct scenario *s)
{
    struct attach *a;
    struct attach_input in = {.source = &s->source};
    REQUIRE(attach_run(&in, &a) == 0);
    return a;
}

static void edit_for_long(const char *file, uint64_t seed, unsigned *n_updated, unsigned *n_told)
{
    static const char *const kinds[] = {"HTTPRoute", "GRPCRoute", "TLSRoute",
                                        "TCPRoute",  "UDPRoute",  "ListenerSet"};
    struct scenario s;
    struct rng rng = {seed};
    scenario_open(&s, file);
    struct attach *a = run(&s);
    struct attach_input in = {.source = &s.source};
    for (unsigned i = 0; i < EDITS; i++) {
        const json_t *list[8];
        json_t *routes = json_array(), *slices = json_array(), *nodes = json_array();
        for (uint32_t n = rng_below(&rng, 4); n > 0; n--) {
            edit(&s, &rng, kinds[rng_below(&rng, array_len(kinds))], routes);
        }
        edit(&s, &rng, "EndpointSlice", slices);
        bool is_told = attach_update_slices(a, &in, items(slices, list), json_array_size(slices),
                                            on_group, n_told);
        /* where slices say whose clients are where, they may change more than endpoints */
        REQUIRE(is_told || strcmp(file, "services.yaml") == 0);
        edit(&s, &rng, "Node", nodes);
        bool is_up_to_date =
            is_told && attach_update_nodes(a, &in, items(nodes, list), json_array_size(nodes),
                                           on_group, n_told);
        is_up_to_date =
            is_up_to_date && attach_update(a, &in, items(routes, list), json_array_size(routes));
        struct attach *fresh = run(&s);
        if (is_up_to_date) {
            check_same(&s, a, fresh);
            attach_free(fresh);
            ++*n_updated;
        } else {
            attach_free(a);
            a = fresh;
        }
        json_decref(routes);
        json_decref(slices);
        json_decref(nodes);
    }
    attach_free(a);
    scenario_close(&s);
}

void an_update_gives_what_a_new_run_gives(void)
{
    static const char *const files[] = {
        "overview-1.yaml",  "overview-2.yaml",     "teams.yaml",    "backends.yaml",
        "hostnames.yaml",   "rules.yaml",          "parents.yaml",  "policies.yaml",
        "backend-tls.yaml", "grpc.yaml",           "l4.yaml",       "udp.yaml",
        "sets.yaml",        "sets-addresses.yaml", "services.yaml", "reach.yaml"};
    unsigned n_updated = 0, n_told = 0;
    for (size_t f = 0; f < sizeof(files) / sizeof(files[0]); f++) {
        edit_for_long(files[f], f + 1, &n_updated, &n_told);
    }
    CHECK(n_updated > EDITS);
    CHECK(n_told > EDITS);
}

static size_t place_of(struct scenario *s, const char *which)
{
    size_t i = 0;
    const json_t *object = scenario_find(s, which);
    REQUIRE(object != NULL);
    while (json_array_get(s->objects, i) != object) {
        i++;
    }
    return i;
}

static void take_away(struct scenario *s, const char *which)
{
    json_array_remove(s->objects, place_of(s, which));
}

/* The route gets another hostname: does an update of the run do, and is it as good as a new one? */
static bool is_enough(struct scenario *s, const char *which, const char *hostname)
{
    struct attach_input in = {.source = &s->source};
    struct attach *a = run(s);
    json_t *old = json_incref(scenario_find(s, which));
    json_t *now = json_deep_copy(old);
    json_object_set_new(spec_of(now), "hostnames", json_pack("[s]", hostname));
    json_array_set_new(s->objects, place_of(s, which), now);
    const json_t *versions[] = {old, now};
    bool is = attach_update(a, &in, versions, 2);
    if (is) {
        struct attach *fresh = run(s);
        check_same(s, a, fresh);
        attach_free(fresh);
    }
    attach_free(a);
    json_decref(old);
    return is;
}

/* The ListenerSet's first listener gets another hostname: does an update of the run do? */
static bool is_enough_of_set(struct scenario *s, const char *which, const char *hostname)
{
    struct attach_input in = {.source = &s->source};
    struct attach *a = run(s);
    json_t *old = json_incref(scenario_find(s, which));
    json_t *now = json_deep_copy(old);
    json_object_set_new(json_array_get(json_object_get(spec_of(now), "listeners"), 0), "hostname",
                        json_string(hostname));
    json_array_set_new(s->objects, place_of(s, which), now);
    const json_t *versions[] = {old, now};
    bool is = attach_update(a, &in, versions, 2);
    if (is) {
        struct attach *fresh = run(s);
        check_same(s, a, fresh);
        attach_free(fresh);
    }
    attach_free(a);
    json_decref(old);
    return is;
}

void listener_sets_are_judged_anew_where_they_meet(void)
{
    struct scenario s;
    scenario_open(&s, "sets.yaml");
    CHECK(!is_enough_of_set(&s, "ListenerSet a/first", "new.example.com")); /* one waits for it */
    CHECK(is_enough_of_set(&s, "ListenerSet a/first", "newer.example.com"));
    CHECK(is_enough_of_set(&s, "ListenerSet a/first", "gw.example.com"));
    CHECK(!is_enough_of_set(&s, "ListenerSet a/first", "b.example.com")); /* a younger one has it */
    CHECK(is_enough_of_set(&s, "ListenerSet a/on-hollow", "x.example.com"));
    CHECK(is_enough_of_set(&s, "ListenerSet d/stranger", "x.example.com"));
    scenario_close(&s);
    scenario_open(&s, "sets-addresses.yaml"); /* its Gateway shares its address */
    CHECK(!is_enough_of_set(&s, "ListenerSet ns/of-two", "new.example.com"));
    scenario_close(&s);
}

void routes_of_two_kinds_are_judged_anew_where_they_meet(void)
{
    static const char *const in_the_way[] = {"HTTPRoute ns/c-http-below", "GRPCRoute ns/d-taken",
                                             "GRPCRoute ns/f-any", "HTTPRoute ns/j-wide"};
    struct scenario s;
    scenario_open(&s, "grpc.yaml");
    static const char which[] = "GRPCRoute ns/h-filters";
    CHECK(!is_enough(&s, which, "g.example.com")); /* others stand back on its listener */
    for (size_t i = 0; i < 4; i++) {
        take_away(&s, in_the_way[i]);
    }
    CHECK(is_enough(&s, which, "h.example.com"));
    CHECK(is_enough(&s, "HTTPRoute ns/b-http", "w.example.com"));
    CHECK(!is_enough(&s, which, "*.example.com"));
    CHECK(!is_enough(&s, which, "i.example.com")); /* it stood back itself */
    CHECK(is_enough(&s, which, "j.example.com"));
    json_t *only = json_incref(scenario_find(&s, "HTTPRoute ns/b-http"));
    take_away(&s, "HTTPRoute ns/b-http");
    CHECK(is_enough(&s, which, "w.example.com"));
    struct attach_input in = {.source = &s.source};
    struct attach *a = run(&s); /* all are of one kind, until now */
    json_array_append(s.objects, only);
    const json_t *version = only;
    CHECK(!attach_update(a, &in, &version, 1));
    attach_free(a);
    json_decref(only);
    scenario_close(&s);
}

void too_many_updates_ask_for_a_new_run(void)
{
    struct scenario s;
    scenario_open(&s, "overview-1.yaml");
    struct attach *a = run(&s);
    struct attach_input in = {.source = &s.source};
    const json_t *route = scenario_find(&s, "HTTPRoute gateway-api-example-ns2/my-route");
    for (unsigned i = 0; i < ATTACH_UPDATES_MAX; i++) {
        REQUIRE(attach_update(a, &in, &route, 1));
    }
    CHECK(!attach_update(a, &in, &route, 1));
    CHECK(attach_update(a, &in, NULL, 0));
    attach_free(a);
    scenario_close(&s);
}

static void count_group(void *arg, const struct plan_group *group)
{
    *(unsigned *)arg += group->n_endpoints;
}

void endpoints_may_change_without_end_and_leave_nothing_behind(void)
{
    struct scenario s;
    unsigned told = 0;
    scenario_open(&s, "overview-1.yaml");
    struct attach *a = run(&s);
    struct attach_input in = {.source = &s.source};
    json_t *slice = scenario_find(&s, "EndpointSlice gateway-api-example-ns2/foo-svc-1");
    size_t at = 0;
    while (json_array_get(s.objects, at) != slice) {
        at++;
    }
    for (unsigned i = 0; i < 2 * ATTACH_UPDATES_MAX; i++) {
        json_t *old = json_incref(json_array_get(s.objects, at));
        json_t *now = json_deep_copy(old);
        const json_t *versions[] = {old, now};
        json_array_set_new(s.objects, at, now);
        REQUIRE(attach_update_slices(a, &in, versions, 2, count_group, &told));
        REQUIRE(old->refcount == 1); /* nobody else has it any more */
        json_decref(old);
    }
    CHECK(told > 0);
    attach_free(a);
    scenario_close(&s);
}

static int count_routes(void *arg, const struct attach_status *status)
{
    *(unsigned *)arg += status->type == model_type(MODEL_HTTP_ROUTE);
    return 0;
}

static unsigned routes_told(struct scenario *s, struct attach *a)
{
    unsigned n = 0;
    struct attach_status_input in = {.source = &s->source, .now = T0};
    REQUIRE(attach_status_foreach(a, &in, count_routes, &n) == 0);
    return n;
}

void a_status_that_is_as_wanted_is_looked_at_again_after_an_update(void)
{
    struct scenario s;
    static const char which[] = "HTTPRoute gateway-api-example-ns2/my-route";
    scenario_open(&s, "overview-1.yaml");
    struct attach *a = run(&s);
    struct attach_input in = {.source = &s.source};
    CHECK(routes_told(&s, a) > 0);
    scenario_reconcile(&s, false, T0); /* writes what is wanted */
    CHECK_EQ(routes_told(&s, a), 0);
    json_t *route = scenario_find(&s, which);
    json_object_del(route, "status"); /* somebody else's doing */
    CHECK_EQ(routes_told(&s, a), 0);
    const json_t *version = route;
    CHECK(attach_update(a, &in, &version, 1));
    CHECK_EQ(routes_told(&s, a), 1);
    attach_free(a);
    scenario_close(&s);
}

static int count_all(void *arg, const struct attach_status *status)
{
    ++*(unsigned *)arg;
    return 0;
}

void statuses_that_come_early_are_not_those_of_routes(void)
{
    struct scenario s;
    scenario_open(&s, "overview-1.yaml");
    struct attach *a = run(&s);
    unsigned n = 0;
    struct attach_status_input in = {.source = &s.source, .now = T0, .only = ATTACH_STATUS_EARLY};
    REQUIRE(attach_status_foreach(a, &in, count_all, &n) == 0);
    CHECK(n > 0);
    n = 0;
    REQUIRE(attach_status_foreach(a, &in, count_routes, &n) == 0);
    CHECK_EQ(n, 0);
    attach_free(a);
    scenario_close(&s);
}

static int count_gateways(void *arg, const struct attach_status *status)
{
    *(unsigned *)arg += status->type == model_type(MODEL_GATEWAY);
    return 0;
}

static bool all_are_served(void *arg, const char *uid, int64_t generation)
{
    return true;
}

static unsigned gateways_told(struct scenario *s, struct attach *a, attach_is_served_fn is_served)
{
    unsigned n = 0;
    struct attach_status_input in = {.source = &s->source, .now = T0, .is_served = is_served};
    REQUIRE(attach_status_foreach(a, &in, count_gateways, &n) == 0);
    return n;
}

void the_status_of_a_gateway_is_looked_at_again_when_something_may_have_changed_it(void)
{
    struct scenario s;
    static const char which[] = "Gateway gateway-api-example-ns1/foo-gateway";
    scenario_open(&s, "overview-1.yaml");
    scenario_reconcile(&s, false, T0); /* writes what is wanted */
    json_t *gateway = scenario_find(&s, which);
    fixture_set_new(gateway, "metadata.resourceVersion", json_string("1"));
    struct attach *a = run(&s);
    struct attach_input in = {.source = &s.source};
    CHECK_EQ(gateways_told(&s, a, NULL), 1);
    CHECK_EQ(gateways_told(&s, a, NULL), 0);
    CHECK_EQ(gateways_told(&s, a, all_are_served), 1); /* Programmed is another */
    CHECK_EQ(gateways_told(&s, a, all_are_served), 1); /* nobody has written it */
    CHECK_EQ(gateways_told(&s, a, NULL), 1);
    CHECK_EQ(gateways_told(&s, a, NULL), 0);
    const json_t *route =
        json_incref(scenario_find(&s, "HTTPRoute gateway-api-example-ns2/my-route"));
    take_away(&s, "HTTPRoute gateway-api-example-ns2/my-route");
    attach_update(a, &in, &route, 1); /* whether or not it does: fewer routes are attached */
    CHECK_EQ(gateways_told(&s, a, NULL), 1);
    json_decref((json_t *)(uintptr_t)route);
    attach_free(a);
    a = run(&s);
    scenario_reconcile(&s, false, T0);
    gateway = scenario_find(&s, which);
    fixture_set_new(gateway, "metadata.resourceVersion", json_string("2"));
    CHECK_EQ(gateways_told(&s, a, NULL), 1);
    CHECK_EQ(gateways_told(&s, a, NULL), 0);
    json_object_del(gateway, "status"); /* somebody else's doing */
    fixture_set_new(gateway, "metadata.resourceVersion", json_string("3"));
    CHECK_EQ(gateways_told(&s, a, NULL), 1);
    attach_free(a);
    scenario_close(&s);
}
