/* SPDX-License-Identifier: Apache-2.0 */
/* Which objects matter, as they come, change and go in any order. */
#include "controller/graph.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct graph *graph;
static unsigned n_news, n_nodes_gone;

static void on_relevance(void *owner, struct graph_node *node)
{
    n_news += 1;
}

static void on_gone(void *owner, struct graph_node *node)
{
    n_nodes_gone += 1;
}

static void begin(bool has_mesh)
{
    const struct graph_config config = {
        .controller_name = "ours",
        .has_mesh = has_mesh,
        .on_relevance = on_relevance,
        .on_gone = on_gone,
    };
    n_news = n_nodes_gone = 0;
    REQUIRE(graph_new(&config, &graph) == 0);
}

/* The object of a name gets this spec (with ' for "); NULL: it goes. True: a walk was due. */
static bool set(enum kind kind, const char *namespace_, const char *name, const char *text)
{
    char quoted[1024] = "";
    struct graph_node *node = graph_node(graph, kind, namespace_, name, true);
    REQUIRE(node != NULL);
    for (size_t i = 0; text != NULL && text[i] != '\0'; i++)
        quoted[i] = text[i] == '\'' ? '"' : text[i];
    json_t *object = text != NULL ? json_loads(quoted, 0, NULL) : NULL;
    REQUIRE(text == NULL || object != NULL);
    bool is_due = graph_set(graph, node, object, &node);
    json_decref(object);
    if (is_due)
        graph_walk(graph);
    return is_due;
}

static bool matters(enum kind kind, const char *namespace_, const char *name)
{
    const struct graph_node *node = graph_node(graph, kind, namespace_, name, false);
    return node != NULL && node->is_relevant;
}

#define CLASS "{'spec': {'controllerName': 'ours'}}"
#define GATEWAY "{'spec': {'gatewayClassName': 'lb'}}"
#define ROUTE                                                                                      \
    "{'spec': {'parentRefs': [{'name': 'gw', 'namespace': 'infra'}],"                              \
    " 'rules': [{'backendRefs': [{'name': 'svc', 'namespace': 'back'}]}]}}"
#define SLICE "{'metadata': {'labels': {'kubernetes.io/service-name': 'svc'}}, 'endpoints': []}"
#define SLICE_CHANGED                                                                              \
    "{'metadata': {'labels': {'kubernetes.io/service-name': 'svc'}}, 'endpoints': [{}]}"
#define POLICY                                                                                     \
    "{'spec': {'targetRefs': [{'group': '', 'kind': 'Service', 'name': 'svc'}], 'validation':"     \
    " {'caCertificateRefs': [{'group': '', 'kind': 'ConfigMap', 'name': 'ca'}]}}}"

static const struct step {
    enum kind kind;
    const char *namespace_, *name, *text;
} steps[] = {
    {KIND_GATEWAY_CLASS, "", "lb", CLASS},
    {KIND_GATEWAY, "infra", "gw", GATEWAY},
    {KIND_HTTP_ROUTE, "shop", "app", ROUTE},
    {KIND_SERVICE, "back", "svc", "{'spec': {}}"},
    {KIND_ENDPOINT_SLICE, "back", "svc-1", SLICE},
    {KIND_BACKEND_TLS_POLICY, "back", "tls", POLICY},
    {KIND_CONFIG_MAP, "back", "ca", "{}"},
    {KIND_REFERENCE_GRANT, "back", "grant", "{'spec': {}}"},
    {KIND_NAMESPACE, "", "infra", "{}"},
    {KIND_NAMESPACE, "", "shop", "{}"},
    {KIND_NAMESPACE, "", "back", "{}"},
};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

static bool all_matter(bool wanted)
{
    bool is_so = true;
    for (size_t i = 0; i < STEPS; i++)
        is_so &= matters(steps[i].kind, steps[i].namespace_, steps[i].name) == wanted;
    return is_so;
}

TEST(all_that_hangs_on_our_class_matters_in_whichever_order_it_comes_and_goes)
{
    for (size_t first = 0; first < STEPS; first++) {
        for (size_t stride = 1; stride < STEPS; stride++) { /* 11 is prime: each visits all */
            begin(false);
            for (size_t i = 0; i < STEPS; i++) {
                const struct step *s = &steps[(first + i * stride) % STEPS];
                set(s->kind, s->namespace_, s->name, s->text);
            }
            CHECK(all_matter(true));
            for (size_t i = 0; i < STEPS; i++) {
                const struct step *s = &steps[(first + i * stride) % STEPS];
                set(s->kind, s->namespace_, s->name, NULL);
            }
            CHECK(!all_matter(true));
            for (size_t i = 0; i < STEPS; i++)
                CHECK(graph_node(graph, steps[i].kind, steps[i].namespace_, steps[i].name, false) ==
                      NULL); /* no node stays behind */
            graph_free(graph);
        }
    }
}

static void set_all(void)
{
    for (size_t i = 0; i < STEPS; i++)
        set(steps[i].kind, steps[i].namespace_, steps[i].name, steps[i].text);
}

TEST(what_no_longer_hangs_on_it_matters_no_more)
{
    begin(false);
    set_all();
    set(KIND_GATEWAY_CLASS, "", "lb", "{'spec': {'controllerName': 'theirs'}}");
    CHECK(all_matter(false));
    set(KIND_GATEWAY_CLASS, "", "lb", CLASS);
    CHECK(all_matter(true));
    set(KIND_HTTP_ROUTE, "shop", "app",
        "{'spec': {'parentRefs': [{'name': 'gw', 'namespace': 'infra'}]}}");
    CHECK(matters(KIND_HTTP_ROUTE, "shop", "app"));
    CHECK(!matters(KIND_SERVICE, "back", "svc") && !matters(KIND_ENDPOINT_SLICE, "back", "svc-1"));
    CHECK(!matters(KIND_BACKEND_TLS_POLICY, "back", "tls") &&
          !matters(KIND_CONFIG_MAP, "back", "ca"));
    CHECK(!matters(KIND_NAMESPACE, "", "back") && !matters(KIND_REFERENCE_GRANT, "back", "grant"));
    set(KIND_HTTP_ROUTE, "shop", "app", NULL);
    CHECK(!matters(KIND_NAMESPACE, "", "shop"));
    CHECK(matters(KIND_GATEWAY, "infra", "gw"));
    graph_free(graph);
}

TEST(grants_matter_also_where_what_is_referred_to_is_not_there)
{
    begin(false);
    set_all();
    set(KIND_BACKEND_TLS_POLICY, "back", "tls", NULL);
    set(KIND_ENDPOINT_SLICE, "back", "svc-1", NULL);
    set(KIND_SERVICE, "back", "svc", NULL);
    CHECK(matters(KIND_NAMESPACE, "", "back") && matters(KIND_REFERENCE_GRANT, "back", "grant"));
    set(KIND_HTTP_ROUTE, "shop", "app", NULL);
    CHECK(!matters(KIND_NAMESPACE, "", "back") && !matters(KIND_REFERENCE_GRANT, "back", "grant"));
    graph_free(graph);
}

TEST(a_change_of_endpoints_needs_no_walk)
{
    begin(false);
    set_all();
    CHECK(!set(KIND_ENDPOINT_SLICE, "back", "svc-1", SLICE_CHANGED));
    CHECK(!set(KIND_SERVICE, "back", "svc", "{'spec': {'type': 'NodePort'}}"));
    CHECK(all_matter(true));
    CHECK(set(KIND_ENDPOINT_SLICE, "back", "svc-1", "{'metadata': {}}"));
    CHECK(!matters(KIND_ENDPOINT_SLICE, "back", "svc-1"));
    graph_free(graph);
}

TEST(a_route_of_a_service_matters_only_with_a_mesh)
{
    static const char text[] =
        "{'spec': {'parentRefs': [{'group': '', 'kind': 'Service', 'name': 'svc'}],"
        " 'rules': [{'backendRefs': [{'name': 'other'}]}]}}";
    for (int has_mesh = 0; has_mesh <= 1; has_mesh++) {
        begin(has_mesh == 1);
        set(KIND_SERVICE, "back", "svc", "{}");
        set(KIND_HTTP_ROUTE, "back", "app", text);
        CHECK_EQ(matters(KIND_HTTP_ROUTE, "back", "app"), has_mesh);
        CHECK_EQ(matters(KIND_SERVICE, "back", "svc"), has_mesh);
        CHECK_EQ(matters(KIND_SERVICE, "back", "other"), has_mesh);
        graph_free(graph);
    }
}

TEST(a_service_that_kube_proxy_leaves_to_us_matters_with_a_mesh)
{
    static const char label[] =
        "{'metadata': {'labels': {'service.kubernetes.io/service-proxy-name': '%s'}}}";
    static const struct {
        const char *value;
        bool is_ours;
    } cases[] = {{"sluice.internal", true}, {"another", false}, {"sluice.internal", true}};
    for (int has_mesh = 0; has_mesh <= 1; has_mesh++) {
        begin(has_mesh == 1);
        set(KIND_ENDPOINT_SLICE, "back", "svc-1", SLICE);
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            char text[128];
            snprintf(text, sizeof(text), label, cases[i].value);
            set(KIND_SERVICE, "back", "svc", text);
            bool wanted = has_mesh == 1 && cases[i].is_ours;
            CHECK_EQ(matters(KIND_SERVICE, "back", "svc"), wanted);
            CHECK_EQ(matters(KIND_ENDPOINT_SLICE, "back", "svc-1"), wanted);
            CHECK_EQ(matters(KIND_NAMESPACE, "", "back"), wanted);
        }
        CHECK(set(KIND_SERVICE, "back", "svc", "{'metadata': {}}"));
        CHECK(!matters(KIND_SERVICE, "back", "svc"));
        graph_free(graph);
    }
}

#define CONSUMER                                                                                   \
    "{'spec': {'parentRefs': [{'group': '', 'kind': 'Service', 'namespace': 'back',"               \
    " 'name': 'svc'}]}}"

TEST(pods_matter_where_their_namespace_has_a_route_on_anothers_service)
{
    begin(true);
    set(KIND_POD, "web", "before", "{}");
    set(KIND_POD, "back", "server", "{}");
    set(KIND_HTTP_ROUTE, "back", "producer", CONSUMER);
    CHECK(!matters(KIND_POD, "web", "before") && !matters(KIND_POD, "back", "server"));
    set(KIND_HTTP_ROUTE, "web", "consumer", CONSUMER);
    set(KIND_POD, "web", "after", "{}");
    CHECK(matters(KIND_POD, "web", "before") && matters(KIND_POD, "web", "after"));
    CHECK(!matters(KIND_POD, "back", "server"));
    CHECK(!set(KIND_POD, "web", "after", "{'status': {'podIPs': [{'ip': '192.0.2.1'}]}}"));
    set(KIND_HTTP_ROUTE, "web", "consumer", NULL);
    CHECK(!matters(KIND_POD, "web", "before") && !matters(KIND_POD, "web", "after"));
    set(KIND_POD, "web", "before", NULL);
    set(KIND_POD, "web", "after", NULL);
    CHECK(graph_node(graph, KIND_POD, "web", "", false) == NULL); /* nothing stays behind */
    graph_free(graph);
    begin(false);
    set(KIND_HTTP_ROUTE, "web", "consumer", CONSUMER);
    set(KIND_POD, "web", "pod", "{}");
    CHECK(!matters(KIND_POD, "web", "pod"));
    graph_free(graph);
}

TEST(a_pinned_node_stays)
{
    begin(false);
    set(KIND_GATEWAY, "infra", "gw", GATEWAY);
    struct graph_node *node = graph_node(graph, KIND_GATEWAY, "infra", "gw", false);
    graph_pin(node);
    set(KIND_GATEWAY, "infra", "gw", NULL);
    CHECK(graph_node(graph, KIND_GATEWAY, "infra", "gw", false) == node);
    graph_unpin(graph, node);
    CHECK(graph_node(graph, KIND_GATEWAY, "infra", "gw", false) == NULL);
    graph_free(graph);
}

UNIT_MAIN("controller/graph",
          T(all_that_hangs_on_our_class_matters_in_whichever_order_it_comes_and_goes),
          T(what_no_longer_hangs_on_it_matters_no_more),
          T(grants_matter_also_where_what_is_referred_to_is_not_there),
          T(a_change_of_endpoints_needs_no_walk), T(a_route_of_a_service_matters_only_with_a_mesh),
          T(a_service_that_kube_proxy_leaves_to_us_matters_with_a_mesh),
          T(pods_matter_where_their_namespace_has_a_route_on_anothers_service),
          T(a_pinned_node_stays))
