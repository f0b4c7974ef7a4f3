/* SPDX-License-Identifier: Apache-2.0 */
/* See routing_view.h. The objects are valid: the model checked them. */
#include "routing/routing_view.h"

#include "model/text.h"
#include "model/types.h"
#include "store/resource.h"
#include "store/store.h"

#include <stdlib.h>
#include <string.h>

/* Where a walk over objects is. */
struct walk {
    struct routing_view *v;
    const struct store *store;
    const char *file;
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static uint32_t number_of(const json_t *object, const char *key)
{
    return (uint32_t)json_integer_value(json_object_get(object, key));
}

static void foreach(const struct store *store, enum model_type_id type, store_visit_fn visit,
                    void *arg)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    store_foreach(store, resource_name(model_type(type), resource), NULL, visit, arg);
}

/* ---- interfaces ---- */

/* An interface's own address for a neighbour. */
struct local_search {
    const struct ip_addr *neighbour;
    const char *interface; /* only on this one; empty: on any */
    struct ip_addr found;
    unsigned length; /* of the longest prefix that holds the neighbour; 0: none does */
    char link[ROUTING_LINK_BYTES];
};

static void link_name(const json_t *spec, char ret[ROUTING_LINK_BYTES])
{
    uint32_t vlan = number_of(spec, "vlan");
    if (vlan == 0) {
        snprintf(ret, ROUTING_LINK_BYTES, "%.15s", text_of(spec, "port"));
    } else {
        snprintf(ret, ROUTING_LINK_BYTES, "%.10s.%u", text_of(spec, "port"), vlan % 4096u);
    }
}

/* One that lies on the neighbour's link, by the longest prefix, else the first of its family. */
static bool on_interface(void *arg, json_t *object)
{
    struct local_search *s = arg;
    const json_t *spec = json_object_get(object, "spec");
    const char *name = text_of(json_object_get(object, "metadata"), "name");
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

static bool is_link_local(const struct ip_addr *a)
{
    return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

/* The router's id is the first IPv4 address of the interfaces by name; without one, what stands in
 * the end of the first IPv6 address. */
static bool on_router_id(void *arg, json_t *object)
{
    struct ip_addr *id = arg;
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(json_object_get(object, "spec"), "addresses"), i, item)
    {
        struct ip_addr addr;
        unsigned length;
        if (!text_parse_cidr(json_string_value(item), &addr, &length)) {
            continue;
        }
        if (ip_addr_is_v4(&addr)) {
            *id = addr;
            return false;
        }
        if (ip_addr_is_zero(id)) {
            *id = ip_addr_from_v4(&addr.bytes[12]);
        }
    }
    return true;
}

/* ---- peers ---- */

static bool refuse(struct routing_peer *p, const char *reason, const char *message)
{
    p->reason = reason;
    p->message = message;
    return false;
}

/* What TCP's MD5 signature takes and BIRD's quotes hold: no quotes, nothing that cannot be seen. */
static bool is_password(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '"') {
            return false;
        }
    }
    return n > 0 && n <= ROUTING_PASSWORD_BYTES_MAX;
}

static bool read_password(const struct store *store, const json_t *ref, struct routing_peer *p)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    const json_t *secret = store_get(store, resource_name(model_type(MODEL_SECRET), resource),
                                     text_of(ref, "namespace"), text_of(ref, "name"));
    const json_t *data = json_object_get(secret, "data");
    const char *base64 = json_string_value(json_object_get(data, text_of(ref, "key")));
    char *password = base64 != NULL ? text_base64_decode(base64) : NULL;
    bool is_good = password != NULL && is_password(password);
    if (is_good) {
        strcpy(p->password, password);
    }
    if (password != NULL) {
        explicit_bzero(password, strlen(password));
    }
    free(password);
    if (base64 == NULL) {
        return refuse(p, "RefNotFound",
                      "the Secret, or its key, of passwordSecretRef is not there");
    }
    return is_good || refuse(p, "InvalidPassword",
                             "a password has 1 to 80 visible ASCII characters without quotes");
}

static void read_communities(const json_t *list, struct bird_peer *b)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        unsigned high;
        unsigned low;
        if (sscanf(json_string_value(item), "%5u:%5u", &high, &low) == 2) {
            b->communities[b->n_communities][0] = (uint16_t)high;
            b->communities[b->n_communities++][1] = (uint16_t)low;
        }
    }
}

static bool has_large_community(const json_t *list)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        unsigned high = 0;
        unsigned low = 0;
        if (sscanf(json_string_value(item), "%5u:%5u", &high, &low) == 2 &&
            (high > UINT16_MAX || low > UINT16_MAX)) {
            return true;
        }
    }
    return false;
}

/* The numbers of the spec. */
static void read_numbers(const json_t *spec, struct bird_peer *b)
{
    const json_t *bfd = json_object_get(spec, "bfd");
    b->peer_asn = number_of(spec, "peerASN");
    b->local_asn = number_of(spec, "localASN");
    b->hold_s = number_of(spec, "holdTimeSeconds");
    b->retry_s = number_of(spec, "connectRetrySeconds");
    b->multihop = number_of(spec, "multihop");
    b->prepend = number_of(spec, "prepend");
    b->has_local_preference = json_object_get(spec, "localPreference") != NULL;
    b->local_preference = number_of(spec, "localPreference");
    b->has_med = json_object_get(spec, "multiExitDiscriminator") != NULL;
    b->med = number_of(spec, "multiExitDiscriminator");
    b->bfd_ms = number_of(bfd, "intervalMilliseconds");
    b->bfd_multiplier = number_of(bfd, "multiplier");
    read_communities(json_object_get(spec, "communities"), b);
}

/* The address that speaks to the peer. */
static bool read_local(const struct walk *w, const json_t *spec, struct routing_peer *p,
                       struct bird_peer *b)
{
    struct local_search s = {.neighbour = &b->address, .interface = text_of(spec, "interface")};
    foreach(w->store, MODEL_INTERFACE, on_interface, &s);
    if (is_link_local(&b->address)) {
        if (s.link[0] == '\0') {
            return refuse(p, "NoInterface", "a link-local address needs the Interface it is on");
        }
        memcpy(p->link, s.link, sizeof(p->link));
        b->link = p->link;
    }
    if (ip_addr_is_zero(&s.found)) {
        return refuse(p, "NoAddress", "no Interface has an address of the peer's family");
    }
    if (b->multihop == 0 && s.length == 0 && !is_link_local(&b->address)) {
        return refuse(p, "NotOnLink", "the peer is in no Interface's prefix; it needs multihop");
    }
    b->local = s.found;
    return true;
}

static bool read_peer(const struct walk *w, const json_t *object, struct routing_peer *p,
                      struct bird_peer *b)
{
    const json_t *spec = json_object_get(object, "spec");
    const json_t *secret = json_object_get(spec, "passwordSecretRef");
    if (!ip_addr_parse(text_of(spec, "address"), &b->address)) {
        return refuse(p, "InvalidAddress", "address is none");
    }
    if (strlen(p->name) > BIRD_PEER_NAME_MAX) {
        return refuse(p, "NameTooLong", "BIRD takes names of 58 characters");
    }
    if (has_large_community(json_object_get(spec, "communities"))) {
        return refuse(p, "InvalidCommunity", "each part of a community is at most 65535");
    }
    read_numbers(spec, b);
    if (!read_local(w, spec, p, b) || (secret != NULL && !read_password(w->store, secret, p))) {
        return false;
    }
    b->name = p->name;
    b->password = secret != NULL ? p->password : NULL;
    return true;
}

static bool on_peer(void *arg, json_t *object)
{
    const struct walk *w = arg;
    struct routing_view *v = w->v;
    const json_t *metadata = json_object_get(object, "metadata");
    if (v->n_all == ROUTING_PEERS_MAX) {
        return false;
    }
    struct routing_peer *p = &v->all[v->n_all++];
    struct bird_peer b = {0};
    *p = (struct routing_peer){.name = text_of(metadata, "name"),
                               .generation =
                                   json_integer_value(json_object_get(metadata, "generation"))};
    if (read_peer(w, object, p, &b)) {
        v->peers[v->bird.n_peers++] = b;
    }
    return true;
}

/* ---- virtual routers ---- */

/* The first by name of an interface and of a number; mgmt/attach/network.c has the same rule. */
static const char *judge_router(const struct routing_view *v, const struct routing_router *r)
{
    for (uint32_t i = 0; i + 1 < v->n_all_routers; i++) {
        const struct routing_router *other = &v->all_routers[i];
        bool is_in_effect = other->reason == NULL;
        if (is_in_effect && strcmp(other->interface, r->interface) == 0) {
            return "another VirtualRouter has the Interface";
        }
        if (is_in_effect && other->id == r->id) {
            return "another VirtualRouter has the routerID";
        }
    }
    return NULL;
}

/* Of each family the first. */
static void read_router_addresses(const json_t *list, struct keepalived_router *k)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        struct ip_addr addr;
        if (k->n_addresses == 2 || !ip_addr_parse(json_string_value(item), &addr)) {
            continue;
        }
        bool is_second = k->n_addresses == 1;
        if (!is_second || ip_addr_is_v4(&k->addresses[0]) != ip_addr_is_v4(&addr)) {
            k->addresses[k->n_addresses++] = addr;
        }
    }
}

static void read_router(const struct walk *w, const json_t *spec, struct routing_router *r,
                        struct keepalived_router *k)
{
    static const struct ip_addr none;
    struct local_search s = {.neighbour = &none, .interface = r->interface};
    foreach(w->store, MODEL_INTERFACE, on_interface, &s);
    memcpy(r->link, s.link, sizeof(r->link));
    *k = (struct keepalived_router){
        .link = r->link,
        .id = r->id,
        .priority = number_of(spec, "priority"),
        .advert_ms = number_of(spec, "advertisementIntervalMilliseconds"),
        .is_preempting = json_is_true(json_object_get(spec, "preempt"))};
    r->message = judge_router(w->v, r);
    r->reason = r->message != NULL ? "Conflict" : NULL;
    if (s.link[0] == '\0') {
        r->reason = "NoInterface";
        r->message = "there is no such Interface";
    }
    read_router_addresses(json_object_get(spec, "addresses"), k);
}

static bool on_router(void *arg, json_t *object)
{
    const struct walk *w = arg;
    struct routing_view *v = w->v;
    const json_t *metadata = json_object_get(object, "metadata");
    const json_t *spec = json_object_get(object, "spec");
    if (v->n_all_routers == ROUTING_ROUTERS_MAX) {
        return false;
    }
    struct routing_router *r = &v->all_routers[v->n_all_routers++];
    *r = (struct routing_router){.name = text_of(metadata, "name"),
                                 .interface = text_of(spec, "interface"),
                                 .id = number_of(spec, "routerID"),
                                 .generation =
                                     json_integer_value(json_object_get(metadata, "generation"))};
    struct keepalived_router k;
    read_router(w, spec, r, &k);
    if (r->reason == NULL) {
        v->routers[v->n_routers++] = k;
    }
    return true;
}

/* ---- VIPs ---- */

static const json_t *condition_of(const json_t *status, const char *type)
{
    size_t i;
    const json_t *c;
    json_array_foreach(json_object_get(status, "conditions"), i, c)
    {
        if (strcmp(text_of(c, "type"), type) == 0) {
            return c;
        }
    }
    return NULL;
}

/* Is the VIP in the configuration that BIRD has? */
static bool is_in_file(const char *file, const struct ip_addr *vip)
{
    char line[IP_ADDR_TEXT_MAX + 40];
    bird_config_vip_line(vip, line, sizeof(line));
    return file != NULL && strstr(file, line) != NULL;
}

static bool on_gateway(void *arg, json_t *object)
{
    const struct walk *w = arg;
    struct routing_view *v = w->v;
    const json_t *status = json_object_get(object, "status");
    const char *programmed = text_of(condition_of(status, "Programmed"), "status");
    size_t i;
    const json_t *address;
    json_array_foreach(json_object_get(status, "addresses"), i, address)
    {
        struct ip_addr vip;
        if (v->bird.n_vips == ROUTING_VIPS_MAX || !ip_addr_parse(text_of(address, "value"), &vip)) {
            continue;
        }
        bool is_known = strcmp(programmed, "Unknown") == 0 && is_in_file(w->file, &vip);
        if (strcmp(programmed, "True") == 0 || is_known) {
            v->vips[v->bird.n_vips++] = vip;
        }
    }
    return true;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ip_addr));
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

/* Of several Drains the strictest holds. */
static bool on_drain(void *arg, json_t *object)
{
    struct routing_view *v = arg;
    bool is_soft = strcmp(text_of(json_object_get(object, "spec"), "method"), "Deprioritize") == 0;
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
    v->bird = (struct bird_view){.vips = v->vips, .peers = v->peers};
    foreach(store, MODEL_INTERFACE, on_router_id, &v->bird.router_id);
    if (ip_addr_is_zero(&v->bird.router_id)) {
        v->bird.router_id = ip_addr_from_v4("\300\0\2\1"); /* no interface yet: BIRD wants one */
    }
    foreach(store, MODEL_BGP_PEER, on_peer, &w);
    foreach(store, MODEL_VIRTUAL_ROUTER, on_router, &w);
    foreach(store, MODEL_GATEWAY, on_gateway, &w);
    foreach(store, MODEL_DRAIN, on_drain, v);
    sort_vips(v);
}
