/* SPDX-License-Identifier: Apache-2.0 */
/* See routing_view.h. The objects are valid: the model checked them. */
#include "routing/view_priv.h"

#include "model/text.h"
#include "store/resource.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

uint32_t view_number(const json_t *object, const char *key)
{
    return (uint32_t)json_integer_value(json_object_get(object, key));
}

void view_foreach(const struct store *store, enum model_type_id type, store_visit_fn visit,
                  void *arg)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    store_foreach(store, resource_name(model_type(type), resource), NULL, visit, arg);
}

/* ---- interfaces ---- */

static void link_name(const json_t *spec, char ret[ROUTING_LINK_BYTES])
{
    uint32_t vlan = view_number(spec, "vlan");
    if (vlan == 0) {
        snprintf(ret, ROUTING_LINK_BYTES, "%.15s", text_at(spec, "port"));
    } else {
        snprintf(ret, ROUTING_LINK_BYTES, "%.10s.%u", text_at(spec, "port"), vlan % 4096u);
    }
}

/* One that lies on the neighbour's link, by the longest prefix, else the first of its family. */
static bool on_interface(void *arg, json_t *object)
{
    struct view_local *s = arg;
    const json_t *spec = json_object_get(object, "spec");
    const char *name = text_at(json_object_get(object, "metadata"), "name");
    size_t i;
    const json_t *item;
    bool is_named = s->interface[0] != '\0';
    if (is_named && strcmp(name, s->interface) != 0) {
        return true;
    }
    if (is_named) {
        link_name(spec, s->link);
    }
    json_array_foreach(json_object_get(spec, "addresses"), i, item)
    {
        struct ip_addr addr;
        unsigned length;
        if (!text_parse_cidr(json_string_value(item), &addr, &length) ||
            ip_addr_is_v4(&addr) != ip_addr_is_v4(s->neighbour)) {
            continue;
        }
        unsigned mapped = length + (ip_addr_is_v4(&addr) ? 96u : 0u);
        bool is_near = ip_addr_in_prefix(s->neighbour, &addr, mapped);
        if ((is_near && mapped > s->length) || ip_addr_is_zero(&s->found)) {
            s->found = addr;
            s->length = is_near ? mapped : 0;
        }
    }
    return true;
}

void view_find_local(const struct store *store, struct view_local *search)
{
    view_foreach(store, MODEL_INTERFACE, on_interface, search);
}

struct link_search {
    const char *link;
    const char *found;
};

static bool on_link(void *arg, json_t *object)
{
    struct link_search *s = arg;
    char link[ROUTING_LINK_BYTES];
    link_name(json_object_get(object, "spec"), link);
    if (strcmp(link, s->link) == 0) {
        s->found = text_at(json_object_get(object, "metadata"), "name");
    }
    return s->found == NULL;
}

const char *view_interface_of(const struct store *store, const char *link)
{
    struct link_search search = {.link = link};
    view_foreach(store, MODEL_INTERFACE, on_link, &search);
    return search.found;
}

/* BIRD's id, which ends its sessions when it changes. */
struct router_id {
    const char *file;
    struct ip_addr found;
    bool is_kept; /* it is the one that the file has */
};

static bool is_id_of_file(const struct router_id *id, const struct ip_addr *addr)
{
    char line[IP_ADDR_TEXT_MAX + 20];
    char text[IP_ADDR_TEXT_MAX];
    snprintf(line, sizeof(line), BIRD_ROUTER_ID_FORMAT, ip_addr_format(addr, text));
    return id->file != NULL && strstr(id->file, line) != NULL;
}

/* The IPv4 address that it is already, else the first of the interfaces by name; without one, what
 * stands in the end of the first IPv6 address. */
static bool on_router_id(void *arg, json_t *object)
{
    struct router_id *id = arg;
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(json_object_get(object, "spec"), "addresses"), i, item)
    {
        struct ip_addr addr;
        unsigned length;
        if (!text_parse_cidr(json_string_value(item), &addr, &length)) {
            continue;
        }
        struct ip_addr own = ip_addr_is_v4(&addr) ? addr : ip_addr_from_v4(&addr.bytes[12]);
        id->is_kept = is_id_of_file(id, &own);
        if (id->is_kept || ip_addr_is_zero(&id->found)) {
            id->found = own;
        }
        if (id->is_kept) {
            return false;
        }
    }
    return true;
}

static struct ip_addr router_id_of(const struct store *store, const char *file)
{
    struct router_id id = {.file = file};
    view_foreach(store, MODEL_INTERFACE, on_router_id, &id);
    /* No interface yet: BIRD wants one all the same. */
    return ip_addr_is_zero(&id.found) ? ip_addr_from_v4("\300\0\2\1") : id.found;
}

/* ---- VIPs ---- */

static const json_t *condition_of(const json_t *status, const char *type)
{
    size_t i;
    const json_t *c;
    json_array_foreach(json_object_get(status, "conditions"), i, c)
    {
        if (strcmp(text_at(c, "type"), type) == 0) {
            return c;
        }
    }
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ip_addr));
}

/* Is the VIP in the configuration that BIRD has? It is read once for all that are in doubt. */
static bool is_in_file(const struct walk *w, const struct ip_addr *vip)
{
    struct routing_view *v = w->v;
    if (!v->has_read_file && w->file != NULL) {
        v->n_in_file = bird_config_read_vips(w->file, v->in_file, ROUTING_VIPS_MAX);
        qsort(v->in_file, v->n_in_file, sizeof(v->in_file[0]), compare);
    }
    v->has_read_file = true;
    return bsearch(vip, v->in_file, v->n_in_file, sizeof(v->in_file[0]), compare) != NULL;
}

static bool on_gateway(void *arg, json_t *object)
{
    const struct walk *w = arg;
    struct routing_view *v = w->v;
    const json_t *status = json_object_get(object, "status");
    const char *programmed = text_at(condition_of(status, "Programmed"), "status");
    size_t i;
    const json_t *address;
    json_array_foreach(json_object_get(status, "addresses"), i, address)
    {
        struct ip_addr vip;
        if (v->bird.n_vips == ROUTING_VIPS_MAX || !ip_addr_parse(text_at(address, "value"), &vip)) {
            continue;
        }
        bool is_known = strcmp(programmed, "Unknown") == 0 && is_in_file(w, &vip);
        if (strcmp(programmed, "True") == 0 || is_known) {
            v->vips[v->bird.n_vips++] = vip;
        }
    }
    return true;
}

/* Sorted, each once: Gateways may share an address. */
static void sort_vips(struct routing_view *v)
{
    uint32_t n = 0;
    qsort(v->vips, v->bird.n_vips, sizeof(v->vips[0]), compare);
    for (uint32_t i = 0; i < v->bird.n_vips; i++) {
        if (n == 0 || !ip_addr_eq(&v->vips[n - 1], &v->vips[i])) {
            v->vips[n++] = v->vips[i];
        }
    }
    v->bird.n_vips = n;
}

/* ---- drains ---- */

struct own_address {
    struct ip_addr addr;
    bool is_own; /* an Interface has it */
};

static bool on_address(void *arg, json_t *object)
{
    struct own_address *search = arg;
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(json_object_get(object, "spec"), "addresses"), i, item)
    {
        struct ip_addr addr;
        unsigned length;
        search->is_own |= text_parse_cidr(json_string_value(item), &addr, &length) &&
                          ip_addr_eq(&addr, &search->addr);
    }
    return true;
}

/* Was it made within the last ROUTING_DRAIN_WAIT_S? Times are text that sorts as they do. */
static bool is_young(const json_t *drain)
{
    const char *created = text_at(json_object_get(drain, "metadata"), "creationTimestamp");
    time_t now = time(NULL);
    char then_text[TEXT_TIME_BYTES], now_text[TEXT_TIME_BYTES];
    text_of_time(now - ROUTING_DRAIN_WAIT_S, then_text);
    text_of_time(now, now_text);
    return strcmp(created, then_text) > 0 && strcmp(created, now_text) <= 0;
}

/* Is it of this box: does it name none, or an address of an Interface? One that names it is for
 * others to know, too. */
static bool is_ours(struct routing_view *v, const struct store *store, const json_t *drain)
{
    struct own_address search = {0};
    const char *box = text_at(json_object_get(drain, "spec"), "appliance");
    if (!ip_addr_parse(box, &search.addr)) {
        return true;
    }
    view_foreach(store, MODEL_INTERFACE, on_address, &search);
    if (search.is_own && is_young(drain)) {
        v->has_young_drain = true;
        return false;
    }
    return search.is_own;
}

/* Of several Drains of this box the strictest holds. */
static bool on_drain(void *arg, json_t *object)
{
    const struct walk *w = arg;
    struct routing_view *v = w->v;
    if (!is_ours(v, w->store, object)) {
        return true;
    }
    bool is_soft = strcmp(text_at(json_object_get(object, "spec"), "method"), "Deprioritize") == 0;
    enum bird_drain wanted = is_soft ? BIRD_DRAIN_DEPRIORITIZE : BIRD_DRAIN_WITHDRAW;
    if (wanted > v->bird.drain) {
        v->bird.drain = wanted;
    }
    return true;
}

void routing_view_read(struct routing_view *v, const struct store *store, const char *file)
{
    struct walk w = {.v = v, .store = store, .file = file};
    v->n_all = 0;
    v->n_all_routers = 0;
    v->n_routers = 0;
    v->has_read_file = false;
    v->n_in_file = 0;
    v->has_young_drain = false;
    v->bird = (struct bird_view){.vips = v->vips, .peers = v->peers};
    v->bird.router_id = router_id_of(store, file);
    view_foreach(store, MODEL_BGP_PEER, view_add_peer, &w);
    view_foreach(store, MODEL_VIRTUAL_ROUTER, view_add_router, &w);
    view_foreach(store, MODEL_GATEWAY, on_gateway, &w);
    view_foreach(store, MODEL_DRAIN, on_drain, &w);
    sort_vips(v);
}
