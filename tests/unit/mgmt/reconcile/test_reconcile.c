/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store, attach, compile, publish and status together, against a dataplane of the test's own: what
 * is published when, and that no status says more than what was acknowledged.
 */
#include "fake_dataplane.h"
#include "loop/loop.h"
#include "reconcile/carried.h"
#include "reconcile/pace.h"
#include "reconcile/reconcile.h"
#include "store/resource.h"
#include "store/store.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define CLASS "gatewayclasses.gateway.networking.k8s.io"
#define GATEWAY "gateways.gateway.networking.k8s.io"
#define ROUTE "httproutes.gateway.networking.k8s.io"
#define SLICE "endpointslices.discovery.k8s.io"
#define POLICY "transportpolicies.sluice.internal"

static const char class_json[] =
    "{\"apiVersion\":\"gateway.networking.k8s.io/"
    "v1\",\"kind\":\"GatewayClass\",\"metadata\":{\"name\":\"lb\"},"
    "\"spec\":{\"controllerName\":\"sluice.internal/gateway-controller\"}}";
static const char gateway_json[] =
    "{\"apiVersion\":\"gateway.networking.k8s.io/"
    "v1\",\"kind\":\"Gateway\",\"metadata\":{\"name\":\"gw\","
    "\"namespace\":\"a\"},\"spec\":{\"gatewayClassName\":\"lb\",\"addresses\":[{\"type\":"
    "\"IPAddress\",\"value\":"
    "\"198.18.0.10\"}],\"listeners\":[{\"name\":\"http\",\"port\":80,\"protocol\":\"HTTP\"}]}}";
static const char route_json[] = "{\"apiVersion\":\"gateway.networking.k8s.io/"
                                 "v1\",\"kind\":\"HTTPRoute\",\"metadata\":{\"name\":\"r\","
                                 "\"namespace\":\"a\"},\"spec\":{\"parentRefs\":[{\"name\":\"gw\"}]"
                                 ",\"rules\":[{\"backendRefs\":[{\"name\":"
                                 "\"svc\",\"port\":80}]}]}}";
static const char namespace_json[] =
    "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"a\"}}";
static const char interface_json[] =
    "{\"apiVersion\":\"sluice.internal/"
    "v1\",\"kind\":\"Interface\",\"metadata\":{\"name\":\"uplink\"},\"spec\":"
    "{\"port\":\"p0\",\"addresses\":[\"198.18.0.1/24\"]}}";
static const char pool_json[] =
    "{\"apiVersion\":\"sluice.internal/"
    "v1\",\"kind\":\"AddressPool\",\"metadata\":{\"name\":\"vips\"},\"spec\":"
    "{\"addresses\":[\"198.18.0.8/29\"],\"interface\":\"uplink\"}}";
static const char service_json[] = "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{"
                                   "\"name\":\"svc\",\"namespace\":\"a\"},\"spec\":"
                                   "{\"ports\":[{\"port\":80,\"targetPort\":8080}]}}";
static const char policy_json[] =
    "{\"apiVersion\":\"sluice.internal/v1\",\"kind\":\"TransportPolicy\",\"metadata\":{"
    "\"name\":\"hashed\",\"namespace\":\"a\"},\"spec\":{\"targetRefs\":[{\"group\":\"\",\"kind\":"
    "\"Service\",\"name\":\"svc\"}],\"congestionControl\":\"Cubic\",\"balancing\":\"Maglev\"}}";
static const char slice_json[] = "{\"apiVersion\":\"discovery.k8s.io/"
                                 "v1\",\"kind\":\"EndpointSlice\",\"metadata\":{\"name\":\"svc-1\","
                                 "\"namespace\":\"a\",\"labels\":{\"kubernetes.io/"
                                 "service-name\":\"svc\"}},\"addressType\":\"IPv4\",\"ports\":"
                                 "[{\"port\":8080}],\"endpoints\":[{\"addresses\":[\"198.18.0.20\"]"
                                 ",\"conditions\":{\"ready\":true}}]}";

static struct world {
    struct loop *loop;
    struct store *store;
    struct reconcile *reconcile;
    struct fake_dataplane dataplane;
    char dir[64];
} w; /* loop NULL: none */

/* The object as a client's body becomes one in the store. */
static void put(const char *resource, const char *json)
{
    struct store_txn *txn;
    json_t *object = json_loads(json, 0, NULL);
    REQUIRE(object != NULL);
    const struct resource_type *type =
        model_type_find_kind(json_string_value(json_object_get(object, "apiVersion")),
                             json_string_value(json_object_get(object, "kind")));
    REQUIRE(type != NULL);
    REQUIRE(model_normalize(type, object) == 0 && model_default(type, object) == 0);
    static struct model_errors errors;
    memset(&errors, 0, sizeof(errors));
    if (model_validate(type, object, NULL, &errors) != 0)
        fprintf(stderr, "%s: %s\n", errors.items[0].field, errors.items[0].message);
    CHECK_EQ(errors.n, 0);
    REQUIRE(store_begin(w.store, &txn) == 0);
    REQUIRE(store_put(txn, resource, object, NULL) == 0);
    REQUIRE(store_commit(txn) == 0);
    json_decref(object);
}

static void put_all(void)
{
    put("namespaces", namespace_json);
    put("interfaces.sluice.internal", interface_json);
    put("addresspools.sluice.internal", pool_json);
    put(CLASS, class_json);
    put(GATEWAY, gateway_json);
    put("services", service_json);
    put(SLICE, slice_json);
    put(ROUTE, route_json);
}

static void drop(const char *resource, const char *namespace, const char *name)
{
    struct store_txn *txn;
    REQUIRE(store_begin(w.store, &txn) == 0);
    REQUIRE(store_remove(txn, resource, namespace, name, NULL) == 0);
    REQUIRE(store_commit(txn) == 0);
}

static void open_mgmt(void)
{
    const char *error;
    REQUIRE(store_open(w.dir, &w.store, &error) == 0);
    struct reconcile_config config = {.loop = w.loop, .store = w.store, .run_dir = w.dir};
    REQUIRE(reconcile_new(&config, &w.reconcile) == 0);
}

static void close_mgmt(void)
{
    reconcile_free(w.reconcile);
    store_close(w.store);
}

static void end(void)
{
    char command[128];
    close_mgmt();
    fake_close(&w.dataplane, w.dir);
    loop_free(w.loop);
    model_done();
    snprintf(command, sizeof(command), "rm -r %s", w.dir);
    CHECK_EQ(system(command), 0);
    memset(&w, 0, sizeof(w));
}

static void begin(void)
{
    if (w.loop != NULL)
        end(); /* the test before ended early */
    snprintf(w.dir, sizeof(w.dir), "/tmp/sluice-test-reconcile-XXXXXX");
    REQUIRE(mkdtemp(w.dir) != NULL);
    REQUIRE(model_init() == 0);
    REQUIRE(loop_new(&w.loop) == 0);
    fake_open(&w.dataplane, w.loop, w.dir);
    open_mgmt();
}

static uint64_t runs(void)
{
    struct reconcile_state state;
    reconcile_state(w.reconcile, &state);
    return state.runs;
}

/* Until a run has looked at what was put last, and what it sent has come. */
static void settle(void)
{
    uint64_t before = runs();
    FAKE_WAIT(&w.dataplane, runs() > before);
    fake_rounds(&w.dataplane, 5);
}

/* "True", "False", "Unknown" of a condition of the object; "" if it is not there. */
static const char *condition(const char *resource, const char *namespace, const char *name,
                             const char *type)
{
    size_t i;
    const json_t *c;
    const json_t *object = store_get(w.store, resource, namespace, name);
    json_array_foreach(json_object_get(json_object_get(object, "status"), "conditions"), i, c)
    {
        if (strcmp(json_string_value(json_object_get(c, "type")), type) == 0)
            return json_string_value(json_object_get(c, "status"));
    }
    return "";
}

/* Until no run is due. */
static void settle_all(void)
{
    uint64_t before;
    do {
        before = runs();
        fake_rounds(&w.dataplane, 20);
    } while (runs() != before);
}

static void serve_all(void)
{
    put_all();
    settle();
    fake_serve(&w.dataplane, w.dataplane.generation);
}

TEST(programmed_is_said_only_after_every_worker_serves_it)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    put_all();
    settle();
    CHECK_STR(condition(GATEWAY, "a", "gw", "Accepted"), "True");
    CHECK(strcmp(condition(GATEWAY, "a", "gw", "Programmed"), "True") != 0);
    CHECK(w.dataplane.records > 0);
    CHECK_EQ(w.dataplane.last_count, 1);
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK_STR(condition(GATEWAY, "a", "gw", "Programmed"), "True");
    end();
}

TEST(an_endpoint_change_sends_a_record_and_no_image)
{
    char changed[sizeof(slice_json)];
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    settle_all();
    unsigned images = w.dataplane.images;
    unsigned records = w.dataplane.records;
    uint64_t before = runs();
    memcpy(changed, slice_json, sizeof(changed));
    memcpy(strstr(changed, "198.18.0.20"), "198.18.0.21", 11);
    put(SLICE, changed);
    fake_rounds(&w.dataplane, 5);
    CHECK_EQ(runs(), before); /* it does not wait for one either */
    CHECK_EQ(w.dataplane.images, images);
    CHECK_EQ(w.dataplane.records, records + 1);
    CHECK_STR(condition(GATEWAY, "a", "gw", "Programmed"), "True");
    end();
}

TEST(endpoints_that_came_without_a_run_are_in_the_next_one)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    drop(SLICE, "a", "svc-1");
    fake_rounds(&w.dataplane, 5);
    CHECK_EQ(w.dataplane.last_count, 0);
    put(SLICE, slice_json);
    fake_rounds(&w.dataplane, 5);
    CHECK_EQ(w.dataplane.last_count, 1);
    unsigned records = w.dataplane.records;
    drop("services", "a", "svc");
    settle();
    put("services", service_json);
    settle();
    CHECK_EQ(w.dataplane.records, records); /* the same list again: nothing to tell */
    end();
}

TEST(a_policy_that_wants_a_hash_sends_the_endpoints_again_and_so_does_its_end)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    CHECK_EQ(w.dataplane.last_flags, 0);
    unsigned records = w.dataplane.records;
    put(POLICY, policy_json);
    settle();
    CHECK_EQ(w.dataplane.records, records + 1);
    CHECK_EQ(w.dataplane.last_count, 1);
    CHECK_EQ(w.dataplane.last_flags, ENDPOINT_RECORD_HASHED);
    drop(POLICY, "a", "hashed");
    settle();
    CHECK_EQ(w.dataplane.records, records + 2);
    CHECK_EQ(w.dataplane.last_count, 1);
    CHECK_EQ(w.dataplane.last_flags, 0);
    end();
}

/* The generation that a condition of the route's only parent speaks of. */
static json_int_t observed(const char *name)
{
    const json_t *route = store_get(w.store, ROUTE, "a", name);
    const json_t *parents = json_object_get(json_object_get(route, "status"), "parents");
    const json_t *conditions = json_object_get(json_array_get(parents, 0), "conditions");
    return json_integer_value(json_object_get(json_array_get(conditions, 0), "observedGeneration"));
}

/* The route's object with another request header to be set: another image. */
static void put_route_header(unsigned value)
{
    char json[sizeof(route_json) + 160];
    const char *at = strstr(route_json, "\"backendRefs\"");
    snprintf(json, sizeof(json),
             "%.*s\"filters\":[{\"type\":\"RequestHeaderModifier\",\"requestHeaderModifier\":"
             "{\"set\":[{\"name\":\"x-change\",\"value\":\"%u\"}]}}],%s",
             (int)(at - route_json), route_json, value, at);
    put(ROUTE, json);
}

TEST(the_status_of_a_route_waits_until_every_worker_serves_it)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    settle_all();
    uint64_t before = w.dataplane.generation;
    CHECK_EQ(observed("r"), 1);
    put_route_header(1);
    fake_wait_image(&w.dataplane, before);
    fake_rounds(&w.dataplane, 5);
    CHECK_EQ(observed("r"), 0);       /* put() took its status away */
    fake_serve(&w.dataplane, before); /* an old answer says nothing of it */
    CHECK_EQ(observed("r"), 0);
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK_EQ(observed("r"), 2);
    end();
}

TEST(the_status_of_a_route_does_not_wait_for_a_dataplane_that_is_not_there)
{
    begin();
    put_all();
    settle();
    CHECK_EQ(observed("r"), 1);
    end();
}

TEST(the_status_of_a_route_whose_image_was_refused_waits_for_the_next_one)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    settle_all();
    uint64_t before = w.dataplane.generation;
    put_route_header(1);
    fake_wait_image(&w.dataplane, before);
    uint64_t refused = w.dataplane.generation;
    fake_refuse(&w.dataplane);
    CHECK_EQ(observed("r"), 0);
    fake_wait_image(&w.dataplane, refused);
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK_EQ(observed("r"), 2);
    end();
}

TEST(statuses_of_routes_come_although_changes_never_cease)
{
    json_int_t told = 0;
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    settle_all();
    for (unsigned i = 1; i <= 20; i++) {
        uint64_t before = w.dataplane.generation;
        put_route_header(2 * i);
        fake_wait_image(&w.dataplane, before);
        put_route_header(2 * i + 1); /* its image waits for the answer to that one */
        fake_rounds(&w.dataplane, 5);
        fake_serve(&w.dataplane, w.dataplane.generation);
        told = observed("r") > 1 ? told + 1 : told;
    }
    CHECK(told > 0);
    end();
}

TEST(a_route_that_changed_gets_its_status_and_its_image)
{
    char changed[sizeof(route_json) + 64];
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    settle_all();
    CHECK_EQ(observed("r"), 1);
    unsigned images = w.dataplane.images;
    snprintf(changed, sizeof(changed), "%s", route_json);
    memcpy(strstr(changed, "\"port\":80"), "\"port\":81", 9); /* the Service has no such port */
    put(ROUTE, changed);
    settle();
    CHECK_EQ(w.dataplane.images, images + 1);
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK_EQ(observed("r"), 2);
    end();
}

#define MANY_ROUTES 3000u /* more than are written in one transaction */

TEST(statuses_of_any_number_of_routes_are_written)
{
    struct store_txn *txn;
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    json_t *route = json_deep_copy(store_get(w.store, ROUTE, "a", "r"));
    json_object_del(route, "status");
    REQUIRE(store_begin(w.store, &txn) == 0);
    for (unsigned i = 0; i < MANY_ROUTES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "r-%u", i);
        json_object_set_new(json_object_get(route, "metadata"), "name", json_string(name));
        REQUIRE(store_put(txn, ROUTE, route, NULL) == 0);
    }
    REQUIRE(store_commit(txn) == 0);
    json_decref(route);
    settle();
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK_EQ(observed("r-0"), 1);
    CHECK_EQ(observed("r-2999"), 1);
    end();
}

TEST(a_restart_beside_a_serving_dataplane_changes_nothing)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    unsigned images = w.dataplane.images;
    uint64_t generation = w.dataplane.generation;
    close_mgmt();
    close(w.dataplane.peer);
    w.dataplane.peer = -1;
    open_mgmt();
    fake_rounds(&w.dataplane, 5);
    CHECK_STR(condition(GATEWAY, "a", "gw", "Programmed"),
              "True"); /* before WELCOME: nothing is touched */
    uint64_t version = store_version(w.store);
    fake_welcome(&w.dataplane, generation, w.dataplane.content_checksum);
    FAKE_WAIT(&w.dataplane, runs() > 0);
    fake_rounds(&w.dataplane, 10);
    CHECK_EQ(w.dataplane.images, images);
    CHECK_EQ(store_version(w.store), version); /* not one status was written */
    CHECK_STR(condition(GATEWAY, "a", "gw", "Programmed"), "True");
    end();
}

TEST(a_dataplane_that_lost_everything_gets_everything)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    unsigned images = w.dataplane.images;
    unsigned records = w.dataplane.records;
    close(w.dataplane.peer);
    w.dataplane.peer = -1;
    w.dataplane.generation = 0;
    fake_rounds(&w.dataplane, 3);
    fake_welcome(&w.dataplane, 0, 0);
    fake_wait_image(&w.dataplane, 0);
    CHECK_EQ(w.dataplane.images, images + 1);
    CHECK(w.dataplane.records > records);
    end();
}

TEST(a_gateways_new_generation_waits_for_its_own_image)
{
    static const char more[] = "{\"apiVersion\":\"gateway.networking.k8s.io/"
                               "v1\",\"kind\":\"Gateway\",\"metadata\":{\"name\":\"gw\","
                               "\"namespace\":\"a\"},\"spec\":{\"gatewayClassName\":\"lb\","
                               "\"addresses\":[{\"type\":\"IPAddress\","
                               "\"value\":\"198.18.0.10\"}],\"listeners\":[{\"name\":\"http\","
                               "\"port\":81,\"protocol\":\"HTTP\"}]}}";
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    uint64_t before = w.dataplane.generation;
    put(GATEWAY, more);
    fake_wait_image(&w.dataplane, before);
    fake_rounds(&w.dataplane, 5);
    CHECK(strcmp(condition(GATEWAY, "a", "gw", "Programmed"), "True") != 0);
    fake_serve(&w.dataplane, before); /* an old answer says nothing of the new one */
    CHECK(strcmp(condition(GATEWAY, "a", "gw", "Programmed"), "True") != 0);
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK_STR(condition(GATEWAY, "a", "gw", "Programmed"), "True");
    end();
}

TEST(a_refused_image_is_counted_and_never_called_programmed)
{
    struct reconcile_state state;
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    put_all();
    settle();
    fake_refuse(&w.dataplane);
    reconcile_state(w.reconcile, &state);
    CHECK_EQ(state.images_refused, 1);
    CHECK(strcmp(condition(GATEWAY, "a", "gw", "Programmed"), "True") != 0);
    end();
}

TEST(a_refused_image_goes_again_under_a_higher_number)
{
    struct reconcile_state state;
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    put_all();
    settle();
    uint64_t refused = w.dataplane.generation;
    fake_refuse(&w.dataplane);
    fake_wait_image(&w.dataplane, refused);
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK_STR(condition(GATEWAY, "a", "gw", "Programmed"), "True");
    reconcile_state(w.reconcile, &state);
    CHECK_EQ(state.images_refused, 1);
    CHECK_EQ(state.failures, 1);
    end();
}

TEST(a_refused_list_of_endpoints_goes_again)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    unsigned records = w.dataplane.records;
    unsigned images = w.dataplane.images;
    fake_refuse_record(&w.dataplane);
    fake_serve(&w.dataplane, w.dataplane.generation); /* which says nothing of the list */
    FAKE_WAIT(&w.dataplane, w.dataplane.records > records);
    fake_rounds(&w.dataplane, 10);
    CHECK_EQ(w.dataplane.records, records + 1);
    CHECK_EQ(w.dataplane.images, images);
    end();
}

TEST(an_image_that_the_manager_before_us_left_on_its_way_is_gone_over_and_not_taken_for_ours)
{
    begin();
    put_all();
    w.dataplane.generation = 9; /* accepted; the workers still serve 7 */
    fake_welcome(&w.dataplane, 7, 4711);
    fake_wait_image(&w.dataplane, 9);
    CHECK_EQ(w.dataplane.generation, 10);
    fake_serve(&w.dataplane, 9);
    CHECK(strcmp(condition(GATEWAY, "a", "gw", "Programmed"), "True") != 0);
    fake_serve(&w.dataplane, 10);
    CHECK_STR(condition(GATEWAY, "a", "gw", "Programmed"), "True");
    end();
}

/* A Gateway's object with another port: another image. */
static void put_gateway_port(unsigned port)
{
    char json[sizeof(gateway_json) + 8];
    const char *at = strstr(gateway_json, ":80,");
    snprintf(json, sizeof(json), "%.*s:%u%s", (int)(at - gateway_json), gateway_json, port, at + 3);
    put(GATEWAY, json);
}

TEST(a_dataplane_that_stands_still_gets_few_images_and_the_last_one_in_the_end)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    unsigned before = w.dataplane.images;
    for (unsigned i = 1; i <= 3 * RECONCILE_UNACKNOWLEDGED_MAX; i++) {
        put_gateway_port(8000 + i);
        settle();
    }
    CHECK_EQ(w.dataplane.images, before + RECONCILE_UNACKNOWLEDGED_MAX);
    CHECK(strcmp(condition(GATEWAY, "a", "gw", "Programmed"), "True") != 0);
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK(strcmp(condition(GATEWAY, "a", "gw", "Programmed"), "True") != 0);
    FAKE_WAIT(&w.dataplane, w.dataplane.images > before + RECONCILE_UNACKNOWLEDGED_MAX);
    fake_rounds(&w.dataplane, 10);
    CHECK_EQ(w.dataplane.images, before + RECONCILE_UNACKNOWLEDGED_MAX + 1);
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK_STR(condition(GATEWAY, "a", "gw", "Programmed"), "True");
    end();
}

TEST(ids_of_backends_stay_while_the_image_without_them_has_not_been_sent)
{
    uint32_t id;
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    for (unsigned i = 1; i <= RECONCILE_UNACKNOWLEDGED_MAX; i++) {
        put_gateway_port(8000 + i);
        settle();
    }
    drop(ROUTE, "a", "r"); /* there is no room for this image yet */
    settle();
    uint64_t with_backend = w.dataplane.generation;
    struct control_generation body = {.generation = with_backend};
    REQUIRE(control_send(w.dataplane.peer, CONTROL_GENERATION, 0, &body, sizeof(body), -1) == 0);
    fake_wait_image(&w.dataplane, with_backend);
    CHECK_EQ(store_group_find(w.store, "a/svc:80", &id), 0);
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK(store_group_find(w.store, "a/svc:80", &id) != 0);
    end();
}

TEST(statuses_that_a_full_disk_kept_from_being_written_are_written_later)
{
    struct rlimit old;
    signal(SIGXFSZ, SIG_IGN);
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    put_all();
    settle();
    getrlimit(RLIMIT_FSIZE, &old);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 8192, .rlim_max = old.rlim_max});
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK(strcmp(condition(GATEWAY, "a", "gw", "Programmed"), "True") != 0);
    setrlimit(RLIMIT_FSIZE, &old);
    FAKE_WAIT(&w.dataplane, strcmp(condition(GATEWAY, "a", "gw", "Programmed"), "True") == 0);
    end();
}

static unsigned pace_runs;

static void count_run(struct loop_task *task)
{
    pace_runs++;
}

TEST(failures_are_tried_again_ever_more_seldom_and_never_forgotten)
{
    struct loop *loop;
    struct loop_task task = {.run = count_run};
    struct pace pace;
    uint64_t pause_us = 0;
    REQUIRE(loop_new(&loop) == 0);
    pace_init(&pace, loop, &task);
    for (unsigned i = 0; i < 12; i++) {
        uint64_t next_us = pace_on_failure(&pace);
        CHECK(next_us == RECONCILE_RETRY_MAX_US || next_us > pause_us);
        CHECK_EQ(pace_on_failure(&pace), next_us); /* those of one pause count as one */
        loop_timer_disarm(loop, &pace.retry);      /* as if it had passed */
        pause_us = next_us;
    }
    CHECK_EQ(pause_us, RECONCILE_RETRY_MAX_US);
    pace_on_success(&pace);
    CHECK_EQ(pace_on_failure(&pace), RECONCILE_RETRY_US);
    pace_on_success(&pace); /* of something else: the attempt stays due */
    CHECK(wheel_timer_is_armed(&pace.retry));
    pace_done(&pace);
    loop_free(loop);
}

TEST(a_long_run_is_followed_by_rest_in_which_changes_add_up)
{
    struct loop *loop;
    struct loop_task task = {.run = count_run};
    struct pace pace;
    pace_runs = 0;
    REQUIRE(loop_new(&loop) == 0);
    pace_init(&pace, loop, &task);
    pace_on_run(&pace, RECONCILE_RUN_SHORT_US - 1);
    pace_program_run(&pace);
    CHECK_EQ(pace_runs, 0); /* whoever made the change is answered first */
    for (unsigned i = 0; i < 100 && pace_runs == 0; i++)
        loop_round(loop, 10000);
    CHECK_EQ(pace_runs, 1);
    uint64_t begin_us = pace_clock_us();
    pace_on_run(&pace, RECONCILE_RUN_SHORT_US);
    for (unsigned i = 0; i < 100 && pace_runs == 1; i++) {
        pace_program_run(&pace);
        loop_round(loop, 10000);
    }
    CHECK_EQ(pace_runs, 2);
    CHECK(pace_clock_us() - begin_us >= RECONCILE_REST_FACTOR * RECONCILE_RUN_SHORT_US);
    pace_done(&pace);
    loop_free(loop);
}

TEST(a_run_waits_for_the_answer_to_the_image_before_but_not_for_ever)
{
    struct loop *loop;
    struct loop_task task = {.run = count_run};
    struct pace pace;
    pace_runs = 0;
    REQUIRE(loop_new(&loop) == 0);
    pace_init(&pace, loop, &task);
    uint64_t begin_us = pace_clock_us();
    pace_on_image(&pace);
    pace_program_run(&pace);
    for (unsigned i = 0; i < 10000 && pace_runs == 0; i++)
        loop_round(loop, 10000);
    CHECK_EQ(pace_runs, 1);
    CHECK(pace_clock_us() - begin_us >= RECONCILE_ANSWER_WAIT_US);
    pace_on_image(&pace);
    pace_program_run(&pace);
    pace_on_answer(&pace);
    CHECK(pace.rest.deadline_us <= loop_now_us(loop) + RECONCILE_GATHER_US);
    pace_done(&pace);
    loop_free(loop);
}

TEST(the_finalizer_of_a_class_holds_while_a_gateway_uses_it)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    const json_t *class = store_get(w.store, CLASS, NULL, "lb");
    CHECK_EQ(json_array_size(json_object_get(json_object_get(class, "metadata"), "finalizers")), 1);
    drop(GATEWAY, "a", "gw");
    settle();
    class = store_get(w.store, CLASS, NULL, "lb");
    CHECK_EQ(json_array_size(json_object_get(json_object_get(class, "metadata"), "finalizers")), 0);
    end();
}

TEST(the_id_of_a_group_is_released_when_nobody_serves_it)
{
    uint32_t id;
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    REQUIRE(store_group_find(w.store, "a/svc:80", &id) == 0);
    uint64_t before = w.dataplane.generation;
    drop(ROUTE, "a", "r");
    fake_wait_image(&w.dataplane, before);
    CHECK_EQ(store_group_find(w.store, "a/svc:80", &id), 0);
    fake_serve(&w.dataplane, w.dataplane.generation);
    CHECK(store_group_find(w.store, "a/svc:80", &id) != 0);
    fake_rounds(&w.dataplane, 5);
    CHECK_EQ(w.dataplane.last_group, id);
    CHECK_EQ(w.dataplane.last_count, 0);
    end();
}

UNIT_MAIN(
    "mgmt/reconcile", T(programmed_is_said_only_after_every_worker_serves_it),
    T(an_endpoint_change_sends_a_record_and_no_image),
    T(endpoints_that_came_without_a_run_are_in_the_next_one),
    T(a_policy_that_wants_a_hash_sends_the_endpoints_again_and_so_does_its_end),
    T(the_status_of_a_route_waits_until_every_worker_serves_it),
    T(the_status_of_a_route_does_not_wait_for_a_dataplane_that_is_not_there),
    T(the_status_of_a_route_whose_image_was_refused_waits_for_the_next_one),
    T(statuses_of_routes_come_although_changes_never_cease),
    T(a_route_that_changed_gets_its_status_and_its_image),
    T(statuses_of_any_number_of_routes_are_written),
    T(a_restart_beside_a_serving_dataplane_changes_nothing),
    T(a_dataplane_that_lost_everything_gets_everything),
    T(a_gateways_new_generation_waits_for_its_own_image),
    T(a_refused_image_is_counted_and_never_called_programmed),
    T(a_refused_image_goes_again_under_a_higher_number), T(a_refused_list_of_endpoints_goes_again),
    T(an_image_that_the_manager_before_us_left_on_its_way_is_gone_over_and_not_taken_for_ours),
    T(a_dataplane_that_stands_still_gets_few_images_and_the_last_one_in_the_end),
    T(ids_of_backends_stay_while_the_image_without_them_has_not_been_sent),
    T(statuses_that_a_full_disk_kept_from_being_written_are_written_later),
    T(failures_are_tried_again_ever_more_seldom_and_never_forgotten),
    T(a_long_run_is_followed_by_rest_in_which_changes_add_up),
    T(a_run_waits_for_the_answer_to_the_image_before_but_not_for_ever),
    T(the_finalizer_of_a_class_holds_while_a_gateway_uses_it),
    T(the_id_of_a_group_is_released_when_nobody_serves_it))
