/* SPDX-License-Identifier: Apache-2.0 */
/* See reference.h. */
#include "reference.h"

#include "base/container.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const hostnames[] = {
    "",      "a.com", "*.a.com", "b.a.com", "*.b.a.com", "c.b.a.com", "*.c.b.a.com",
    "x.org", "*.org", "*.com",   "a.b",     "*.b",
};
static const char *const hosts[] = {
    "a.com", "b.a.com", "c.b.a.com", "d.c.b.a.com", "z.a.com", "com",
    "x.org", "y.org",   "a.b",       "b",           "",        "xa.com",
};
static const char *const paths[] = {
    "/", "/a", "/a/", "/a/b", "/a/b/", "/a/b/c", "/ab", "/b", "/b/a", "/a/bc", "/a/b/c/d",
};
static const char *const methods[] = {"GET", "POST", "PUT"};
static const char *const names[] = {"x", "Y-y", "zz"};
static const char *const values[] = {"1", "2", "1, 2"};

static const char *one_of(struct rng *rng, const char *const *words, size_t n)
{
    return words[rng_below(rng, (uint32_t)n)];
}

#define ONE_OF(rng, words) one_of((rng), (words), array_len(words))

static uint32_t make_pairs(struct ref_pair *pairs, struct rng *rng)
{
    uint32_t n = rng_below(rng, 3) == 0 ? 1 + rng_below(rng, REF_PAIRS_MAX) : 0;
    uint32_t first = rng_below(rng, array_len(names));
    for (uint32_t i = 0; i < n; i++)
        pairs[i] = (struct ref_pair){names[(first + i) % array_len(names)], ONE_OF(rng, values)};
    return n;
}

static void make_match(struct ref_match *m, struct rng *rng, bool is_crowded)
{
    m->is_exact = rng_below(rng, 3) == 0;
    m->path = one_of(rng, paths, is_crowded ? 2 : array_len(paths));
    m->method = rng_below(rng, 3) == 0 ? ONE_OF(rng, methods) : NULL;
    m->n_headers = make_pairs(m->headers, rng);
    m->n_queries = make_pairs(m->queries, rng);
}

static void make_route(struct ref_route *r, struct rng *rng, uint32_t n_listeners, uint32_t index,
                       bool is_crowded)
{
    snprintf(r->name, sizeof(r->name), "n%u/r%u", rng_below(rng, 3), index);
    r->created_s = rng_below(rng, 4);
    r->listeners = 1 + rng_below(rng, (1u << n_listeners) - 1);
    r->n_hostnames = 1 + rng_below(rng, REF_HOSTNAMES_MAX);
    uint32_t first = rng_below(rng, array_len(hostnames));
    for (uint32_t i = 0; i < r->n_hostnames; i++)
        r->hostnames[i] = hostnames[(is_crowded ? i : first + i * 5) % array_len(hostnames)];
    r->n_matches = 1 + rng_below(rng, REF_MATCHES_MAX);
    for (uint32_t i = 0; i < r->n_matches; i++)
        make_match(&r->matches[i], rng, is_crowded);
}

void ref_table_make(struct ref_table *t, struct rng *rng, bool is_crowded)
{
    memset(t, 0, sizeof(*t));
    t->n_listeners = is_crowded ? 1 : 1 + rng_below(rng, REF_LISTENERS_MAX);
    uint32_t first = rng_below(rng, array_len(hostnames));
    for (uint32_t i = 0; i < t->n_listeners; i++)
        t->listeners[i] = i == 0 && (is_crowded || rng_below(rng, 2))
                              ? ""
                              : hostnames[1 + (first + i) % (array_len(hostnames) - 1)];
    t->n_routes = 1 + rng_below(rng, REF_ROUTES_MAX);
    for (uint32_t i = 0; i < t->n_routes; i++)
        make_route(&t->routes[i], rng, t->n_listeners, i, is_crowded);
}

void ref_request_make(struct ref_request *r, struct rng *rng)
{
    static const char *const queries[] = {"",         "x=1",          "x=2&x=1", "Y-y=1&zz=1%2C+2",
                                          "zz=2&a=b", "x=1&Y-y=2&zz", "%78=1"};
    memset(r, 0, sizeof(*r));
    r->host = ONE_OF(rng, hosts);
    r->path = ONE_OF(rng, paths);
    r->query = ONE_OF(rng, queries);
    r->method = ONE_OF(rng, methods);
    r->n_fields = rng_below(rng, array_len(r->fields) + 1);
    static const char *const any_case[] = {"X", "y-Y", "ZZ", "x", "other"};
    for (uint32_t i = 0; i < r->n_fields; i++)
        r->fields[i] = (struct ref_pair){ONE_OF(rng, any_case), ONE_OF(rng, values)};
}

/* How specific a hostname is for a host: 0: does not match, 1: no hostname, then wildcards by
 * length, exact above all. */
static size_t host_rank(const char *hostname, const char *host)
{
    if (hostname[0] == '\0')
        return 1;
    if (strncmp(hostname, "*.", 2) != 0)
        return strcmp(hostname, host) == 0 ? 1000 + strlen(hostname) : 0;
    const char *suffix = hostname + 1;
    size_t n = strlen(suffix), all = strlen(host);
    return all > n && strcmp(host + all - n, suffix) == 0 ? 1 + strlen(hostname) : 0;
}

/* The same for a path. */
static size_t path_rank(const struct ref_match *m, const char *path)
{
    if (m->is_exact)
        return strcmp(m->path, path) == 0 ? 1000 : 0;
    size_t n = strlen(m->path);
    if (m->path[n - 1] == '/')
        n--;
    bool is_prefix = strncmp(m->path, path, n) == 0 && (path[n] == '\0' || path[n] == '/');
    return is_prefix ? 1 + n : 0;
}

static bool has_header(const struct ref_request *r, const struct ref_pair *want)
{
    char joined[64] = "";
    bool is_found = false;
    for (uint32_t i = 0; i < r->n_fields; i++) {
        if (strcasecmp(r->fields[i].name, want->name) != 0)
            continue;
        strcat(joined, is_found ? ", " : "");
        strcat(joined, r->fields[i].value);
        is_found = true;
    }
    return is_found && strcmp(joined, want->value) == 0;
}

/* Decodes all of the query first, then looks. */
static bool has_query(const struct ref_request *r, const struct ref_pair *want)
{
    char plain[128];
    size_t n = 0;
    for (const char *p = r->query; *p != '\0'; p++) {
        unsigned byte;
        if (*p == '%' && sscanf(p + 1, "%2x", &byte) == 1) {
            plain[n++] = (char)byte;
            p += 2;
        } else {
            plain[n++] = *p == '+' ? ' ' : *p;
        }
    }
    plain[n] = '\0';
    char *rest = plain, *part;
    while ((part = strsep(&rest, "&")) != NULL) {
        char *value = strchr(part, '=');
        if (value != NULL)
            *value++ = '\0';
        if (strcmp(part, want->name) == 0)
            return strcmp(value == NULL ? "" : value, want->value) == 0;
    }
    return false;
}

static bool holds(const struct ref_match *m, const struct ref_request *r)
{
    if (m->method != NULL && strcmp(m->method, r->method) != 0)
        return false;
    for (uint32_t i = 0; i < m->n_headers; i++) {
        if (!has_header(r, &m->headers[i]))
            return false;
    }
    for (uint32_t i = 0; i < m->n_queries; i++) {
        if (!has_query(r, &m->queries[i]))
            return false;
    }
    return true;
}

/* What decides, the most important first; larger wins. */
struct rank {
    int64_t parts[6];
    const char *name; /* then the smaller one */
    uint32_t match;   /* then the smaller one */
};

static bool is_better(const struct rank *a, const struct rank *b)
{
    for (size_t i = 0; i < array_len(a->parts); i++) {
        if (a->parts[i] != b->parts[i])
            return a->parts[i] > b->parts[i];
    }
    int order = strcmp(a->name, b->name);
    return order != 0 ? order < 0 : a->match < b->match;
}

static uint32_t find_listener(const struct ref_table *t, const char *host)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < t->n_listeners; i++) {
        size_t rank = host_rank(t->listeners[i], host);
        if (rank != 0 && (best == UINT32_MAX || rank > host_rank(t->listeners[best], host)))
            best = i;
    }
    return best;
}

static void try_match(const struct ref_route *route, uint32_t k, size_t by_host,
                      const struct ref_request *r, struct rank *ret)
{
    const struct ref_match *m = &route->matches[k];
    size_t by_path = path_rank(m, r->path);
    *ret = (struct rank){{0}, route->name, k};
    if (by_path == 0 || !holds(m, r))
        return;
    int64_t parts[] = {(int64_t)by_host, (int64_t)by_path, m->method != NULL,
                       m->n_headers,     m->n_queries,     -route->created_s};
    memcpy(ret->parts, parts, sizeof(parts));
}

void ref_match(const struct ref_table *t, const struct ref_request *r, struct ref_answer *ret)
{
    struct rank best = {{0}, "", 0};
    *ret = (struct ref_answer){.outcome = ROUTE_OUTCOME_NO_LISTENER};
    ret->listener = find_listener(t, r->host);
    if (ret->listener == UINT32_MAX)
        return;
    ret->outcome = ROUTE_OUTCOME_NO_HOST;
    for (uint32_t i = 0; i < t->n_routes; i++) {
        const struct ref_route *route = &t->routes[i];
        for (uint32_t h = 0; h < route->n_hostnames && route->listeners >> ret->listener & 1; h++) {
            size_t by_host = host_rank(route->hostnames[h], r->host);
            for (uint32_t k = 0; by_host != 0 && k < route->n_matches; k++) {
                struct rank rank;
                try_match(route, k, by_host, r, &rank);
                if (ret->outcome == ROUTE_OUTCOME_NO_HOST)
                    ret->outcome = ROUTE_OUTCOME_NO_RULE;
                if (rank.parts[0] == 0 ||
                    (ret->outcome == ROUTE_OUTCOME_RULE && !is_better(&rank, &best)))
                    continue;
                best = rank;
                ret->outcome = ROUTE_OUTCOME_RULE;
                ret->route = i;
                ret->match = k;
            }
        }
    }
}
