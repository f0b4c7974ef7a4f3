/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as text, one line a thing, indented below what it belongs to. See attach.h. */
#include "attach/attach.h"

#include "abi/image.h"

static const char *const protocol_names[] = {"HTTP", "HTTPS", "TLS", "TLS-terminated",
                                             "TCP",  "UDP",   "DNS", "OTHER"};

static const char *format(const struct ip_addr *addr, char buf[IP_ADDR_TEXT_MAX])
{
    return ip_addr_format(addr, buf);
}

static const char *interface_name(const struct plan *plan, uint32_t index)
{
    return index == PLAN_NONE ? "-" : plan->interfaces[index].name;
}

static void dump_network(const struct plan *plan, FILE *out)
{
    char text[IP_ADDR_TEXT_MAX];
    for (uint32_t i = 0; i < plan->n_interfaces; i++) {
        const struct plan_interface *f = &plan->interfaces[i];
        fprintf(out, "interface %s port %s vlan %u mtu %u", f->name, f->port, (unsigned)f->vlan,
                (unsigned)f->mtu);
        if (f->virtual_router != 0) {
            fprintf(out, " virtual router %u", (unsigned)f->virtual_router);
        }
        if (!ip_addr_is_zero(&f->drained)) {
            fprintf(out, " drained %s", format(&f->drained, text));
        }
        for (uint32_t j = 0; j < f->n_addresses; j++) {
            fprintf(out, " %s/%u", format(&f->addresses[j].addr, text),
                    (unsigned)f->addresses[j].length);
        }
        fputc('\n', out);
    }
    for (uint32_t i = 0; i < plan->n_egress; i++) {
        const struct plan_egress *e = &plan->egress[i];
        fprintf(out, "egress %s %s %s/%u", e->kind, e->name, format(&e->destination.addr, text),
                (unsigned)e->destination.length);
        fprintf(out, " via %s on %s%s%s\n", format(&e->gateway, text),
                interface_name(plan, e->interface), e->is_shared ? " shared" : "",
                e->is_to_pods ? " to pods" : "");
    }
    for (uint32_t i = 0; i < plan->n_addresses; i++) {
        fprintf(out, "address %s on %s\n", format(&plan->addresses[i].addr, text),
                interface_name(plan, plan->addresses[i].interface));
    }
    for (uint32_t i = 0; i < plan->n_clients; i++) {
        fprintf(out, "client %s of %s\n", format(&plan->clients[i].addr, text),
                plan->client_sets[plan->clients[i].set]);
    }
}

static const char *route_word(const struct plan_route *r)
{
    static const char *const words[] = {
        [IMAGE_ROUTE_HTTP] = "route",   [IMAGE_ROUTE_GRPC] = "grpcroute",
        [IMAGE_ROUTE_TLS] = "tlsroute", [IMAGE_ROUTE_TCP] = "tcproute",
        [IMAGE_ROUTE_UDP] = "udproute", [IMAGE_ROUTE_DNS] = "dnsroute"};
    return words[r->kind];
}

static void dump_attachment(const struct plan *plan, const struct plan_attachment *at, FILE *out)
{
    const struct plan_route *r = &plan->routes[at->route];
    fprintf(out, "    %s %s/%s on", route_word(r), r->namespace, r->name);
    for (uint32_t i = 0; i < at->n_hostnames; i++) {
        fprintf(out, " %s", at->hostnames[i] != NULL ? at->hostnames[i] : "any");
    }
    fputc('\n', out);
}

static void dump_trusted(const struct plan_proxied *p, FILE *out)
{
    char text[IP_ADDR_TEXT_MAX];
    for (uint32_t i = 0; i < p->n_trusted; i++) {
        fprintf(out, "%s %s/%u", i == 0 ? " from" : "", format(&p->trusted[i].addr, text),
                (unsigned)p->trusted[i].length);
    }
    fputc('\n', out);
}

/* What is not as without a policy. */
static void dump_binds(const struct plan_gateway *g, const struct plan_listener *l, FILE *out)
{
    char text[IP_ADDR_TEXT_MAX];
    for (uint32_t i = 0; l->is_served && i < g->n_addresses; i++) {
        if (l->congestions[i] != IMAGE_CONGESTION_CUBIC) {
            fprintf(out, "    congestion %s on %s\n", image_congestion_name(l->congestions[i]),
                    format(&g->addresses[i], text));
        }
        if (l->proxied[i] != NULL) {
            fprintf(out, "    proxied on %s", format(&g->addresses[i], text));
            dump_trusted(l->proxied[i], out);
        }
    }
}

static void dump_ranges(const char *what, const struct image_range *ranges, uint32_t n, FILE *out)
{
    char first[IP_ADDR_TEXT_MAX], last[IP_ADDR_TEXT_MAX];
    for (uint32_t i = 0; i < n; i++) {
        fprintf(out, " %s %s-%s", what, format(&ranges[i].first, first),
                format(&ranges[i].last, last));
    }
}

/* Lists before a Gateway or listener. */
static void dump_gates(const char *indent, const struct plan_access *const *gates, uint32_t n,
                       FILE *out)
{
    for (uint32_t i = 0; i < n; i++) {
        fprintf(out, "%sgate %s", indent, gates[i]->name);
        dump_ranges("allow", gates[i]->allowed, gates[i]->n_allowed, out);
        dump_ranges("deny", gates[i]->denied, gates[i]->n_denied, out);
        fputc('\n', out);
    }
}

static void dump_gateway(const struct plan *plan, uint32_t index, FILE *out)
{
    char text[IP_ADDR_TEXT_MAX];
    const struct plan_gateway *g = &plan->gateways[index];
    fprintf(out, "%s %s/%s", g->is_service ? "service" : "gateway", g->namespace, g->name);
    for (uint32_t i = 0; i < g->n_addresses; i++) {
        fprintf(out, " %s", format(&g->addresses[i], text));
    }
    fputc('\n', out);
    if (g->identity != NULL) {
        fprintf(out, "  shows backends %s\n", g->identity->name);
    }
    dump_gates("  ", g->gates, g->n_gates, out);
    for (uint32_t i = 0; i < plan->n_listeners; i++) {
        const struct plan_listener *l = &plan->listeners[i];
        if (l->gateway != index) {
            continue;
        }
        fprintf(out, "  listener ");
        if (l->set != NULL) {
            fprintf(out, "%s/%s/", l->set->namespace, l->set->name);
        }
        fprintf(out, "%s %s %u %s %s\n", l->name, protocol_names[l->protocol], (unsigned)l->port,
                l->hostname != NULL ? l->hostname : "any",
                l->is_served                   ? "served"
                : l->fault == PLAN_LISTENER_OK ? "not served"
                                               : plan_listener_fault_reason(l->fault));
        if (l->consumer != NULL) {
            fprintf(out, "    for clients of %s\n", l->consumer);
        }
        dump_binds(g, l, out);
        if (l->limit != NULL) {
            fprintf(out, "    connections %s %u of a client %u\n", l->limit->name,
                    l->limit->conns_max, l->limit->client_conns_max);
        }
        dump_gates("    ", l->gates + g->n_gates, l->n_gates - g->n_gates, out);
        for (uint32_t j = 0; j < l->n_identities; j++) {
            fprintf(out, "    certificate %s\n", l->identities[j].name); /* never the key */
        }
        if (l->clients != NULL) {
            fprintf(out, "    clients %s by %s\n", image_client_auth_name(l->clients->auth),
                    l->clients->bundle.name);
        }
        for (uint32_t j = 0; j < l->n_attachments; j++) {
            dump_attachment(plan, &l->attachments[j], out);
        }
    }
}

static void dump_pairs(const char *what, const struct plan_pair *pairs, uint32_t n, FILE *out)
{
    for (uint32_t i = 0; i < n; i++) {
        fprintf(out, " %s %s%c%s", what, pairs[i].name,
                pairs[i].type == PLAN_MATCH_REGEX ? '~' : '=', pairs[i].value);
    }
}

/* With its number where that is not its place. */
static void dump_match(const struct plan_match *m, uint32_t place, FILE *out)
{
    static const char *const types[] = {"exact", "prefix", "regex"};
    fprintf(out, "    match ");
    if (m->index != place) {
        fprintf(out, "%u ", m->index);
    }
    fprintf(out, "%s %s", types[m->path_type], m->path);
    if (m->method != NULL) {
        fprintf(out, " method %s", m->method);
    }
    dump_pairs("header", m->headers, m->n_headers, out);
    dump_pairs("query", m->queries, m->n_queries, out);
    fputc('\n', out);
}

static void dump_path_mod(enum plan_path_mod mod, const char *path, FILE *out)
{
    if (mod != PLAN_PATH_KEEP) {
        fprintf(out, " %s %s", mod == PLAN_PATH_FULL ? "path" : "prefix", path);
    }
}

static void dump_header_mod(const char *what, const struct plan_header_mod *m, FILE *out)
{
    fprintf(out, "%s", what);
    dump_pairs("set", m->set, m->n_set, out);
    dump_pairs("add", m->add, m->n_add, out);
    for (uint32_t i = 0; i < m->n_remove; i++) {
        fprintf(out, " remove %s", m->remove[i]);
    }
}

static void dump_cors(const struct plan_cors *c, FILE *out)
{
    fprintf(out, "cors%s age %u", c->has_credentials ? " credentials" : "", c->max_age_s);
    for (uint32_t i = 0; i < c->n_origins; i++) {
        fprintf(out, " origin %s", c->origins[i]);
    }
    fprintf(out, " methods [%s] headers [%s] exposed [%s]", c->methods, c->headers, c->exposed);
}

static void dump_limit(const struct plan_limit *l, FILE *out)
{
    fprintf(out, "limit %s %u in %u ms burst %u", l->name, l->requests, l->period_ms, l->burst);
    switch (l->key) {
    case IMAGE_LIMIT_ROUTE:
        fputs(" for the route", out);
        break;
    case IMAGE_LIMIT_CLIENT:
        fprintf(out, " by client /%u /%u", (unsigned)l->prefix4_len, (unsigned)l->prefix6_len);
        break;
    case IMAGE_LIMIT_HEADER:
        fprintf(out, " by header %s", l->header);
        break;
    }
}

static void dump_jwt(const struct plan_jwt *jwt, FILE *out)
{
    fprintf(out, " jwt \"%s\" issuer %s", jwt->realm, jwt->issuer);
    for (uint32_t i = 0; i < jwt->n_audiences; i++) {
        fprintf(out, " audience %s", jwt->audiences[i]);
    }
    for (uint32_t i = 0; i < jwt->n_keys; i++) {
        const char *kid = jwt->keys[i].kid;
        fprintf(out, " key %s algs %x", kid != NULL ? kid : "-", jwt->keys[i].algs);
    }
    fputs(jwt->hides_authorization ? " hidden" : "", out);
}

static void dump_access(const struct plan_access *a, FILE *out)
{
    fprintf(out, "access %s", a->name);
    dump_ranges("allow", a->allowed, a->n_allowed, out);
    dump_ranges("deny", a->denied, a->n_denied, out);
    if (a->basic != NULL) {
        fprintf(out, " basic \"%s\" users %u%s", a->basic->realm, a->basic->n_users,
                a->basic->hides_authorization ? " hidden" : "");
    }
    if (a->jwt != NULL) {
        dump_jwt(a->jwt, out);
    }
}

static void dump_filter(const struct plan *plan, const struct plan_filter *f, const char *indent,
                        FILE *out)
{
    fputs(indent, out);
    const struct plan_redirect *r = &f->redirect;
    switch (f->type) {
    case PLAN_FILTER_REQUEST_HEADERS:
        dump_header_mod("request-headers", &f->headers, out);
        break;
    case PLAN_FILTER_RESPONSE_HEADERS:
        dump_header_mod("response-headers", &f->headers, out);
        break;
    case PLAN_FILTER_REDIRECT:
        fprintf(out, "redirect %u scheme %s host %s port %u", (unsigned)r->status,
                r->scheme != NULL ? r->scheme : "-", r->hostname != NULL ? r->hostname : "-",
                (unsigned)r->port);
        dump_path_mod(r->path_mod, r->path, out);
        break;
    case PLAN_FILTER_REWRITE:
        fprintf(out, "rewrite host %s", f->rewrite.hostname != NULL ? f->rewrite.hostname : "-");
        dump_path_mod(f->rewrite.path_mod, f->rewrite.path, out);
        break;
    case PLAN_FILTER_CORS:
        dump_cors(&f->cors, out);
        break;
    case PLAN_FILTER_MIRROR:
        fprintf(out, "mirror %u of %u to %s", f->mirror.numerator, f->mirror.denominator,
                plan->groups[f->mirror.group].name);
        break;
    case PLAN_FILTER_LIMIT:
        dump_limit(&f->limit, out);
        break;
    case PLAN_FILTER_ACCESS:
        dump_access(f->access, out);
        break;
    }
    fputc('\n', out);
}

static void dump_rule(const struct plan *plan, const struct plan_rule *r, FILE *out)
{
    static const char *const faults[] = {
        [PLAN_RULE_OK] = "",
        [PLAN_RULE_UNSUPPORTED] = " UNSUPPORTED",
        [PLAN_RULE_UNRESOLVED] = " UNRESOLVED",
    };
    fprintf(out, "  rule %u %s%s", r->index, r->name != NULL ? r->name : "-", faults[r->fault]);
    if (r->request_timeout_ms != 0 || r->backend_request_timeout_ms != 0) {
        fprintf(out, " timeouts %u %u", r->request_timeout_ms, r->backend_request_timeout_ms);
    }
    if (r->retry != NULL) {
        fprintf(out, " retry %u backoff %u codes", r->retry->attempts, r->retry->backoff_ms);
        for (uint32_t i = 0; i < r->retry->n_codes; i++) {
            fprintf(out, " %u", (unsigned)r->retry->codes[i]);
        }
    }
    if (r->persistence != NULL) {
        fprintf(out, " session %s %s lifetime %u%s",
                r->persistence->kind == IMAGE_SESSION_COOKIE ? "cookie" : "header",
                r->persistence->name, r->persistence->lifetime_s,
                r->persistence->is_permanent ? " permanent" : "");
    }
    fputc('\n', out);
    for (uint32_t i = 0; i < r->n_matches; i++) {
        dump_match(&r->matches[i], i, out);
    }
    for (uint32_t i = 0; i < r->n_filters; i++) {
        dump_filter(plan, &r->filters[i], "    ", out);
    }
    for (uint32_t i = 0; i < r->n_backends; i++) {
        const struct plan_backend *b = &r->backends[i];
        fprintf(out, "    backend %s weight %u\n",
                b->fault == PLAN_BACKEND_OK ? plan->groups[b->group].name
                                            : plan_backend_fault_reason(b->fault),
                b->weight);
        for (uint32_t k = 0; k < b->n_filters; k++) {
            dump_filter(plan, &b->filters[k], "      ", out);
        }
    }
}

/* What is not as without a policy. */
static void dump_balancing(const struct plan_group *g, FILE *out)
{
    if (g->balancing == IMAGE_BALANCING_TURNS) {
        fputs(" in turn", out);
    }
    if (g->balancing == IMAGE_BALANCING_MAGLEV) {
        fprintf(out, " by hash of %s%s%s", image_hash_key_name(g->hash_key),
                g->hash_name != NULL ? " " : "", g->hash_name != NULL ? g->hash_name : "");
    }
}

static void dump_check(const struct plan_health *h, FILE *out)
{
    const struct image_health *n = &h->numbers;
    fprintf(out, " asks %s every %u ms for %u ms healthy %u unhealthy %u",
            image_health_check_name((enum image_health_check)n->check), n->interval_ms,
            n->timeout_ms, (unsigned)n->healthy_checks, (unsigned)n->unhealthy_checks);
    if (n->port != 0) {
        fprintf(out, " port %u", (unsigned)n->port);
    }
    fprintf(out, "%s%s%s%s%s%s", h->host != NULL ? " host " : "", h->host != NULL ? h->host : "",
            h->path != NULL ? " path " : "", h->path != NULL ? h->path : "",
            h->service != NULL ? " service " : "", h->service != NULL ? h->service : "");
    for (unsigned i = 0; i < n->n_statuses; i++) {
        fprintf(out, " %u-%u", (unsigned)n->statuses[i].first, (unsigned)n->statuses[i].last);
    }
}

static void dump_health(const struct plan_health *h, FILE *out)
{
    const struct image_health *n = &h->numbers;
    fprintf(out, "  health %s panic %u %%", h->name, (unsigned)n->panic_percent);
    if (n->check != IMAGE_HEALTH_CHECK_NONE) {
        dump_check(h, out);
    }
    if (n->failures != 0) {
        fprintf(out, " ejects after %u for %u to %u ms up to %u %%", (unsigned)n->failures,
                n->base_ejection_ms, n->max_ejection_ms, (unsigned)n->max_ejected_percent);
    }
    if (n->slow_start_ms != 0) {
        fprintf(out, " slow start %u ms", n->slow_start_ms);
    }
    fputc('\n', out);
}

static void dump_tls(const struct plan_backend_tls *tls, FILE *out)
{
    fprintf(out, "  tls %s asks for %s by %s, expects", tls->name, tls->hostname,
            tls->bundle.pem.len > 0 ? tls->bundle.name : "nobody's CA");
    for (uint32_t i = 0; i < tls->n_sans; i++) {
        fprintf(out, " %s", tls->sans[i].text);
    }
    fputc('\n', out);
}

static void dump_group(const struct plan_group *g, FILE *out)
{
    char text[IP_ADDR_TEXT_MAX];
    bool is_usual = g->congestion == IMAGE_CONGESTION_CUBIC;
    fprintf(out, "group %s%s%s", g->name, is_usual ? "" : " congestion ",
            is_usual ? "" : image_congestion_name(g->congestion));
    dump_balancing(g, out);
    if (g->proxy_header != IMAGE_PROXY_HEADER_NONE) {
        fprintf(out, " proxy header %s", image_proxy_header_name(g->proxy_header));
    }
    if (g->forwarding != IMAGE_FORWARDING_PROXY) {
        fprintf(out, " forwarding %s", image_forwarding_name(g->forwarding));
    }
    if (g->idle_ms != 0) {
        fprintf(out, " idle %u ms", g->idle_ms);
    }
    if (g->protocol != IMAGE_BACKEND_HTTP1) {
        fprintf(out, " by %s", image_backend_protocol_name(g->protocol));
    }
    fputc('\n', out);
    if (g->tls != NULL) {
        dump_tls(g->tls, out);
    }
    if (g->health != NULL) {
        dump_health(g->health, out);
    }
    for (uint32_t i = 0; i < g->n_endpoints; i++) {
        const struct endpoint *e = &g->endpoints[i];
        fprintf(out, "  endpoint %s %u%s%s%s\n", format(&e->addr, text), (unsigned)e->port,
                e->flags & ENDPOINT_READY ? " ready" : "",
                e->flags & ENDPOINT_SERVING ? " serving" : "",
                e->flags & ENDPOINT_TERMINATING ? " terminating" : "");
    }
}

void plan_dump(const struct plan *plan, FILE *out)
{
    dump_network(plan, out);
    for (uint32_t i = 0; i < plan->n_gateways; i++) {
        dump_gateway(plan, i, out);
    }
    for (uint32_t i = 0; i < plan->n_routes; i++) {
        const struct plan_route *r = &plan->routes[i];
        fprintf(out, "%s %s/%s\n", route_word(r), r->namespace, r->name);
        for (uint32_t j = 0; j < r->n_rules; j++) {
            dump_rule(plan, &r->rules[j], out);
        }
    }
    for (uint32_t i = 0; i < plan->n_groups; i++) {
        dump_group(&plan->groups[i], out);
    }
}
