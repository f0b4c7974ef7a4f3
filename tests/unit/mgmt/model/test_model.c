/* SPDX-License-Identifier: Apache-2.0 */
/* Model: what is valid passes, and each way of being wrong is refused with its field and words. */
#include "fixture.h"
#include "model/model.h"
#include "model/rules.h"
#include "model/text.h"
#include "model/types.h"
#include "unit.h"

#include <errno.h>
#include <time.h>

static struct model_errors errors;

static const struct resource_type *type_of(const json_t *obj)
{
    return model_type_find_kind(json_string_value(json_object_get(obj, "apiVersion")),
                                json_string_value(json_object_get(obj, "kind")));
}

static const char *name_of(const json_t *obj)
{
    return json_string_value(json_object_get(json_object_get(obj, "metadata"), "name"));
}

/* As the api does it. */
static int accept_object(const struct resource_type *type, json_t *obj)
{
    memset(&errors, 0, sizeof(errors));
    model_normalize(type, obj);
    model_default(type, obj);
    return model_validate(type, obj, NULL, &errors);
}

static void print_errors(const char *what)
{
    for (size_t i = 0; i < errors.n; i++) {
        fprintf(stderr, "%s: %s: %s\n", what, errors.items[i].field, errors.items[i].message);
    }
}

/* "Kind/name" in valid.yaml. */
static json_t *find_valid(json_t *documents, const char *of)
{
    size_t i;
    json_t *obj;
    json_array_foreach(documents, i, obj)
    {
        char text[256];
        snprintf(text, sizeof(text), "%s/%s", json_string_value(json_object_get(obj, "kind")),
                 name_of(obj));
        if (strcmp(text, of) == 0) {
            return json_deep_copy(obj);
        }
    }
    return NULL;
}

/* The valid object, normalized and defaulted. */
static json_t *take_valid(const char *of)
{
    json_t *documents = fixture_load("valid.yaml");
    json_t *obj = find_valid(documents, of);
    REQUIRE(obj != NULL);
    CHECK_EQ(accept_object(type_of(obj), obj), 0);
    json_decref(documents);
    return obj;
}

TEST(valid_objects_of_every_kind_are_accepted)
{
    json_t *documents = fixture_load("valid.yaml");
    bool seen[MODEL_TYPE_COUNT] = {false};
    size_t i;
    json_t *obj;
    json_array_foreach(documents, i, obj)
    {
        const struct resource_type *type = type_of(obj);
        REQUIRE(type != NULL);
        CHECK_EQ(accept_object(type, obj), 0);
        print_errors(name_of(obj));
        seen[model_type_id(type->stored)] = true;
    }
    for (i = 0; i < MODEL_TYPE_COUNT; i++) {
        CHECK(seen[model_type_id(model_type_at(i)->stored)]);
    }
    json_decref(documents);
}

TEST(defaulting_twice_changes_nothing)
{
    json_t *documents = fixture_load("valid.yaml");
    size_t i;
    json_t *obj;
    json_array_foreach(documents, i, obj)
    {
        accept_object(type_of(obj), obj);
        json_t *again = json_deep_copy(obj);
        accept_object(type_of(obj), again);
        CHECK(json_equal(obj, again));
        json_decref(again);
    }
    json_decref(documents);
}

static void check_refusal(json_t *documents, const json_t *refusal)
{
    const char *of = json_string_value(json_object_get(refusal, "of"));
    const char *field = json_string_value(json_object_get(refusal, "field"));
    const char *message = json_string_value(json_object_get(refusal, "message"));
    json_t *obj = find_valid(documents, of);
    REQUIRE(obj != NULL && field != NULL && message != NULL);
    const struct resource_type *type = type_of(obj);
    model_normalize(type, obj);
    model_default(type, obj);
    const char *path;
    json_t *value;
    json_object_foreach(json_object_get(refusal, "set"), path, value)
    {
        fixture_set(obj, path, value);
    }
    CHECK_EQ(accept_object(type, obj), -EINVAL);
    CHECK_EQ(errors.n, 1);
    CHECK_STR(errors.items[0].field, field);
    errors.items[0].message[strlen(message)] = '\0';
    CHECK_STR(errors.items[0].message, message);
    if (errors.n != 1) {
        print_errors(message);
    }
    json_decref(obj);
}

TEST(each_refusal_names_its_field_and_says_why)
{
    json_t *documents = fixture_load("valid.yaml");
    json_t *refusals = fixture_load("refusals.yaml");
    size_t i;
    json_t *refusal;
    json_array_foreach(json_array_get(refusals, 0), i, refusal)
    {
        check_refusal(documents, refusal);
    }
    CHECK(i > 80);
    json_decref(refusals);
    json_decref(documents);
}

/* Marks the messages of all rules below a schema, breadth first. */
static void collect_messages(const json_t *schema, json_t *messages)
{
    json_t *queue = json_array();
    json_array_append(queue, (json_t *)(uintptr_t)schema);
    for (size_t at = 0; at < json_array_size(queue); at++) {
        json_t *node = json_array_get(queue, at);
        json_t *message = json_object_get(node, "message");
        if (json_is_string(message) && json_is_string(json_object_get(node, "rule"))) {
            json_object_set_new(messages, json_string_value(message), json_true());
        }
        const char *key;
        json_t *value;
        size_t i;
        json_object_foreach(node, key, value)
        {
            json_array_append(queue, value);
        }
        json_array_foreach(node, i, value)
        {
            json_array_append(queue, value);
        }
    }
    json_decref(queue);
}

TEST(every_rule_of_the_schemas_is_bound_to_a_function)
{
    json_t *messages = json_object();
    for (size_t i = 0; i < model_type_count(); i++) {
        collect_messages(model_type_schema(model_type_at(i)), messages);
    }
    const char *message;
    json_t *value;
    json_object_foreach(messages, message, value)
    {
        CHECK(rule_find(message) != NULL);
    }
    for (size_t i = 0; i < rule_count(); i++) {
        CHECK(json_object_get(messages, rule_at(i)->message) != NULL);
    }
    json_decref(messages);
}

TEST(defaults_are_those_of_a_cluster)
{
    json_t *route = take_valid("HTTPRoute/my-route");
    json_t *rule = json_array_get(json_object_get(json_object_get(route, "spec"), "rules"), 0);
    json_t *path = json_object_get(json_array_get(json_object_get(rule, "matches"), 0), "path");
    CHECK_STR(json_string_value(json_object_get(path, "type")), "PathPrefix");
    CHECK_STR(json_string_value(json_object_get(path, "value")), "/");
    json_t *backend = json_array_get(json_object_get(rule, "backendRefs"), 0);
    CHECK_STR(json_string_value(json_object_get(backend, "kind")), "Service");
    CHECK_STR(json_string_value(json_object_get(backend, "group")), "");
    CHECK_EQ(json_integer_value(json_object_get(backend, "weight")), 1);
    json_decref(route);

    json_t *gateway = take_valid("Gateway/full");
    json_t *listener =
        json_array_get(json_object_get(json_object_get(gateway, "spec"), "listeners"), 1);
    json_t *from = json_object_get(
        json_object_get(json_object_get(listener, "allowedRoutes"), "namespaces"), "from");
    CHECK_STR(json_string_value(from), "Same");
    json_t *conditions = json_object_get(json_object_get(gateway, "status"), "conditions");
    CHECK_EQ(json_array_size(conditions), 2);
    json_decref(gateway);

    json_t *service = take_valid("Service/svc");
    json_t *port = json_array_get(json_object_get(json_object_get(service, "spec"), "ports"), 1);
    CHECK_EQ(json_integer_value(json_object_get(port, "targetPort")), 9090);
    CHECK_STR(json_string_value(json_object_get(port, "protocol")), "TCP");
    json_decref(service);
}

TEST(a_namespace_carries_its_name_as_a_label)
{
    json_t *ns = take_valid("Namespace/apps");
    json_t *meta = json_object_get(ns, "metadata");
    CHECK_STR(json_string_value(
                  json_object_get(json_object_get(meta, "labels"), "kubernetes.io/metadata.name")),
              "apps");
    CHECK(json_object_get(meta, "managedFields") == NULL);
    CHECK(json_object_get(meta, "creationTimestamp") == NULL);
    json_decref(ns);
}

TEST(string_data_of_a_secret_becomes_data)
{
    json_t *secret = take_valid("Secret/text");
    json_t *data = json_object_get(secret, "data");
    CHECK_STR(json_string_value(json_object_get(data, "password")), "w7xiZXI=");
    CHECK(json_object_get(secret, "stringData") == NULL);
    json_decref(secret);
}

TEST(what_may_not_change_is_refused)
{
    json_t *old = take_valid("GatewayClass/foo-lb");
    json_t *now = json_deep_copy(old);
    fixture_set_new(now, "spec.controllerName", json_string("example.com/other"));
    memset(&errors, 0, sizeof(errors));
    CHECK_EQ(model_validate(type_of(now), now, old, &errors), -EINVAL);
    CHECK_STR(errors.items[0].field, "spec.controllerName");
    CHECK_STR(errors.items[0].message, "Invalid value: \"example.com/other\": Value is immutable");
    json_decref(now);

    now = json_deep_copy(old);
    fixture_set_new(now, "metadata.name", json_string("other"));
    memset(&errors, 0, sizeof(errors));
    CHECK_EQ(model_validate(type_of(now), now, old, &errors), -EINVAL);
    CHECK_STR(errors.items[0].field, "metadata.name");
    CHECK_STR(errors.items[0].message, "Invalid value: \"other\": field is immutable");
    json_decref(now);
    json_decref(old);
}

TEST(resources_are_found_by_url_and_by_kind)
{
    const struct resource_type *t = model_type_find("gateway.networking.k8s.io", "v1", "gateways");
    REQUIRE(t != NULL);
    CHECK_STR(t->kind, "Gateway");
    CHECK_STR(t->list_kind, "GatewayList");
    CHECK_STR(t->short_names[0], "gtw");
    CHECK(t->namespaced && t->has_status);
    CHECK(model_type_find_kind("gateway.networking.k8s.io/v1", "Gateway") == t);
    CHECK(model_type_find_kind("gateway.networking.k8s.io/v1beta1", "Gateway")->stored == t);
    CHECK(model_type_find("", "v1", "services") == model_type_find_kind("v1", "Service"));
    CHECK(model_type_find("", "v1", "replicationcontrollers") == NULL);
    CHECK(model_type_find("gateway.networking.k8s.io", "v2", "gateways") == NULL);
    for (size_t i = 0; i < model_type_count(); i++) {
        t = model_type_at(i);
        CHECK(model_type_find(t->group, t->version, t->plural) == t);
        CHECK(t->stored->stored == t->stored);
    }
}

TEST(many_errors_are_counted_but_not_kept)
{
    json_t *obj = take_valid("GatewayClass/foo-lb");
    for (int i = 0; i < MODEL_ERRORS_MAX + 7; i++) {
        char key[32];
        snprintf(key, sizeof(key), "unknown%d", i);
        json_object_set_new(obj, key, json_true());
    }
    memset(&errors, 0, sizeof(errors));
    CHECK_EQ(model_validate(type_of(obj), obj, NULL, &errors), -EINVAL);
    CHECK_EQ(errors.n, MODEL_ERRORS_MAX);
    CHECK_EQ(errors.n_more, 7);
    json_decref(obj);
}

TEST(messages_are_valid_utf8_wherever_they_are_cut)
{
    char long_text[1024] = "";
    for (size_t n = 0; n < 300; n++) {
        memcpy(long_text + 3 * n, "\xe2\x82\xac", 4); /* a euro sign, three bytes */
        if (n < 20 || n % 7 == 0) {
            json_t *obj = take_valid("HTTPRoute/my-route");
            json_t *labels = json_object();
            json_object_set_new(labels, long_text,
                                n % 2 == 0 ? json_string(long_text) : json_integer(1));
            json_object_set(json_object_get(obj, "metadata"), "annotations", labels);
            json_object_set_new(json_object_get(obj, "metadata"), "labels", labels);
            json_object_set_new(obj, long_text, json_true());
            fixture_set_new(obj, "spec.rules[0].matches[0].path.value", json_string(long_text));
            for (int pass = 0; pass < 2; pass++) {
                memset(&errors, 0, sizeof(errors));
                CHECK_EQ(model_validate(type_of(obj), obj, NULL, &errors), -EINVAL);
                for (size_t i = 0; i < errors.n; i++) {
                    json_t *field = json_string(errors.items[i].field);
                    json_t *message = json_string(errors.items[i].message);
                    CHECK(field != NULL && message != NULL);
                    json_decref(field);
                    json_decref(message);
                }
                json_object_del(obj, long_text); /* then the rest is looked at */
            }
            json_decref(obj);
        }
    }
}

TEST(a_pattern_made_for_backtracking_takes_no_time)
{
    json_t *obj = take_valid("HTTPRoute/full");
    char *value = malloc(4097);
    REQUIRE(value != NULL);
    memset(value, 'a', 4096);
    value[4095] = '\x01';
    value[4096] = '\0';
    fixture_set_new(obj, "spec.rules[0].matches[0].headers[0].value", json_string(value));
    fixture_set_new(obj, "spec.hostnames[0]", json_string("a"));
    clock_t start = clock();
    accept_object(type_of(obj), obj);
    CHECK((double)(clock() - start) / CLOCKS_PER_SEC < 0.5);
    free(value);
    json_decref(obj);
}

static void check_range(const char *text, const char *first, const char *last)
{
    struct ip_addr a;
    struct ip_addr b;
    char buf[IP_ADDR_TEXT_MAX];
    REQUIRE(text_parse_range(text, &a, &b));
    CHECK_STR(ip_addr_format(&a, buf), first);
    CHECK_STR(ip_addr_format(&b, buf), last);
}

TEST(names_and_labels_follow_the_cluster)
{
    char label[65];
    memset(label, 'a', 64);
    label[64] = '\0';
    CHECK(!text_is_dns_label(label) && !text_is_label_value(label));
    label[63] = '\0';
    CHECK(text_is_dns_label(label) && text_is_label_value(label));
    CHECK(text_is_dns_label("a-1") && text_is_dns_label("1a"));
    CHECK(!text_is_dns_label("") && !text_is_dns_label("-a") && !text_is_dns_label("a-"));
    CHECK(!text_is_dns_label("a.b") && !text_is_dns_label("A"));
    CHECK(text_is_dns_1035_label("a1") && !text_is_dns_1035_label("1a"));
    CHECK(text_is_dns_subdomain("a.b-c.d") && !text_is_dns_subdomain("a..b"));
    CHECK(!text_is_dns_subdomain(".a") && !text_is_dns_subdomain("a."));
    CHECK(text_is_hostname("*.a.b") && text_is_hostname("a") && !text_is_hostname("*"));
    CHECK(!text_is_hostname("a.*.b") && !text_is_hostname("*.*.b"));
    CHECK(text_is_qualified_name("example.com/A_b.c") && text_is_qualified_name("a"));
    CHECK(!text_is_qualified_name("/a") && !text_is_qualified_name("a/"));
    CHECK(!text_is_qualified_name("a/b/c") && !text_is_qualified_name("A.com/b"));
    CHECK(text_is_label_value("") && text_is_label_value("A_b.c-1"));
    CHECK(!text_is_label_value("_a") && !text_is_label_value("a b"));
    CHECK(text_is_port_name("http-1") && !text_is_port_name("80"));
    CHECK(!text_is_port_name("a--b") && !text_is_port_name("sixteen-letters-"));
    CHECK(text_is_base64("") && text_is_base64("Zm9v") && text_is_base64("Zm8="));
    CHECK(!text_is_base64("Zm9") && !text_is_base64("Z===") && !text_is_base64("Zm9\n"));
    CHECK_EQ(text_characters("\xe2\x82\xac\x31"), 2);
}

TEST(ranges_of_addresses_are_read)
{
    check_range("192.0.2.7", "192.0.2.7", "192.0.2.7");
    check_range("192.0.2.16/28", "192.0.2.16", "192.0.2.31");
    check_range("192.0.2.5-192.0.2.9", "192.0.2.5", "192.0.2.9");
    check_range("2001:db8::/126", "2001:db8::", "2001:db8::3");
    struct ip_addr a;
    CHECK(!text_parse_range("192.0.2.9-192.0.2.5", &a, &a));
    CHECK(!text_parse_range("192.0.2.9-2001:db8::1", &a, &a));
    CHECK(!text_parse_range("192.0.2.0/33", &a, &a));
    CHECK(!text_parse_range("", &a, &a));
}

TEST(durations_are_read)
{
    uint64_t ms = 0;
    CHECK(text_parse_duration("1h30m5s20ms", &ms));
    CHECK_EQ(ms, 5405020);
    CHECK(text_parse_duration("0s", &ms));
    CHECK_EQ(ms, 0);
    CHECK(!text_parse_duration("", &ms));
    CHECK(!text_parse_duration("5", &ms));
    CHECK(!text_parse_duration("5d", &ms));
    CHECK(!text_parse_duration("123456s", &ms));
}

TEST(times_are_read)
{
    CHECK(text_is_date_time("2026-11-23T09:00:00Z"));
    CHECK(text_is_date_time("2026-11-23T09:00:00.123456+09:00"));
    CHECK(!text_is_date_time("2026-11-23"));
    CHECK(!text_is_date_time("2026-13-23T09:00:00Z"));
    CHECK(!text_is_date_time("2026-11-23T09:00:00"));
    CHECK(!text_is_date_time("2026-11-23T09:00:00.Z"));
}

static int run(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        T(valid_objects_of_every_kind_are_accepted),
        T(defaulting_twice_changes_nothing),
        T(each_refusal_names_its_field_and_says_why),
        T(every_rule_of_the_schemas_is_bound_to_a_function),
        T(defaults_are_those_of_a_cluster),
        T(a_namespace_carries_its_name_as_a_label),
        T(string_data_of_a_secret_becomes_data),
        T(what_may_not_change_is_refused),
        T(resources_are_found_by_url_and_by_kind),
        T(many_errors_are_counted_but_not_kept),
        T(messages_are_valid_utf8_wherever_they_are_cut),
        T(a_pattern_made_for_backtracking_takes_no_time),
        T(names_and_labels_follow_the_cluster),
        T(ranges_of_addresses_are_read),
        T(durations_are_read),
        T(times_are_read),
    };
    return unit_run("mgmt/model", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}

int main(int argc, char **argv)
{
    if (model_init() != 0) {
        return 1;
    }
    int rc = run(argc, argv);
    model_done();
    return rc;
}
