/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A route table as plain lists, made by chance, and a second matcher that looks at every entry and
 * compares names as text. It shares nothing with the image, the tries or the walk: only the words
 * of the Gateway API. The tests build an image from the same lists and compare answers.
 */
#pragma once

#include "base/rng.h"
#include "route/route.h"

#include <stdbool.h>
#include <stdint.h>

#define REF_LISTENERS_MAX 5
#define REF_ROUTES_MAX 24
#define REF_HOSTNAMES_MAX 3
#define REF_MATCHES_MAX 4
#define REF_PAIRS_MAX 2

struct ref_pair {
    const char *name;
    const char *value;
};

struct ref_match {
    bool is_exact;
    const char *path;
    const char *method; /* NULL: any */
    uint32_t n_headers;
    uint32_t n_queries;
    struct ref_pair headers[REF_PAIRS_MAX];
    struct ref_pair queries[REF_PAIRS_MAX];
};

/* One rule a match, so that the answer is known by route and rule. */
struct ref_route {
    char name[16];
    int64_t created_s;
    uint32_t n_hostnames;
    const char *hostnames[REF_HOSTNAMES_MAX]; /* "": all */
    uint32_t listeners;                       /* bit set */
    uint32_t n_matches;
    struct ref_match matches[REF_MATCHES_MAX];
};

struct ref_table {
    uint32_t n_listeners;
    const char *listeners[REF_LISTENERS_MAX]; /* hostnames; "": all */
    uint32_t n_routes;
    struct ref_route routes[REF_ROUTES_MAX]; /* in no order */
};

struct ref_request {
    const char *host;
    const char *path;
    const char *query;
    const char *method;
    uint32_t n_fields;
    struct ref_pair fields[3];
};

struct ref_answer {
    enum route_outcome outcome;
    uint32_t listener; /* index into the table; not with NO_LISTENER */
    uint32_t route;    /* index into the table, and its match; with RULE */
    uint32_t match;
};

/* A table and a request by chance, from small sets of words, so that they meet often. Crowded: all
 * routes have the same few hostnames and paths. */
void ref_table_make(struct ref_table *t, struct rng *rng, bool is_crowded);
void ref_request_make(struct ref_request *r, struct rng *rng);

/* Which match takes the request, found by looking at all. */
void ref_match(const struct ref_table *t, const struct ref_request *r, struct ref_answer *ret);
