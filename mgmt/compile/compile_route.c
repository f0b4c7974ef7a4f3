/* SPDX-License-Identifier: Apache-2.0 */
/* Routes in the image's order of precedence, each with the hostnames that it serves. */
#include "compile/compile_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUTE_NAME_BYTES 512u /* "namespace/name", 253 bytes each at most */

/* A route with what decides its place. */
struct ordered_route {
    int64_t created_s;
    const struct plan_route *route;
};

/* A listener that a route serves. */
struct served {
    uint32_t place;    /* of the route in the order */
    uint32_t listener; /* of the image */
    const struct plan_attachment *attachment;
};

/* RFC 3339 to seconds since 1970. What cannot be read counts as youngest. */
static int64_t created_seconds(const char *text)
{
    struct tm tm = {0};
    const char *end = text == NULL ? NULL : strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    return end == NULL ? INT64_MAX : (int64_t)timegm(&tm);
}

/* "namespace/name"; what does not fit is cut. */
static struct slice route_name(const struct plan_route *route, char buf[ROUTE_NAME_BYTES])
{
    size_t n = 0;
    for (const char *p = route->namespace; *p != '\0' && n + 2 < ROUTE_NAME_BYTES; p++)
        buf[n++] = *p;
    buf[n++] = '/';
    for (const char *p = route->name; *p != '\0' && n + 1 < ROUTE_NAME_BYTES; p++)
        buf[n++] = *p;
    buf[n] = '\0';
    return slice_of((const uint8_t *)buf, n);
}

static int compare_routes(const void *x, const void *y)
{
    const struct ordered_route *a = x, *b = y;
    char name_a[ROUTE_NAME_BYTES], name_b[ROUTE_NAME_BYTES];
    if (a->created_s != b->created_s)
        return a->created_s < b->created_s ? -1 : 1;
    const struct image_route_key key_a = {a->created_s, route_name(a->route, name_a),
                                          a->route->kind};
    const struct image_route_key key_b = {b->created_s, route_name(b->route, name_b),
                                          b->route->kind};
    return image_route_order(&key_a, &key_b);
}

static int compare_served(const void *x, const void *y)
{
    const struct served *a = x, *b = y;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return a->listener < b->listener ? -1 : a->listener > b->listener;
}

static bool is_same_text(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* A plan's routes stand by age and name already, but for ages that cannot be read; and of those
 * that came together many have one age. */
static void order_routes(const struct plan *plan, struct ordered_route *ret)
{
    bool is_in_order = true;
    for (uint32_t i = 0; i < plan->n_routes; i++) {
        const struct plan_route *route = &plan->routes[i];
        bool is_as_before = i > 0 && is_same_text(route->created, route[-1].created);
        ret[i].route = route;
        ret[i].created_s = is_as_before ? ret[i - 1].created_s : created_seconds(route->created);
        is_in_order &= i == 0 || compare_routes(&ret[i - 1], &ret[i]) <= 0;
    }
    if (!is_in_order)
        qsort(ret, plan->n_routes, sizeof(*ret), compare_routes);
}

static uint32_t count_attachments(const struct plan *plan)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < plan->n_listeners; i++)
        n += plan->listeners[i].n_attachments;
    return n;
}

/* The attachments of served listeners, by the routes' places. Returns how many. */
static uint32_t order_served(const struct compile *c, const uint32_t *places, struct served *ret)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->plan->n_listeners; i++) {
        const struct plan_listener *listener = &c->plan->listeners[i];
        for (uint32_t k = 0; k < listener->n_attachments && c->listeners[i] != IMAGE_NONE; k++) {
            const struct plan_attachment *attachment = &listener->attachments[k];
            ASSERT(attachment->route < c->plan->n_routes);
            ret[n++] = (struct served){places[attachment->route], c->listeners[i], attachment};
        }
    }
    qsort(ret, n, sizeof(*ret), compare_served);
    return n;
}

static void attach_route(struct compile *c, const char *name, const struct served *served)
{
    for (uint32_t i = 0; i < served->attachment->n_hostnames; i++) {
        const char *hostname = served->attachment->hostnames[i];
        if (image_builder_attach(c->b, served->listener, hostname) == -EINVAL)
            compile_note(c, "route %s: hostname %s cannot be served", name, hostname);
    }
}

static bool begin_route(struct compile *c, const struct ordered_route *ordered, const char *name)
{
    const struct plan_route *route = ordered->route;
    if (image_builder_route_of(c->b, route->kind, name, ordered->created_s) != 0) {
        compile_note(c, "route %s is left out: there twice", name);
        return false;
    }
    for (uint32_t i = 0; i < route->n_rules; i++)
        compile_rule(c, route, &route->rules[i]);
    return true;
}

static void add_routes(struct compile *c, const struct ordered_route *routes,
                       const struct served *served, uint32_t n_served)
{
    uint32_t next = 0;
    for (uint32_t place = 0; place < c->plan->n_routes; place++) {
        char name[ROUTE_NAME_BYTES];
        route_name(routes[place].route, name);
        bool is_begun = begin_route(c, &routes[place], name);
        for (; next < n_served && served[next].place == place; next++) {
            if (is_begun)
                attach_route(c, name, &served[next]);
        }
    }
    ASSERT(next == n_served);
}

int compile_routes(struct compile *c)
{
    uint32_t n = c->plan->n_routes;
    struct ordered_route *routes = calloc(n + 1, sizeof(*routes));
    uint32_t *places = calloc(n + 1, sizeof(*places));
    struct served *served = calloc(count_attachments(c->plan) + 1, sizeof(*served));
    int error = routes == NULL || places == NULL || served == NULL ? -ENOMEM : 0;
    if (error == 0) {
        order_routes(c->plan, routes);
        for (uint32_t i = 0; i < n; i++)
            places[routes[i].route - c->plan->routes] = i;
        add_routes(c, routes, served, order_served(c, places, served));
    }
    free(routes);
    free(places);
    free(served);
    return error;
}
