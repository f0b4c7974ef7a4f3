/* SPDX-License-Identifier: Apache-2.0 */
/* The builder's network sections, listeners and binds. */
#include "compile/image_builder_priv.h"

#include "base/assert.h"
#include "base/container.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A full network section refuses one more without harm to the rest. */
static bool is_full(const struct image_vec *vec)
{
    return vec->count == vec->count_max;
}

uint32_t image_builder_interface(struct image_builder *b, const char *name, uint16_t port,
                                 uint16_t vlan, uint16_t mtu)
{
    struct image_interface entry = {.port = port, .vlan = vlan, .mtu = mtu};
    if (!image_arg_is(name, IMAGE_TEXT_NAME) || !image_is_interface(&entry) ||
        is_full(SECTION(b, INTERFACES)))
        return IMAGE_NONE;
    const struct image_interface *all = ENTRIES(b, INTERFACES, const struct image_interface);
    for (uint32_t i = 0; i < SECTION(b, INTERFACES)->count; i++) {
        if (all[i].port == port && all[i].vlan == vlan)
            return IMAGE_NONE;
    }
    struct image_interface *e = NULL;
    if (image_builder_string(b, image_arg(name), &entry.name))
        e = image_vec_push(b, SECTION(b, INTERFACES));
    if (e == NULL)
        return IMAGE_NONE;
    *e = entry;
    return SECTION(b, INTERFACES)->count - 1;
}

void image_builder_virtual_router(struct image_builder *b, uint32_t interface, uint8_t id)
{
    struct image_interface *all = ENTRIES(b, INTERFACES, struct image_interface);
    ASSERT(interface < SECTION(b, INTERFACES)->count);
    all[interface].virtual_router = id;
}

int image_builder_drained(struct image_builder *b, uint32_t interface, const struct ip_addr *box)
{
    struct image_interface *all = ENTRIES(b, INTERFACES, struct image_interface);
    ASSERT(interface < SECTION(b, INTERFACES)->count);
    struct image_interface entry = all[interface];
    entry.drained = *box;
    if (!image_is_interface(&entry))
        return -EINVAL;
    all[interface] = entry;
    return 0;
}

/* ---- addresses ---- */

static bool is_address_equal(const struct image_builder *b, uint32_t index, const void *key)
{
    return ip_addr_eq(&ENTRIES(b, ADDRESSES, const struct image_address)[index].addr, key);
}

static struct image_index_key address_key(const struct ip_addr *addr)
{
    return (struct image_index_key){image_bind_hash(0, addr, 0, false), addr, is_address_equal};
}

int image_builder_address(struct image_builder *b, const struct image_address *address)
{
    if (!image_is_address(address) || address->interface >= SECTION(b, INTERFACES)->count)
        return -EINVAL;
    struct image_index_key key = address_key(&address->addr);
    if (image_index_find(b, &b->by_address, &key) != IMAGE_NONE)
        return -EEXIST;
    if (is_full(SECTION(b, ADDRESSES)))
        return -ENOSPC;
    struct image_address *e = image_vec_push(b, SECTION(b, ADDRESSES));
    if (e == NULL)
        return b->error;
    *e = *address;
    uint32_t index = SECTION(b, ADDRESSES)->count - 1;
    return image_index_add(b, &b->by_address, &key, index) ? 0 : b->error;
}

static int compare_addresses(const void *x, const void *y)
{
    const struct image_address *a = x, *b = y;
    return memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
}

/* They have other places now. */
static int index_addresses(struct image_builder *b)
{
    const struct image_address *all = ENTRIES(b, ADDRESSES, const struct image_address);
    free(b->by_address.slots);
    b->by_address = (struct image_index){0};
    for (uint32_t i = 0; i < SECTION(b, ADDRESSES)->count; i++) {
        struct image_index_key key = address_key(&all[i].addr);
        if (!image_index_add(b, &b->by_address, &key, i))
            return b->error;
    }
    return 0;
}

int image_builder_order_addresses(struct image_builder *b)
{
    struct image_address *all = ENTRIES(b, ADDRESSES, struct image_address);
    uint32_t n = SECTION(b, ADDRESSES)->count, n_own = 0, n_vips = 0;
    struct image_address *vips = malloc((n + 1) * sizeof(*vips));
    if (vips == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < n; i++) {
        if (all[i].is_vip)
            vips[n_vips++] = all[i];
        else
            all[n_own++] = all[i];
    }
    ASSERT(n_own + n_vips == n);
    if (n_vips > 0) {
        qsort(vips, n_vips, sizeof(*vips), compare_addresses);
        memcpy(&all[n_own], vips, n_vips * sizeof(*vips));
    }
    free(vips);
    return index_addresses(b);
}

/* ---- ways, listeners, binds ---- */

int image_builder_egress(struct image_builder *b, const struct image_egress *egress)
{
    if (!image_is_egress(egress) || egress->interface >= SECTION(b, INTERFACES)->count)
        return -EINVAL;
    if (is_full(SECTION(b, EGRESS)))
        return -ENOSPC;
    struct image_egress *e = image_vec_push(b, SECTION(b, EGRESS));
    if (e == NULL)
        return b->error;
    *e = *egress;
    return 0;
}

uint32_t image_builder_listener(struct image_builder *b, const char *name, const char *hostname,
                                enum image_protocol protocol, uint16_t port)
{
    if (!image_arg_is(name, IMAGE_TEXT_NAME) || !image_arg_is(hostname, IMAGE_TEXT_HOST) ||
        port == 0)
        return IMAGE_NONE;
    struct image_listener entry = {
        .port = port, .protocol = (uint8_t)protocol, .bundle = IMAGE_NONE, .identity = IMAGE_NONE};
    if (!image_builder_string(b, image_arg(name), &entry.name) ||
        !image_builder_string(b, image_arg(hostname), &entry.hostname))
        return IMAGE_NONE;
    entry.root = image_builder_root(b, IMAGE_NODE_HOSTS);
    struct image_listener *e = image_vec_push(b, SECTION(b, LISTENERS));
    if (e == NULL)
        return IMAGE_NONE;
    *e = entry;
    return SECTION(b, LISTENERS)->count - 1;
}

struct bind_key {
    const struct ip_addr *addr;
    uint16_t port;
    bool is_udp;
    uint32_t set; /* IMAGE_NONE: everybody's */
};

static bool is_bind_equal(const struct image_builder *b, uint32_t index, const void *key)
{
    const struct bind_key *k = key;
    const struct image_bind *bind = &ENTRIES(b, BINDS, const struct image_bind)[index];
    return bind->port == k->port && image_is_udp_bind(bind->kind) == k->is_udp &&
           bind->set == k->set && ip_addr_eq(&bind->addr, k->addr);
}

static struct image_index_key index_key(const struct bind_key *bind)
{
    return (struct image_index_key){image_bind_hash(0, bind->addr, bind->port, bind->is_udp), bind,
                                    is_bind_equal};
}

/* The bind of a place, made if it is not there. */
static uint32_t bind_of(struct image_builder *b, const struct image_place *place,
                        enum image_bind_kind kind)
{
    struct bind_key bind = {&place->addr, place->port, image_is_udp_bind(kind), place->set};
    struct image_index_key key = index_key(&bind);
    uint32_t index = image_index_find(b, &b->by_bind, &key);
    if (index != IMAGE_NONE)
        return index;
    uint32_t root = image_builder_root(b, IMAGE_NODE_LISTENERS);
    struct image_bind *e = image_vec_push(b, SECTION(b, BINDS));
    if (e == NULL)
        return IMAGE_NONE;
    *e = (struct image_bind){.addr = place->addr,
                             .port = place->port,
                             .congestion = IMAGE_CONGESTION_CUBIC,
                             .kind = (uint8_t)kind,
                             .is_service = place->is_service,
                             .root = root,
                             .limit = IMAGE_NONE,
                             .set = place->set};
    index = SECTION(b, BINDS)->count - 1;
    return image_index_add(b, &b->by_bind, &key, index) ? index : IMAGE_NONE;
}

/* What clients speak where the listener is. */
static enum image_bind_kind kind_of(uint8_t protocol)
{
    static const enum image_bind_kind kinds[] = {
        [IMAGE_PROTOCOL_HTTP] = IMAGE_BIND_HTTP, [IMAGE_PROTOCOL_HTTPS] = IMAGE_BIND_HTTPS,
        [IMAGE_PROTOCOL_TLS] = IMAGE_BIND_TLS,   [IMAGE_PROTOCOL_TLS_TERMINATED] = IMAGE_BIND_TLS,
        [IMAGE_PROTOCOL_TCP] = IMAGE_BIND_TCP,   [IMAGE_PROTOCOL_UDP] = IMAGE_BIND_UDP,
        [IMAGE_PROTOCOL_DNS] = IMAGE_BIND_DNS,
    };
    ASSERT(protocol < array_len(kinds));
    return kinds[protocol];
}

/* A listener of this kind comes to the bind; `ends_tls`: it terminates it. False: not here. */
static bool join(struct image_bind *bind, enum image_bind_kind kind, bool ends_tls)
{
    bool is_tls = image_is_tls_bind(bind->kind) && image_is_tls_bind((uint8_t)kind);
    if (!is_tls && bind->kind != kind)
        return false;
    if (is_tls && kind == IMAGE_BIND_TLS)
        bind->kind = IMAGE_BIND_TLS;
    if (ends_tls)
        bind->ends_tls = 1;
    return true;
}

/* Everybody's bind at the place, which there is before those of some clients are. */
static bool has_all(const struct image_builder *b, const struct image_place *place,
                    enum image_bind_kind kind)
{
    struct bind_key bind = {&place->addr, place->port, image_is_udp_bind(kind), IMAGE_NONE};
    struct image_index_key key = index_key(&bind);
    return image_index_find(b, &b->by_bind, &key) != IMAGE_NONE;
}

uint32_t image_builder_all_of(const struct image_builder *b, uint32_t bind)
{
    const struct image_bind *e = &ENTRIES(b, BINDS, const struct image_bind)[bind];
    struct bind_key all = {&e->addr, e->port, image_is_udp_bind(e->kind), IMAGE_NONE};
    struct image_index_key key = index_key(&all);
    uint32_t found = image_index_find(b, &b->by_bind, &key);
    ASSERT(found != IMAGE_NONE); /* see has_all() */
    return found;
}

/* The listener comes to the bind of this kind. */
static int bind_as(struct image_builder *b, const struct image_place *place, uint32_t listener,
                   enum image_bind_kind kind)
{
    const struct image_listener *l = &ENTRIES(b, LISTENERS, const struct image_listener)[listener];
    struct image_string hostname = l->hostname;
    bool ends_tls = kind == IMAGE_BIND_HTTPS || l->protocol == IMAGE_PROTOCOL_TLS_TERMINATED;
    if (place->set != IMAGE_NONE && !has_all(b, place, kind))
        return -ENOENT;
    uint32_t bind = bind_of(b, place, kind);
    if (bind == IMAGE_NONE)
        return b->error;
    ASSERT(bind < SECTION(b, BINDS)->count);
    if (!join(&ENTRIES(b, BINDS, struct image_bind)[bind], kind, ends_tls))
        return -EPROTO;
    uint32_t root = ENTRIES(b, BINDS, const struct image_bind)[bind].root;
    uint32_t *value = image_builder_host_value(b, root, hostname);
    if (value == NULL)
        return b->error;
    if (*value != IMAGE_NONE)
        return -EEXIST;
    *value = listener;
    return 0;
}

int image_builder_bind(struct image_builder *b, const struct ip_addr *addr, uint16_t port,
                       uint32_t listener)
{
    const struct image_place place = {.addr = *addr, .port = port, .set = IMAGE_NONE};
    return image_builder_bind_at(b, &place, listener);
}

int image_builder_bind_at(struct image_builder *b, const struct image_place *place,
                          uint32_t listener)
{
    if (place->port == 0 || ip_addr_is_zero(&place->addr) ||
        listener >= SECTION(b, LISTENERS)->count ||
        (place->set != IMAGE_NONE && place->set >= SECTION(b, CLIENT_SETS)->count))
        return -EINVAL;
    const struct image_listener *l = &ENTRIES(b, LISTENERS, const struct image_listener)[listener];
    enum image_bind_kind kind = kind_of(l->protocol);
    int error = bind_as(b, place, listener, kind);
    return error != 0 || kind != IMAGE_BIND_DNS ? error
                                                : bind_as(b, place, listener, IMAGE_BIND_DNS_UDP);
}

struct image_bind *image_builder_find_bind(struct image_builder *b, const struct ip_addr *addr,
                                           uint16_t port, bool is_udp)
{
    struct bind_key bind = {addr, port, is_udp, IMAGE_NONE};
    struct image_index_key key = index_key(&bind);
    uint32_t index = image_index_find(b, &b->by_bind, &key);
    return index != IMAGE_NONE ? &ENTRIES(b, BINDS, struct image_bind)[index] : NULL;
}

int image_builder_bind_congestion(struct image_builder *b, const struct ip_addr *addr,
                                  uint16_t port, enum image_congestion congestion)
{
    struct image_bind *bind = image_builder_find_bind(b, addr, port, false);
    if (!image_is_congestion((uint8_t)congestion))
        return -EINVAL;
    if (bind == NULL)
        return -ENOENT;
    bind->congestion = (uint8_t)congestion;
    return 0;
}

int image_builder_bind_proxied(struct image_builder *b, const struct ip_addr *addr, uint16_t port,
                               const struct image_prefix *trusted, uint32_t n)
{
    struct image_bind *bind = image_builder_find_bind(b, addr, port, false);
    if (bind == NULL)
        return -ENOENT;
    bool is_possible = n <= IMAGE_TRUSTED_PER_BIND_MAX;
    for (uint32_t i = 0; is_possible && i < n; i++)
        is_possible = image_is_prefix(&trusted[i]);
    if (!is_possible)
        return -EINVAL;
    if (bind->is_proxied)
        return 0;
    bind->is_proxied = 1;
    bind->first_trusted = SECTION(b, TRUSTED)->count;
    bind->n_trusted = n;
    for (uint32_t i = 0; i < n; i++) {
        struct image_prefix *e = image_vec_push(b, SECTION(b, TRUSTED));
        if (e == NULL)
            return b->error;
        *e = trusted[i];
    }
    return 0;
}
