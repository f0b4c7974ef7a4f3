/* SPDX-License-Identifier: Apache-2.0 */
/* See mirror.h: what is to be, and the difference to what there was. Thread: housekeeping. */
#include "mirror/mirror_priv.h"

#include "abi/image.h"
#include "base/assert.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIRROR_PORTS_MAX 16u

/* Routes with it come behind what a daemon puts in by itself (BIRD: 32). */
#define METRIC_FIRST 100u

struct mirror_list {
    unsigned n;
    struct mirror_item items[MIRROR_ITEMS_MAX];
};

struct mirror {
    struct mnl_socket *socket;
    char taps[MIRROR_PORTS_MAX][IFNAMSIZ];
    bool has_faults; /* the kernel refused something of `now` */
    struct mirror_list now;
    struct mirror_list next;
};

struct mirror *mirror_new(const char *const *taps, unsigned n_ports)
{
    ASSERT(n_ports <= MIRROR_PORTS_MAX);
    struct mirror *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return NULL;
    for (unsigned i = 0; i < n_ports; i++)
        snprintf(m->taps[i], sizeof(m->taps[i]), "%s", taps[i]);
    m->socket = mnl_socket_open(NETLINK_ROUTE);
    if (m->socket == NULL || mnl_socket_bind(m->socket, 0, MNL_SOCKET_AUTOPID) != 0) {
        int fault = errno;
        mirror_free(m);
        errno = fault;
        return NULL;
    }
    return m;
}

void mirror_free(struct mirror *m)
{
    if (m == NULL)
        return;
    if (m->socket != NULL)
        mnl_socket_close(m->socket);
    free(m);
}

/* A new item of the interface; NULL: the list is full, or its port has no TAP. */
static struct mirror_item *add(struct mirror *m, const struct image_view *v, uint32_t interface,
                               enum mirror_kind kind, unsigned *left_out)
{
    const struct image_interface *i = &v->interfaces[interface];
    const char *tap = m->taps[i->port];
    char link[IFNAMSIZ];
    if (tap[0] == '\0')
        return NULL;
    if (m->next.n == MIRROR_ITEMS_MAX) {
        *left_out += 1;
        return NULL;
    }
    struct mirror_item *item = &m->next.items[m->next.n++];
    memset(item, 0, sizeof(*item));
    item->kind = (uint8_t)kind;
    item->vlan = i->vlan;
    item->mtu = i->mtu;
    memcpy(item->tap, tap, sizeof(item->tap));
    if (i->vlan == 0)
        memcpy(item->link, tap, sizeof(item->link));
    else if (snprintf(link, sizeof(link), "%.10s.%u", tap, i->vlan % 4096u) > 0)
        memcpy(item->link, link, strlen(link));
    return item;
}

/* Fills m->next. Returns how many did not fit. */
static unsigned read_image(struct mirror *m, const struct image_view *v)
{
    unsigned left_out = 0;
    m->next.n = 0;
    for (uint32_t i = 0; i < v->n_interfaces; i++)
        add(m, v, i, MIRROR_LINK, &left_out);
    for (uint32_t i = 0; i < v->n_addresses; i++) {
        const struct image_address *a = &v->addresses[i];
        struct mirror_item *item =
            a->is_vip ? NULL : add(m, v, a->interface, MIRROR_ADDRESS, &left_out);
        if (item == NULL)
            continue;
        item->addr = a->addr;
        item->prefix_len = a->prefix_len;
    }
    for (uint32_t i = 0; i < v->n_egress; i++) {
        const struct image_egress *e = &v->egress[i];
        struct mirror_item *item = (e->flags & IMAGE_EGRESS_PODS) != 0
                                       ? NULL
                                       : add(m, v, e->interface, MIRROR_ROUTE, &left_out);
        if (item == NULL)
            continue;
        item->addr = e->prefix;
        item->prefix_len = e->prefix_len;
        item->gateway = e->gateway;
        item->metric = METRIC_FIRST + i;
    }
    return left_out;
}

static bool has(const struct mirror_list *list, const struct mirror_item *item)
{
    for (unsigned i = 0; i < list->n; i++) {
        if (memcmp(&list->items[i], item, sizeof(*item)) == 0)
            return true;
    }
    return false;
}

static void tell(void (*report)(const char *format, ...), const char *what,
                 const struct mirror_item *item, int error)
{
    static const char *const kinds[] = {
        [MIRROR_LINK] = "link", [MIRROR_ADDRESS] = "address", [MIRROR_ROUTE] = "route"};
    char text[IP_ADDR_TEXT_MAX];
    report("exception path: %s %s %s on %s: %s", what, kinds[item->kind],
           item->kind == MIRROR_LINK ? "" : ip_addr_format(&item->addr, text), item->link,
           strerror(-error));
}

unsigned mirror_apply(struct mirror *m, const struct image_view *v,
                      void (*report)(const char *format, ...))
{
    unsigned faults = read_image(m, v);
    bool is_same = m->next.n == m->now.n &&
                   memcmp(m->next.items, m->now.items, m->next.n * sizeof(m->next.items[0])) == 0;
    if (is_same && !m->has_faults)
        return 0;
    if (faults > 0)
        report("exception path: %u links, addresses and routes beyond %u are left out", faults,
               MIRROR_ITEMS_MAX);
    for (unsigned i = m->now.n; i-- > 0;) {
        const struct mirror_item *item = &m->now.items[i];
        int error = has(&m->next, item) ? 0 : mirror_kernel_remove(m->socket, item);
        if (error != 0)
            tell(report, "removing", item, error);
    }
    /* All, because a first address may have taken others of its network with it. */
    for (unsigned i = 0; i < m->next.n; i++) {
        int error = mirror_kernel_put(m->socket, &m->next.items[i]);
        if (error == 0)
            continue;
        tell(report, "adding", &m->next.items[i], error);
        faults++;
    }
    m->has_faults = faults > 0;
    m->now = m->next;
    return faults;
}
