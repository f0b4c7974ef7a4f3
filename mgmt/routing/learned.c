/* SPDX-License-Identifier: Apache-2.0 */
/* See learned.h. */
#include "routing/learned.h"

#include "routing/view_priv.h"

#include <stdlib.h>
#include <string.h>

void learned_add(struct learned *l, const struct bird_route *route)
{
    if (l->n == LEARNED_MAX) {
        l->n_left_out++;
        return;
    }
    l->routes[l->n++] = *route;
}

static int compare(const void *x, const void *y)
{
    const struct bird_route *a = x;
    const struct bird_route *b = y;
    int c = strcmp(a->protocol, b->protocol);
    c = c != 0 ? c : memcmp(a->destination.bytes, b->destination.bytes, 16);
    c = c != 0 ? c : (int)a->length - (int)b->length;
    return c != 0 ? c : memcmp(a->gateway.bytes, b->gateway.bytes, 16);
}

void learned_sort(struct learned *l)
{
    if (l->n > 0) {
        qsort(l->routes, l->n, sizeof(l->routes[0]), compare);
    }
}

unsigned learned_count(const struct learned *l, const char *protocol)
{
    unsigned n = 0;
    for (unsigned i = 0; i < l->n; i++) {
        n += strcmp(l->routes[i].protocol, protocol) == 0;
    }
    return n;
}

static bool is_link_local(const struct ip_addr *a)
{
    return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

/* NULL: it is left out. A gateway that says by itself where it is needs no interface. */
static json_t *json_of(const struct bird_route *r, const struct store *store)
{
    char destination[IP_ADDR_TEXT_MAX], gateway[IP_ADDR_TEXT_MAX];
    const char *interface = is_link_local(&r->gateway) ? view_interface_of(store, r->link) : NULL;
    if (interface == NULL && is_link_local(&r->gateway)) {
        return NULL;
    }
    json_t *cidr =
        json_sprintf("%s/%u", ip_addr_format(&r->destination, destination), (unsigned)r->length);
    json_t *json = json_pack("{s:o,s:s,s:b}", "destination", cidr, "gateway",
                             ip_addr_format(&r->gateway, gateway), "best", r->is_best);
    if (json != NULL && interface != NULL) {
        json_object_set_new(json, "interface", json_string(interface));
    }
    return json;
}

json_t *learned_json(const struct learned *l, const struct store *store, const char *protocol)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < l->n && list != NULL; i++) {
        json_t *route =
            strcmp(l->routes[i].protocol, protocol) == 0 ? json_of(&l->routes[i], store) : NULL;
        if (route != NULL) {
            json_array_append_new(list, route);
        }
    }
    return list;
}
