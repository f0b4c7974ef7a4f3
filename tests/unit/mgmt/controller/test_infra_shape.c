/* SPDX-License-Identifier: Apache-2.0 */
/* What stands for a Gateway in the cluster. */
#include "controller/infra_shape.h"

#include "controller/infra.h"
#include "fixture.h"

static json_t *load(const char *text)
{
    json_t *documents = NULL;
    struct yaml_error error;
    REQUIRE(yaml_load(text, strlen(text), &documents, &error) == 0);
    json_t *first = json_incref(json_array_get(documents, 0));
    json_decref(documents);
    return first;
}

#define GATEWAY                                                                                    \
    "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: gw, namespace: "   \
    "shop, uid: u-1}, spec: {gatewayClassName: lb, infrastructure: {labels: {team: a}, "           \
    "annotations: {cost: '12'}}}, status: {addresses: [{type: IPAddress, value: 198.18.0.1}, "     \
    "{type: IPAddress, value: '2001:db8::1'}, {type: Hostname, value: gw.example.com}]}}"

TEST(a_service_is_named_as_gep_1762_recommends_and_otherwise_by_the_uid)
{
    char name[INFRA_NAME_BYTES];
    json_t *gateway = load(GATEWAY);
    infra_service_name(gateway, name);
    CHECK_STR(name, "gw-lb");
    fixture_set_new(gateway, "metadata.name", json_string("has.dots"));
    infra_service_name(gateway, name);
    CHECK_STR(name, "gateway-u-1");
    fixture_set_new(gateway, "metadata.name", json_string("1st"));
    infra_service_name(gateway, name);
    CHECK_STR(name, "gateway-u-1");
    fixture_set_new(
        gateway, "metadata.name",
        json_string("a-name-that-is-so-long-that-with-the-class-it-is-no-label-any-more"));
    infra_service_name(gateway, name);
    CHECK_STR(name, "gateway-u-1");
    json_decref(gateway);
}

TEST(the_objects_carry_what_the_gateway_asks_for_and_belong_to_it)
{
    json_t *gateway = load(GATEWAY);
    json_t *service = infra_wanted(gateway, INFRA_SERVICE);
    CHECK_STR(kube_text_at(service, "metadata.labels.team"), "a");
    CHECK_STR(kube_text_at(service, "metadata.annotations.cost"), "12");
    CHECK_STR(kube_text_at(service, "spec.clusterIP"), "None");
    CHECK(infra_is_of(service, gateway));
    json_t *v4 = infra_wanted(gateway, INFRA_SLICE_IPV4);
    json_t *v6 = infra_wanted(gateway, INFRA_SLICE_IPV6);
    const json_t *first = json_array_get(json_object_get(v4, "endpoints"), 0);
    CHECK_STR(json_string_value(json_array_get(json_object_get(first, "addresses"), 0)),
              "198.18.0.1");
    CHECK_EQ(json_array_size(json_object_get(first, "addresses")), 1);
    CHECK_STR(kube_text_at(v6, "metadata.name"), "gw-lb-ipv6");
    CHECK_STR(kube_text_at(v6, "addressType"), "IPv6");
    json_decref(v4);
    json_decref(v6);
    json_decref(service);
    json_decref(gateway);
}

TEST(without_an_address_of_a_family_there_is_no_slice_of_it)
{
    json_t *gateway = load("{metadata: {name: gw, namespace: a, uid: u}, status: {}}");
    CHECK(infra_wanted(gateway, INFRA_SLICE_IPV4) == NULL);
    CHECK(infra_wanted(gateway, INFRA_SLICE_IPV6) == NULL);
    json_decref(gateway);
}

TEST(what_is_as_it_has_to_be_needs_no_patch_also_with_what_others_added)
{
    json_t *gateway = load(GATEWAY);
    json_t *wanted = infra_wanted(gateway, INFRA_SLICE_IPV4);
    json_t *there = json_deep_copy(wanted);
    json_object_set_new(json_object_get(json_object_get(there, "metadata"), "labels"), "theirs",
                        json_string("x"));
    json_t *endpoint = json_array_get(json_object_get(there, "endpoints"), 0);
    json_object_set_new(json_object_get(endpoint, "conditions"), "serving", json_true());
    CHECK(infra_patch(there, wanted) == NULL);
    json_decref(there);
    json_decref(wanted);
    json_decref(gateway);
}

TEST(what_was_asked_for_once_goes_and_what_others_added_stays)
{
    json_t *gateway = load(GATEWAY);
    json_t *there = infra_wanted(gateway, INFRA_SERVICE);
    fixture_set_new(there, "metadata.labels.theirs", json_string("x"));
    fixture_set_new(there, "metadata.labels.tea", json_string("a part of a name of ours"));
    fixture_set_new(gateway, "spec.infrastructure.labels", load("{tier: front}"));
    json_t *wanted = infra_wanted(gateway, INFRA_SERVICE);
    json_t *patch = infra_patch(there, wanted);
    const json_t *labels = json_object_get(json_object_get(patch, "metadata"), "labels");
    CHECK_EQ(json_object_size(labels), 2);
    CHECK_STR(kube_text_at(patch, "metadata.labels.tier"), "front");
    CHECK(json_is_null(json_object_get(labels, "team")));
    json_decref(patch);
    json_decref(wanted);
    json_decref(there);
    json_decref(gateway);
}

TEST(a_gateway_that_moved_has_its_new_addresses_in_the_patch)
{
    json_t *gateway = load(GATEWAY);
    json_t *there = infra_wanted(gateway, INFRA_SLICE_IPV4);
    fixture_set_new(gateway, "status.addresses[0].value", json_string("198.18.0.9"));
    json_t *wanted = infra_wanted(gateway, INFRA_SLICE_IPV4);
    json_t *patch = infra_patch(there, wanted);
    CHECK(json_equal(json_object_get(patch, "endpoints"), json_object_get(wanted, "endpoints")));
    json_decref(patch);
    json_decref(wanted);
    json_decref(there);
    json_decref(gateway);
}

UNIT_MAIN("controller/infra_shape",
          T(a_service_is_named_as_gep_1762_recommends_and_otherwise_by_the_uid),
          T(the_objects_carry_what_the_gateway_asks_for_and_belong_to_it),
          T(without_an_address_of_a_family_there_is_no_slice_of_it),
          T(what_is_as_it_has_to_be_needs_no_patch_also_with_what_others_added),
          T(what_was_asked_for_once_goes_and_what_others_added_stays),
          T(a_gateway_that_moved_has_its_new_addresses_in_the_patch))
