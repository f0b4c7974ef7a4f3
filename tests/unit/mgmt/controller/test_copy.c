/* SPDX-License-Identifier: Apache-2.0 */
/* What copies look like, when one is current, and what references are read as. */
#include "controller/copy.h"
#include "controller/refs.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define GATEWAY_V1 "gateway.networking.k8s.io/v1"

static const struct copy_names plain = {.cluster = "default"};
static const struct copy_names east = {.cluster = "east", .prefix = "east-"};

static const char route_text[] =
    "{'apiVersion': 'gateway.networking.k8s.io/v1beta1', 'kind': 'HTTPRoute',"
    " 'metadata': {'name': 'app', 'namespace': 'shop', 'uid': 'u1', 'generation': 7,"
    "  'creationTimestamp': '2026-02-01T00:00:00Z', 'resourceVersion': '12', 'finalizers': "
    "['x/y'], 'ownerReferences': [{'name': 'z'}],"
    "  'annotations': {'note': 'n'}, 'labels': {'app': 'shop'}},"
    " 'spec': {'parentRefs': [{'name': 'gw', 'namespace': 'infra'}, {'name': 'own'}],"
    "  'rules': [{'backendRefs': [{'name': 'one', 'port': 80, 'namespace': 'back'}],"
    "   'filters': [{'requestMirror': {'backendRef': {'name': 'two', 'namespace': 'far'}}},"
    "    {'extensionRef': {'group': 'sluice.internal', 'kind': 'RateLimit', 'name': 'slow'}}]}]},"
    " 'status': {'parents': []}}";

static json_t *read_json(const char *text)
{
    char quoted[4096];
    snprintf(quoted, sizeof(quoted), "%s", text);
    for (char *p = quoted; *p != '\0'; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *object = json_loads(quoted, 0, NULL);
    REQUIRE(object != NULL);
    return object;
}

static json_t *copy_of(const struct copy_names *names, enum kind kind, const char *text)
{
    json_t *object = read_json(text);
    json_t *copy = copy_make(names, kind, object, GATEWAY_V1, "cluster-uid");
    json_decref(object);
    REQUIRE(copy != NULL);
    return copy;
}

static const char *annotation(const json_t *copy, const char *key)
{
    const json_t *all = json_object_get(json_object_get(copy, "metadata"), "annotations");
    const char *text = json_string_value(json_object_get(all, key));
    return text != NULL ? text : "";
}

TEST(a_copy_has_the_contents_and_says_where_it_is_from)
{
    json_t *copy = copy_of(&plain, KIND_HTTP_ROUTE, route_text);
    const json_t *metadata = json_object_get(copy, "metadata");
    CHECK_STR(kube_text_at(copy, "apiVersion"), GATEWAY_V1);
    CHECK_STR(kube_text_at(metadata, "name"), "app");
    CHECK_STR(kube_text_at(metadata, "namespace"), "shop");
    CHECK_STR(kube_text_at(metadata, "labels.app"), "shop");
    CHECK_STR(json_string_value(json_object_get(json_object_get(metadata, "labels"), MIRROR_LABEL)),
              "default");
    CHECK_STR(annotation(copy, MIRROR_UID), "u1");
    CHECK_STR(annotation(copy, MIRROR_GENERATION), "7");
    CHECK_STR(annotation(copy, MIRROR_CREATED), "2026-02-01T00:00:00Z");
    CHECK_STR(annotation(copy, MIRROR_CLUSTER), "cluster-uid");
    CHECK_EQ(json_object_size(json_object_get(metadata, "annotations")), 5);
    CHECK(json_object_get(copy, "status") == NULL);
    CHECK(json_object_get(metadata, "finalizers") == NULL);
    CHECK(json_object_get(metadata, "ownerReferences") == NULL);
    CHECK(json_object_get(metadata, "resourceVersion") == NULL);
    json_decref(copy);
}

TEST(a_copy_with_defaults_added_is_current_and_one_that_was_changed_is_not)
{
    json_t *wanted = copy_of(&plain, KIND_HTTP_ROUTE, route_text);
    json_t *there = json_deep_copy(wanted);
    json_t *spec = json_object_get(there, "spec");
    json_t *parent = json_array_get(json_object_get(spec, "parentRefs"), 0);
    CHECK(copy_is_current(KIND_HTTP_ROUTE, wanted, there));
    json_object_set_new(parent, "kind", json_string("Gateway"));
    json_object_set_new(json_object_get(there, "metadata"), "generation", json_integer(3));
    json_object_set_new(there, "status", json_object());
    CHECK(copy_is_current(KIND_HTTP_ROUTE, wanted, there));
    json_object_set_new(parent, "name", json_string("other"));
    CHECK(!copy_is_current(KIND_HTTP_ROUTE, wanted, there));
    json_object_set_new(parent, "name", json_string("gw"));
    json_array_append_new(json_object_get(spec, "parentRefs"), json_object());
    CHECK(!copy_is_current(KIND_HTTP_ROUTE, wanted, there));
    json_array_remove(json_object_get(spec, "parentRefs"), 2);
    CHECK(copy_is_current(KIND_HTTP_ROUTE, wanted, there));
    json_object_del(parent, "namespace");
    CHECK(!copy_is_current(KIND_HTTP_ROUTE, wanted, there));
    json_decref(there);
    json_decref(wanted);
}

TEST(a_field_that_the_cluster_took_away_makes_a_copy_stale)
{
    json_t *before = read_json(route_text);
    json_t *after = json_deep_copy(before);
    json_object_del(json_object_get(after, "spec"), "rules");
    json_t *there = copy_make(&plain, KIND_HTTP_ROUTE, before, GATEWAY_V1, "c");
    json_t *wanted = copy_make(&plain, KIND_HTTP_ROUTE, after, GATEWAY_V1, "c");
    CHECK(!copy_is_current(KIND_HTTP_ROUTE, wanted, there));
    json_decref(wanted);
    json_object_set_new(after, "spec", json_deep_copy(json_object_get(before, "spec")));
    json_object_set_new(after, "status", json_pack("{s:s}", "not", "ours"));
    wanted = copy_make(&plain, KIND_HTTP_ROUTE, after, GATEWAY_V1, "c");
    CHECK(copy_is_current(KIND_HTTP_ROUTE, wanted, there));
    json_decref(wanted);
    json_decref(there);
    json_decref(before);
    json_decref(after);
}

TEST(a_service_may_lose_what_the_appliance_does_not_know)
{
    static const char text[] = "{'metadata': {'name': 's', 'namespace': 'n', 'uid': 'u'},"
                               " 'spec': {'type': 'ClusterIP', 'novelty': {'a': [1]}}}";
    json_t *wanted = copy_of(&plain, KIND_SERVICE, text);
    json_t *there = json_deep_copy(wanted);
    json_object_del(json_object_get(there, "spec"), "novelty");
    CHECK(copy_is_current(KIND_SERVICE, wanted, there));
    CHECK(!copy_is_current(KIND_HTTP_ROUTE, wanted, there));
    json_object_set_new(json_object_get(there, "spec"), "type", json_string("NodePort"));
    CHECK(!copy_is_current(KIND_SERVICE, wanted, there));
    json_decref(there);
    json_decref(wanted);
}

TEST(names_of_a_cluster_get_its_prefix_wherever_they_stand_and_lose_it_again)
{
    json_t *copy = copy_of(&east, KIND_HTTP_ROUTE, route_text);
    json_t *spec = json_object_get(copy, "spec");
    json_t *parents = json_object_get(spec, "parentRefs");
    json_t *rule = json_array_get(json_object_get(spec, "rules"), 0);
    json_t *filters = json_object_get(rule, "filters");
    CHECK_STR(kube_text_at(copy, "metadata.name"), "app");
    CHECK_STR(kube_text_at(copy, "metadata.namespace"), "east-shop");
    CHECK_STR(kube_text_at(json_array_get(parents, 0), "namespace"), "east-infra");
    CHECK(json_object_get(json_array_get(parents, 1), "namespace") == NULL);
    CHECK_STR(kube_text_at(json_array_get(json_object_get(rule, "backendRefs"), 0), "namespace"),
              "east-back");
    CHECK_STR(kube_text_at(json_array_get(filters, 0), "requestMirror.backendRef.namespace"),
              "east-far");
    json_t *back = copy_back(&east, KIND_HTTP_ROUTE, copy);
    json_t *source = read_json(route_text);
    CHECK(json_equal(json_object_get(back, "spec"), json_object_get(source, "spec")));
    CHECK_STR(kube_text_at(back, "metadata.namespace"), "shop");
    json_t *foreign = copy_back(&east, KIND_HTTP_ROUTE, source);
    CHECK(foreign == NULL); /* "shop" is no namespace of this cluster there */
    json_decref(source);
    json_decref(back);
    json_decref(copy);
}

TEST(what_a_copy_is_of_has_the_age_of_the_object_and_not_of_the_copy)
{
    json_t *copy = copy_of(&plain, KIND_HTTP_ROUTE, route_text);
    json_object_set_new(json_object_get(copy, "metadata"), "creationTimestamp",
                        json_string("2026-01-01T00:00:00Z")); /* of an object of this name before */
    json_t *back = copy_back(&plain, KIND_HTTP_ROUTE, copy);
    CHECK_STR(kube_text_at(back, "metadata.creationTimestamp"), "2026-02-01T00:00:00Z");
    json_decref(back);
    json_decref(copy);
}

TEST(classes_grants_selectors_and_nodes_get_the_prefix_too)
{
    json_t *gateway = copy_of(
        &east, KIND_GATEWAY,
        "{'metadata': {'name': 'gw', 'namespace': 'infra'}, 'spec': {'gatewayClassName': 'lb',"
        " 'listeners': [{'allowedRoutes': {'namespaces': {'selector':"
        " {'matchLabels': {'kubernetes.io/metadata.name': 'shop', 'team': 'shop'},"
        "  'matchExpressions': [{'key': 'kubernetes.io/metadata.name', 'operator': 'In',"
        "   'values': ['a', 'b']}, {'key': 'team', 'values': ['a']}]}}}}]}}");
    json_t *listeners = json_object_get(json_object_get(gateway, "spec"), "listeners");
    json_t *allowed = json_object_get(json_array_get(listeners, 0), "allowedRoutes");
    json_t *selector = json_object_get(json_object_get(allowed, "namespaces"), "selector");
    json_t *labels = json_object_get(selector, "matchLabels");
    json_t *terms = json_object_get(selector, "matchExpressions");
    json_t *values = json_object_get(json_array_get(terms, 0), "values");
    CHECK_STR(kube_text_at(gateway, "spec.gatewayClassName"), "east-lb");
    CHECK_STR(json_string_value(json_object_get(labels, "kubernetes.io/metadata.name")),
              "east-shop");
    CHECK_STR(kube_text_at(labels, "team"), "shop");
    CHECK_STR(json_string_value(json_array_get(values, 1)), "east-b");
    json_t *grant = copy_of(&east, KIND_REFERENCE_GRANT,
                            "{'metadata': {'name': 'g', 'namespace': 'back'},"
                            " 'spec': {'from': [{'kind': 'HTTPRoute', 'namespace': 'shop'}]}}");
    CHECK_STR(
        kube_text_at(json_array_get(json_object_get(json_object_get(grant, "spec"), "from"), 0),
                     "namespace"),
        "east-shop");
    json_t *slice = copy_of(&east, KIND_ENDPOINT_SLICE,
                            "{'metadata': {'name': 's', 'namespace': 'n'},"
                            " 'endpoints': [{'addresses': ['192.0.2.1'], 'nodeName': 'node-1'}]}");
    CHECK_STR(kube_text_at(json_array_get(json_object_get(slice, "endpoints"), 0), "nodeName"),
              "east-node-1");
    json_t *class_ = copy_of(&east, KIND_GATEWAY_CLASS, "{'metadata': {'name': 'lb'}, 'spec': {}}");
    CHECK_STR(kube_text_at(class_, "metadata.name"), "east-lb");
    json_decref(gateway);
    json_decref(grant);
    json_decref(slice);
    json_decref(class_);
}

TEST(a_node_is_copied_without_what_changes_all_the_time)
{
    static const char text[] =
        "{'metadata': {'name': 'n', 'labels': {'zone': 'a'}}, 'spec': {'podCIDR': '192.0.2.0/24',"
        " 'podCIDRs': ['192.0.2.0/24'], 'providerID': 'x', 'unschedulable': true},"
        " 'status': {'addresses': [{'type': 'InternalIP', 'address': '192.0.2.9'}],"
        "  'images': [{'names': ['i']}], 'conditions': [{'type': 'MemoryPressure', 'status': "
        "'False'},"
        "  {'type': 'Ready', 'status': 'True', 'lastHeartbeatTime': '2026-11-28T00:00:00Z'}]}}";
    json_t *node = read_json(text);
    json_t *before = copy_make(&plain, KIND_NODE, node, "v1", "c");
    json_t *conditions = json_object_get(json_object_get(node, "status"), "conditions");
    json_object_set_new(json_array_get(conditions, 1), "lastHeartbeatTime",
                        json_string("2026-11-28T00:10:00Z"));
    json_t *after = copy_make(&plain, KIND_NODE, node, "v1", "c");
    CHECK(json_equal(before, after));
    CHECK_EQ(json_object_size(json_object_get(before, "spec")), 3);
    json_t *kept = json_object_get(json_object_get(before, "status"), "conditions");
    CHECK_EQ(json_array_size(kept), 1);
    CHECK_EQ(json_object_size(json_array_get(kept, 0)), 2);
    json_object_set_new(json_array_get(conditions, 1), "status", json_string("False"));
    json_t *fallen = copy_make(&plain, KIND_NODE, node, "v1", "c");
    CHECK(!copy_is_current(KIND_NODE, fallen, after));
    json_decref(fallen);
    json_decref(after);
    json_decref(before);
    json_decref(node);
}

/* ---- references ---- */

struct seen {
    unsigned n;
    char text[16][128];
};

static void see(void *owner, const struct ref *ref)
{
    struct seen *s = owner;
    REQUIRE(s->n < 16);
    snprintf(s->text[s->n++], sizeof(s->text[0]), "%s %s %s/%s", ref->is_join ? "join" : "need",
             ref->kind != KIND_COUNT ? kind_info(ref->kind)->name : "-",
             ref->namespace_ != NULL ? ref->namespace_ : "", ref->name);
}

static bool saw(const struct seen *s, const char *text)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (strcmp(s->text[i], text) == 0)
            return true;
    }
    return false;
}

TEST(references_are_found_by_the_names_of_their_members)
{
    struct seen s = {0};
    json_t *route = read_json(route_text);
    refs_each(route, see, &s);
    CHECK_EQ(s.n, 5);
    CHECK(saw(&s, "join Gateway infra/gw"));
    CHECK(saw(&s, "join Gateway /own"));
    CHECK(saw(&s, "need Service back/one"));
    CHECK(saw(&s, "need Service far/two"));
    CHECK(saw(&s, "need RateLimit /slow"));
    json_decref(route);
}

TEST(certificates_and_policies_refer_to_what_they_say)
{
    struct seen s = {0};
    json_t *object = read_json(
        "{'spec': {'listeners': [{'tls': {'certificateRefs': [{'name': 'crt'}]}}],"
        " 'backend': {'clientCertificateRef': {'name': 'own'}},"
        " 'validation': {'caCertificateRefs': [{'group': '', 'kind': 'ConfigMap', 'name': 'ca'}]},"
        " 'targetRefs': [{'group': '', 'kind': 'Service', 'name': 'svc'}],"
        " 'basic': {'secretRef': {'name': 'users'}},"
        " 'jwt': {'jwks': {'configMapRef': {'name': 'keys'}}},"
        " 'oddRef': {'group': 'example.com', 'kind': 'Odd', 'name': 'odd'}, 'otherRefs': 'text',"
        " 'emptyRef': {}}}");
    refs_each(object, see, &s);
    CHECK_EQ(s.n, 7);
    CHECK(saw(&s, "need Secret /crt"));
    CHECK(saw(&s, "need Secret /own"));
    CHECK(saw(&s, "need ConfigMap /ca"));
    CHECK(saw(&s, "join Service /svc"));
    CHECK(saw(&s, "need Secret /users"));
    CHECK(saw(&s, "need ConfigMap /keys"));
    CHECK(saw(&s, "need - /odd"));
    json_decref(object);
}

UNIT_MAIN("controller/copy", T(a_copy_has_the_contents_and_says_where_it_is_from),
          T(a_copy_with_defaults_added_is_current_and_one_that_was_changed_is_not),
          T(a_field_that_the_cluster_took_away_makes_a_copy_stale),
          T(a_service_may_lose_what_the_appliance_does_not_know),
          T(names_of_a_cluster_get_its_prefix_wherever_they_stand_and_lose_it_again),
          T(what_a_copy_is_of_has_the_age_of_the_object_and_not_of_the_copy),
          T(classes_grants_selectors_and_nodes_get_the_prefix_too),
          T(a_node_is_copied_without_what_changes_all_the_time),
          T(references_are_found_by_the_names_of_their_members),
          T(certificates_and_policies_refer_to_what_they_say))
