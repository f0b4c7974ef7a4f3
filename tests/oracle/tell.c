/* SPDX-License-Identifier: Apache-2.0 */
/* See tell.h. Rules are in tell_rule.c, accesses and limits in
 * tell_access.c, connections to backends in tell_group.c. */
#include "tell.h"

#include "base/assert.h"
#include "base/ip_addr.h"

#include <inttypes.h>
#include <stdio.h>

json_t *tell_text(const struct image_view *v, struct image_string s)
{
    struct slice text = image_text(v, s);
    return text.len == 0 ? json_string("") : json_stringn((const char *)text.ptr, text.len);
}

json_t *tell_words(const uint64_t *words, size_t n)
{
    char text[4 * 16 + 1];
    ASSERT(n > 0 && n <= 4);
    for (size_t i = 0; i < n; i++)
        snprintf(text + 16 * i, 17, "%016" PRIx64, words[i]);
    return json_string(text);
}

json_t *tell_bytes(const uint8_t *bytes, size_t n)
{
    char text[2 * IMAGE_JWT_KEY_BYTES_MAX + 1] = "";
    ASSERT(n <= IMAGE_JWT_KEY_BYTES_MAX);
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    return json_string(text);
}

static uint32_t root_of(const struct image_view *v, uint32_t node)
{
    while (v->nodes[node].parent != IMAGE_NONE)
        node = v->nodes[node].parent;
    return node;
}

/* Calls `fn` with each value of a trie. */
static void each_value(const struct image_view *v, uint32_t root,
                       void (*fn)(const struct image_view *v, uint32_t value, json_t *to),
                       json_t *to)
{
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        if (v->nodes[i].kind == 0 || root_of(v, i) != root)
            continue;
        const struct image_value *exact = image_node_exact(v, i);
        const struct image_value *subtree = image_node_subtree(v, i);
        if (exact != NULL)
            fn(v, exact->index, to);
        if (subtree != NULL)
            fn(v, subtree->index, to);
    }
}

/* `n` predicates; a pattern is told by the set that is asked, not by the predicate's own text. */
static json_t *tell_predicates(const struct image_view *v, uint32_t first, uint32_t n)
{
    json_t *list = json_array();
    for (uint32_t i = first; i < first + n; i++) {
        const struct image_predicate *p = &v->predicates[i];
        bool is_pattern = image_has_pattern(p->kind);
        struct image_string value =
            is_pattern ? v->patterns[v->pattern_sets[p->set].first_pattern].text : p->value;
        json_array_append_new(list, json_pack("[o,o,b]", tell_text(v, p->name), tell_text(v, value),
                                              (int)is_pattern));
    }
    return list;
}

static json_t *tell_match(const struct image_view *v, const struct image_match *m)
{
    static const char *const kinds[] = {[IMAGE_PATH_EXACT] = "Exact",
                                        [IMAGE_PATH_PREFIX] = "PathPrefix",
                                        [IMAGE_PATH_REGEX] = "RegularExpression"};
    const struct image_path *path = &v->paths[m->path];
    const struct image_rule *rule = &v->rules[m->rule];
    uint32_t first_query = m->first_predicate + m->n_headers;
    return json_pack("{s:o,s:b,s:i,s:i,s:[s,o],s:o,s:o,s:o}", "route",
                     tell_text(v, v->routes[rule->route].name), "call", (int)m->is_grpc, "rule",
                     (int)rule->index, "match", (int)m->index, "path", kinds[path->kind],
                     tell_text(v, path->text), "method",
                     m->method.length == 0 ? json_null() : tell_text(v, m->method), "headers",
                     tell_predicates(v, m->first_predicate, m->n_headers), "queries",
                     tell_predicates(v, first_query, m->n_queries));
}

static void add_path(const struct image_view *v, uint32_t path, json_t *to)
{
    const struct image_path *p = &v->paths[path];
    for (uint32_t i = 0; i < p->n_matches; i++)
        json_array_append_new(to, tell_match(v, &v->matches[p->first_match + i]));
}

static void add_host(const struct image_view *v, uint32_t host, json_t *to)
{
    const struct image_host *h = &v->hosts[host];
    json_t *matches = json_array();
    each_value(v, h->root, add_path, matches);
    for (uint32_t i = h->first_set; i < h->first_set + h->n_sets; i++) {
        const struct image_pattern_set *set = &v->pattern_sets[i];
        for (uint32_t k = 0; k < set->n_patterns; k++)
            add_path(v, v->patterns[set->first_pattern + k].value.index, matches);
    }
    json_array_append_new(
        to, json_pack("{s:o,s:o}", "hostname", tell_text(v, h->name), "matches", matches));
}

static void add_listener(const struct image_view *v, uint32_t listener, json_t *to)
{
    json_array_append_new(to, json_integer(listener));
}

/* Who may send PROXY headers: [address, length of its own family] each; null: they are not read. */
static json_t *tell_trusted(const struct image_view *v, const struct image_bind *b)
{
    json_t *list = b->is_proxied != 0 ? json_array() : json_null();
    for (uint32_t i = b->first_trusted; i < b->first_trusted + b->n_trusted; i++) {
        const struct image_prefix *p = &v->trusted[i];
        char address[IP_ADDR_TEXT_MAX];
        int len = ip_addr_is_v4(&p->addr) ? p->len - 96 : p->len;
        json_array_append_new(list, json_pack("[s,i]", ip_addr_format(&p->addr, address), len));
    }
    return list;
}

static json_t *tell_binds(const struct image_view *v)
{
    static const char *const kinds[IMAGE_BIND_KINDS] = {"HTTP", "HTTPS", "TLS", "TCP", "UDP"};
    json_t *list = json_array();
    for (uint32_t i = 0; i < v->n_binds; i++) {
        const struct image_bind *b = &v->binds[i];
        char address[IP_ADDR_TEXT_MAX];
        json_t *listeners = json_array();
        each_value(v, b->root, add_listener, listeners);
        json_array_append_new(list, json_pack("{s:s,s:i,s:s,s:s,s:o,s:o}", "address",
                                              ip_addr_format(&b->addr, address), "port",
                                              (int)b->port, "kind", kinds[b->kind], "congestion",
                                              image_congestion_name(b->congestion), "trusted",
                                              tell_trusted(v, b), "listeners", listeners));
    }
    return list;
}

static json_t *tell_identity(const struct image_view *v, uint32_t identity)
{
    if (identity == IMAGE_NONE)
        return json_null();
    const struct image_identity *i = &v->identities[identity];
    return json_pack("[o,o]", tell_text(v, i->name), tell_bytes(i->id.bytes, sizeof(i->id.bytes)));
}

static json_t *tell_identities(const struct image_view *v, const struct image_listener *l)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < l->n_identities; i++)
        json_array_append_new(list, tell_identity(v, l->first_identity + i));
    return list;
}

static json_t *tell_listener(const struct image_view *v, const struct image_listener *l)
{
    static const char *const protocols[] = {
        [IMAGE_PROTOCOL_HTTP] = "HTTP", [IMAGE_PROTOCOL_HTTPS] = "HTTPS",
        [IMAGE_PROTOCOL_TLS] = "TLS",   [IMAGE_PROTOCOL_TLS_TERMINATED] = "TLS, terminated",
        [IMAGE_PROTOCOL_TCP] = "TCP",   [IMAGE_PROTOCOL_UDP] = "UDP"};
    json_t *hosts = json_array();
    each_value(v, l->root, add_host, hosts);
    return json_pack("{s:o,s:o,s:i,s:s,s:s,s:o,s:o,s:o,s:o}", "name", tell_text(v, l->name),
                     "hostname", tell_text(v, l->hostname), "port", (int)l->port, "protocol",
                     protocols[l->protocol], "clients", image_client_auth_name(l->client_auth),
                     "bundle", tell_bundle(v, l->bundle), "identities", tell_identities(v, l),
                     "identity", tell_identity(v, l->identity), "hosts", hosts);
}

static json_t *tell_listeners(const struct image_view *v)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < v->n_listeners; i++)
        json_array_append_new(list, tell_listener(v, &v->listeners[i]));
    return list;
}

static json_t *tell_routes(const struct image_view *v)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < v->n_routes; i++) {
        const struct image_route *r = &v->routes[i];
        json_t *rules = json_array();
        for (uint32_t k = 0; k < r->n_rules; k++)
            json_array_append_new(rules, tell_rule(v, &v->rules[r->first_rule + k]));
        json_array_append_new(
            list, json_pack("{s:o,s:s,s:o,s:I,s:o}", "name", tell_text(v, r->name), "kind",
                            image_route_kind_name(r->kind), "id", tell_words(&r->id, 1), "created",
                            (json_int_t)r->created_s, "rules", rules));
    }
    return list;
}

json_t *tell_image(const struct image_view *v)
{
    return json_pack("{s:o,s:o,s:o}", "binds", tell_binds(v), "listeners", tell_listeners(v),
                     "routes", tell_routes(v));
}
