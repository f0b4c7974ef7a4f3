/* SPDX-License-Identifier: Apache-2.0 */
/* See explain.h. The candidates are in explain_candidate.c, the request in explain_request.c, what
 * a rule does beside choosing a backend in explain_rule.c. */
#include "compile/explain_priv.h"

#include "base/assert.h"
#include "base/names.h"
#include "route/access.h"
#include "route/filter.h"
#include "route/of_head.h"

#include <stdio.h>
#include <stdlib.h>

#define LOCATION_BYTES 12288u /* host, path and query of a target of 8192, and the replacement */

/* How far a request came: the further, the better the bind that it was tried on. */
static int progress(enum route_outcome outcome)
{
    return outcome == ROUTE_OUTCOME_RULE ? 100 : (int)outcome;
}

/* The bind that the client has at its address. */
static bool find_bind(struct explanation *e)
{
    const struct explain_request *r = e->request;
    uint32_t bind = image_bind_find(&e->view, &r->address, r->port, r->is_udp);
    if (bind != IMAGE_NONE && r->has_client)
        bind = image_bind_for(&e->view, bind, &r->client);
    e->match.bind = bind;
    return bind != IMAGE_NONE;
}

/* The bind that the request arrives at. Without an address, the Gateway's where it comes furthest:
 * a Service takes whatever is asked of it. */
static bool choose_bind(struct explanation *e)
{
    const struct explain_request *r = e->request;
    if (r->has_address)
        return find_bind(e);
    int best = -1;
    struct route_request try = e->match;
    for (try.bind = 0; try.bind < e->view.n_binds; try.bind++) {
        struct route_result result;
        const struct image_bind *bind = &e->view.binds[try.bind];
        if (bind->is_service || bind->port != r->port || image_is_udp_bind(bind->kind) != r->is_udp)
            continue;
        route_match(&e->view, &try, &result);
        if (progress(result.outcome) <= best)
            continue;
        best = progress(result.outcome);
        e->match.bind = try.bind;
    }
    return best >= 0;
}

/* How what comes here gets to the backend's endpoints; NULL: it is requests that do. */
static const char *forwarding_of(const struct explanation *e, const struct image_backend *backend)
{
    const struct image_bind *bind = &e->view.binds[e->match.bind];
    bool has_packets = image_is_udp_bind(bind->kind) || bind->kind == IMAGE_BIND_TCP;
    if (bind->kind == IMAGE_BIND_HTTP || bind->kind == IMAGE_BIND_HTTPS)
        return NULL;
    return image_forwarding_name(has_packets && !bind->is_proxied
                                     ? (enum image_forwarding)backend->forwarding
                                     : IMAGE_FORWARDING_PROXY);
}

/* What tells the endpoint, as in TransportPolicy. */
static json_t *describe_hash(const struct explanation *e, const struct image_balance *balance)
{
    json_t *o =
        json_pack("{s:s}", "type", image_hash_key_name((enum image_hash_key)balance->hash_key));
    if (balance->name.length > 0)
        json_object_set_new(o, "name", explain_text(e, balance->name));
    return o;
}

static json_t *describe_backend(const struct explanation *e, const struct image_rule *rule,
                                const struct image_backend *backend)
{
    double share = rule->weight_total == 0 ? 0 : 100.0 * backend->weight / rule->weight_total;
    char percent[16];
    snprintf(percent, sizeof(percent), "%.4g%%", share);
    json_t *o = json_pack("{s:o,s:I,s:s}", "name", explain_text(e, backend->name), "weight",
                          (json_int_t)backend->weight, "share", percent);
    if (backend->fault_status != 0)
        json_object_set_new(o, "answer", json_integer(backend->fault_status));
    else {
        const char *forwarding = forwarding_of(e, backend);
        if (!e->request->is_udp)
            json_object_set_new(o, "congestionControl",
                                json_string(image_congestion_name(backend->congestion)));
        json_object_set_new(o, "balancing",
                            json_string(image_balancing_name(backend->balancing.way)));
        if (backend->balancing.hash_key != IMAGE_HASH_KEY_NONE)
            json_object_set_new(o, "hashOn", describe_hash(e, &backend->balancing));
        if (forwarding != NULL)
            json_object_set_new(o, "forwarding", json_string(forwarding));
        if (backend->proxy_header != IMAGE_PROXY_HEADER_NONE)
            json_object_set_new(o, "proxyProtocol",
                                json_string(image_proxy_header_name(backend->proxy_header)));
        if (backend->protocol != IMAGE_BACKEND_HTTP1)
            json_object_set_new(o, "protocol",
                                json_string(image_backend_protocol_name(backend->protocol)));
    }
    return o;
}

/* The rule's AccessPolicies, and what they say of the client. *ret_refusal: why one refuses it. */
static json_t *describe_access(const struct explanation *e, const struct image_rule *rule,
                               const char **ret_refusal)
{
    static const char *const says[] = {ROUTE_ACCESS_LIST(X_TEXT)};
    const struct image_view *v = &e->view;
    const struct image_filter *filter = route_filter_find(v, rule, IMAGE_FILTER_ACCESS);
    json_t *list = json_array();
    for (uint32_t i = 0; filter != NULL && i < filter->count; i++) {
        const struct image_access *access = &v->accesses[v->access_uses[filter->first + i]];
        json_t *o = json_pack("{s:o}", "policy", explain_text(e, access->name));
        if (e->request->has_client) {
            enum route_access found = route_access_of(v, access, &e->request->client);
            json_object_set_new(o, "says", json_string(says[found]));
            if (found != ROUTE_ACCESS_ALLOWED && *ret_refusal == NULL)
                *ret_refusal = says[found];
        }
        if (access->basic != IMAGE_NONE)
            json_object_set_new(o, "realm", explain_text(e, v->basics[access->basic].realm));
        json_array_append_new(list, o);
    }
    return list;
}

/* What the client would get, in words. */
static json_t *describe_answer(const struct explanation *e, const struct image_rule *rule)
{
    const struct image_view *v = &e->view;
    uint8_t location[LOCATION_BYTES];
    size_t len;
    if (rule->fault_status != 0)
        return json_string("500: the rule has something that cannot be carried out");
    const struct image_filter *filter = route_filter_find(v, rule, IMAGE_FILTER_REDIRECT);
    if (filter == NULL)
        return json_string(rule->weight_total == 0 ? "500: the rule has no backend with a weight"
                                                   : "the answer of one of the backends");
    const struct image_redirect *redirect = &v->redirects[filter->first];
    const struct http_head *head = &e->request->head;
    struct route_redirect_request request = {
        .is_https = e->request->is_https,
        .listener_port = v->listeners[e->result.listener].port,
        .host = head->host,
        .path = head->path,
        .query = head->query,
        .has_query = head->has_query,
    };
    if (!route_redirect_location(v, &v->matches[e->result.match], redirect, &request, location,
                                 sizeof(location), &len))
        return json_string("500: the Location is too long");
    return json_sprintf("%u to %.*s", redirect->status, (int)len, (const char *)location);
}

static void describe_rule(const struct explanation *e, json_t *status)
{
    const struct image_view *v = &e->view;
    const struct image_rule *rule = &v->rules[e->result.rule];
    const struct image_match *match = &v->matches[e->result.match];
    struct image_string route = v->routes[rule->route].name;
    if (!explain_may_read(e, route)) {
        json_object_set_new(status, "route", json_string("(of a namespace that you may not read)"));
        return;
    }
    json_object_set_new(status, "hostname", explain_text(e, v->hosts[e->result.host].name));
    json_object_set_new(status, "path", explain_text(e, v->paths[match->path].text));
    json_object_set_new(
        status, "kind",
        json_string(image_route_kind_name((enum image_route_kind)v->routes[rule->route].kind)));
    json_object_set_new(status, "route", explain_text(e, route));
    json_object_set_new(status, "rule", json_integer(rule->index));
    json_object_set_new(status, "match", json_integer(match->index));
    const char *refusal = NULL;
    json_t *access = describe_access(e, rule, &refusal);
    if (json_array_size(access) > 0)
        json_object_set(status, "access", access);
    json_decref(access);
    json_object_set_new(status, "answer",
                        refusal == NULL || rule->fault_status != 0
                            ? describe_answer(e, rule)
                            : json_sprintf("403: the client's address is %s", refusal));
    json_t *backends = json_array();
    for (uint32_t i = 0; i < rule->n_backends; i++)
        json_array_append_new(backends,
                              describe_backend(e, rule, &v->backends[rule->first_backend + i]));
    json_object_set_new(status, "backends", backends);
    explain_rule(e, rule, status);
}

static json_t *describe(struct explanation *e)
{
    static const char *const helps[] = {ROUTE_OUTCOME_LIST(X_TEXT)};
    char address[IP_ADDR_TEXT_MAX];
    e->candidates = json_array();
    route_explain(&e->view, &e->match, &e->result, explain_candidate, e);
    const struct image_bind *bind = &e->view.binds[e->match.bind];
    json_t *status =
        json_pack("{s:s,s:s,s:s,s:i}", "outcome", route_outcome_name(e->result.outcome),
                  "explanation", helps[e->result.outcome], "address",
                  ip_addr_format(&bind->addr, address), "port", (int)bind->port);
    if (!image_is_udp_bind(bind->kind))
        json_object_set_new(status, "congestionControl",
                            json_string(image_congestion_name(bind->congestion)));
    if (bind->is_proxied)
        json_object_set_new(status, "proxyProtocol", json_string("Require"));
    if (bind->set != IMAGE_NONE && explain_may_read(e, e->view.client_sets[bind->set].name))
        json_object_set_new(status, "clientNamespace",
                            explain_text(e, e->view.client_sets[bind->set].name));
    explain_gates(e, bind, status);
    if (e->result.outcome != ROUTE_OUTCOME_NO_LISTENER) {
        struct image_string name = e->view.listeners[e->result.listener].name;
        if (explain_may_read(e, name))
            json_object_set_new(status, "listener", explain_text(e, name));
    }
    if (e->result.outcome == ROUTE_OUTCOME_RULE)
        describe_rule(e, status);
    json_object_set_new(status, "candidates", e->candidates);
    if (e->omitted != 0)
        json_object_set_new(status, "candidatesOmitted", json_integer(e->omitted));
    return status;
}

/* What becomes of the request on the image; NULL: *ret_error. */
static json_t *answer(struct explanation *e, const char **ret_error)
{
    const struct http_head *head = &e->request->head;
    struct route_patterns *patterns;
    char fault[128];
    if (!route_patterns_new(&e->view, 1, &patterns, fault, sizeof(fault))) {
        *ret_error = "the image's regular expressions cannot be loaded";
        return NULL;
    }
    e->match = route_request_of(head, 0, (struct route_reader){patterns, 0});
    json_t *status = choose_bind(e)
                         ? describe(e)
                         : json_pack("{s:s,s:s}", "outcome", "NO_BIND", "explanation",
                                     "no Gateway or Service listens at this address and port");
    route_patterns_free(patterns);
    return status;
}

json_t *explain_request(const struct explain_input *in, const char **ret_error)
{
    struct explain_request *request = malloc(sizeof(*request));
    json_t *status = NULL;
    if (request == NULL) {
        *ret_error = "no memory";
        return NULL;
    }
    if (explain_request_read(in->spec, request, ret_error)) {
        struct explanation e = {.in = in, .request = request};
        image_view_init(&e.view, in->image);
        status = answer(&e, ret_error);
    }
    free(request);
    return status;
}
