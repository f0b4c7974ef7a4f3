/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Store, attach, compile, publish and status together, against a dataplane of the test's own: what
 * is published when, and that no status says more than what was acknowledged.
 */
#include "fake_dataplane.h"
#include "loop/loop.h"
#include "reconcile/reconcile.h"
#include "store/resource.h"
#include "store/store.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLASS "gatewayclasses.gateway.networking.k8s.io"
#define GATEWAY "gateways.gateway.networking.k8s.io"
#define ROUTE "httproutes.gateway.networking.k8s.io"
#define SLICE "endpointslices.discovery.k8s.io"

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
} w;

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

static void begin(void)
{
    memset(&w, 0, sizeof(w));
    snprintf(w.dir, sizeof(w.dir), "/tmp/sluice-test-reconcile-XXXXXX");
    REQUIRE(mkdtemp(w.dir) != NULL);
    REQUIRE(model_init() == 0);
    REQUIRE(loop_new(&w.loop) == 0);
    fake_open(&w.dataplane, w.loop, w.dir);
    open_mgmt();
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

static void serve_all(void)
{
    put_all();
    fake_wait_image(&w.dataplane, 0);
    fake_rounds(&w.dataplane, 10);
    fake_serve(&w.dataplane, w.dataplane.generation);
}

TEST(programmed_is_said_only_after_every_worker_serves_it)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    put_all();
    fake_wait_image(&w.dataplane, 0);
    fake_rounds(&w.dataplane, 10);
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
    unsigned images = w.dataplane.images;
    unsigned records = w.dataplane.records;
    memcpy(changed, slice_json, sizeof(changed));
    memcpy(strstr(changed, "198.18.0.20"), "198.18.0.21", 11);
    put(SLICE, changed);
    fake_rounds(&w.dataplane, 10);
    CHECK_EQ(w.dataplane.images, images);
    CHECK_EQ(w.dataplane.records, records + 1);
    CHECK_STR(condition(GATEWAY, "a", "gw", "Programmed"), "True");
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
    fake_wait_image(&w.dataplane, 0);
    fake_refuse(&w.dataplane);
    reconcile_state(w.reconcile, &state);
    CHECK_EQ(state.images_refused, 1);
    CHECK(strcmp(condition(GATEWAY, "a", "gw", "Programmed"), "True") != 0);
    end();
}

TEST(the_finalizer_of_a_class_holds_while_a_gateway_uses_it)
{
    begin();
    fake_welcome(&w.dataplane, 0, 0);
    serve_all();
    const json_t *class = store_get(w.store, CLASS, NULL, "lb");
    CHECK_EQ(json_array_size(json_object_get(json_object_get(class, "metadata"), "finalizers")), 1);
    drop(GATEWAY, "a", "gw");
    fake_rounds(&w.dataplane, 10);
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

UNIT_MAIN("mgmt/reconcile", T(programmed_is_said_only_after_every_worker_serves_it),
          T(an_endpoint_change_sends_a_record_and_no_image),
          T(a_restart_beside_a_serving_dataplane_changes_nothing),
          T(a_dataplane_that_lost_everything_gets_everything),
          T(a_gateways_new_generation_waits_for_its_own_image),
          T(a_refused_image_is_counted_and_never_called_programmed),
          T(the_finalizer_of_a_class_holds_while_a_gateway_uses_it),
          T(the_id_of_a_group_is_released_when_nobody_serves_it))
