/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Longest prefix match over a sorted array. In the order (prefix, length) everything that lies
 * inside a prefix follows it directly. So of all prefixes that hold `dst`, the longest is the last
 * entry not after `dst`, or one of its ancestors. Sorting is a heap sort: no memory, no worst case.
 * A trie or DIR-24-8 would change our mind at tens of thousands of routes; a balancer has those of
 * its clusters' nodes: some thousands, found in a dozen steps.
 * Pure.
 */
#include "net/path.h"

#include "base/assert.h"
#include "base/rendezvous.h"

#include <string.h>

static struct ip_addr masked(const struct ip_addr *addr, unsigned len)
{
    ASSERT(len <= 128);
    struct ip_addr r = *addr;
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = len >= 8 * (i + 1) ? 8 : (len > 8 * i ? len - 8 * i : 0);
        r.bytes[i] &= (uint8_t)(0xff00u >> keep);
    }
    return r;
}

/* (prefix, length), then on-link before routed, so that duplicates are dropped behind it. */
static int compare(const struct path_entry *a, const struct path_entry *b)
{
    int c = memcmp(a->prefix.bytes, b->prefix.bytes, 16);
    if (c != 0)
        return c;
    if (a->prefix_len != b->prefix_len)
        return a->prefix_len < b->prefix_len ? -1 : 1;
    if (a->is_on_link != b->is_on_link)
        return a->is_on_link ? -1 : 1;
    return (int)a->parent - (int)b->parent; /* while building: the position in the input */
}

static void swap(struct path_entry *a, struct path_entry *b)
{
    struct path_entry t = *a;
    *a = *b;
    *b = t;
}

static void sift_down(struct path_entry *e, uint32_t at, uint32_t n)
{
    for (uint32_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && compare(&e[child], &e[child + 1]) < 0)
            child++;
        if (compare(&e[at], &e[child]) >= 0)
            return;
        swap(&e[at], &e[child]);
        at = child;
    }
}

static void heap_sort(struct path_entry *e, uint32_t n)
{
    for (uint32_t i = n / 2; i-- > 0;)
        sift_down(e, i, n);
    for (uint32_t end = n; end > 1; end--) {
        swap(&e[0], &e[end - 1]);
        sift_down(e, 0, end - 1);
    }
}

/* IPv4 lies inside ::ffff:0:0/96 for our convenience only: no shorter prefix, which is one of IPv6,
 * leads to it. */
static bool is_other_family(const struct path_entry *e, const struct ip_addr *addr)
{
    return e->prefix_len < 96 && ip_addr_is_v4(addr);
}

static bool is_inside(const struct path_entry *inner, const struct path_entry *outer)
{
    return inner->prefix_len > outer->prefix_len &&
           ip_addr_in_prefix(&inner->prefix, &outer->prefix, outer->prefix_len);
}

/* A route to the same prefix as those in the group that ends at `last`, but another way? */
static bool is_another_way(const struct path_table *t, const struct path_entry *last,
                           const struct path_entry *e)
{
    if (last->is_on_link || e->is_on_link)
        return false;
    for (; last->interface != e->interface || !ip_addr_eq(&last->gateway, &e->gateway); last--) {
        if (!last->is_alternative)
            return true;
        ASSERT(last > t->entries);
    }
    return false;
}

/* The first of the group that the entry at `i` belongs to. */
static uint16_t first_of_group(const struct path_table *t, uint16_t i)
{
    while (i != PATH_NONE && t->entries[i].is_alternative)
        i--;
    return i;
}

/* Keeps of equal prefixes what can be used, and finds each prefix's parent. */
static void link_parents(struct path_table *t, uint32_t n)
{
    bool is_first_gone = false; /* the one that the next one would share with was there already */
    t->n = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct path_entry e = t->entries[i];
        struct path_entry *last = t->n > 0 ? &t->entries[t->n - 1] : NULL;
        bool is_same = last != NULL && last->prefix_len == e.prefix_len &&
                       ip_addr_eq(&last->prefix, &e.prefix);
        e.is_shared &= is_same && !last->is_on_link && !is_first_gone;
        is_first_gone = is_same && !e.is_shared && !is_another_way(t, last, &e);
        if (is_same && !is_another_way(t, last, &e)) {
            if (ip_addr_is_zero(&last->source) && last->interface == e.interface)
                last->source = e.source;
            continue;
        }
        uint16_t parent = (uint16_t)(t->n > 0 ? t->n - 1 : PATH_NONE);
        if (is_same)
            parent = last->parent;
        while (parent != PATH_NONE && !is_inside(&e, &t->entries[parent]))
            parent = t->entries[parent].parent;
        e.is_alternative = is_same;
        e.parent = first_of_group(t, parent);
        ASSERT(e.parent == PATH_NONE || e.parent < t->n);
        t->entries[t->n++] = e;
    }
}

/* The bits of the host in an IPv4 prefix. */
static uint32_t host_mask(const struct path_entry *e)
{
    uint32_t host_bits = 128u - e->prefix_len;
    return host_bits >= 32 ? UINT32_MAX : (1u << host_bits) - 1;
}

/* Has it a broadcast address? A /31 and a /32 have none (RFC 3021). */
static bool has_broadcast(const struct path_entry *e)
{
    return e->is_on_link && ip_addr_is_v4(&e->prefix) && e->prefix_len >= 96 && host_mask(e) > 1;
}

static void note_broadcasts(struct path_table *t)
{
    memset(t->ends_broadcast, 0, sizeof(t->ends_broadcast));
    for (uint32_t i = 0; i < t->n; i++) {
        const struct path_entry *e = &t->entries[i];
        if (has_broadcast(e))
            t->ends_broadcast[e->prefix.bytes[15] | (host_mask(e) & 0xff)] = true;
    }
}

/* The source for what a route sends: an address that the gateway can see, else any of the interface
 * of its family. */
static struct ip_addr source_for(const struct net_config *config, uint32_t n_own,
                                 const struct net_route *r)
{
    struct ip_addr any = {0};
    for (uint32_t i = 0; i < n_own; i++) {
        const struct net_address *a = &config->addresses[i];
        if (a->is_vip || a->interface != r->interface ||
            ip_addr_is_v4(&a->addr) != ip_addr_is_v4(&r->prefix))
            continue;
        if (ip_addr_in_prefix(&r->gateway, &a->addr, a->prefix_len))
            return a->addr;
        if (ip_addr_is_zero(&any))
            any = a->addr;
    }
    return any;
}

void path_build(struct path_table *t, const struct net_config *config)
{
    ASSERT(config->n_addresses <= NET_ADDRESSES_MAX && config->n_routes <= NET_ROUTES_MAX);
    uint32_t n = 0;
    uint32_t n_own = 0; /* beyond these all are VIPs: thousands, in an image */
    for (uint32_t i = 0; i < config->n_addresses; i++) {
        const struct net_address *a = &config->addresses[i];
        if (!a->is_vip)
            n_own = i + 1;
        if (a->prefix_len >= 128)
            continue; /* nobody else lives in it */
        t->entries[n] = (struct path_entry){.prefix = masked(&a->addr, a->prefix_len),
                                            .prefix_len = a->prefix_len,
                                            .interface = a->interface,
                                            .is_on_link = true,
                                            .parent = (uint16_t)n};
        if (!a->is_vip)
            t->entries[n].source = a->addr;
        n++;
    }
    for (uint32_t i = 0; i < config->n_routes; i++) {
        const struct net_route *r = &config->routes[i];
        t->entries[n] = (struct path_entry){.prefix = masked(&r->prefix, r->prefix_len),
                                            .prefix_len = r->prefix_len,
                                            .interface = r->interface,
                                            .gateway = r->gateway,
                                            .is_on_link = ip_addr_is_zero(&r->gateway),
                                            .is_shared = (r->flags & NET_ROUTE_SHARES) != 0,
                                            .source = source_for(config, n_own, r),
                                            .parent = (uint16_t)n};
        n++;
    }
    heap_sort(t->entries, n);
    link_parents(t, n);
    note_broadcasts(t);
}

/* The last entry whose prefix is not after `dst`, as a position + 1; 0: none. */
static uint32_t last_not_after(const struct path_table *t, const struct ip_addr *dst)
{
    uint32_t low = 0;
    uint32_t high = t->n;
    while (low < high) {
        uint32_t mid = (low + high) / 2;
        if (memcmp(t->entries[mid].prefix.bytes, dst->bytes, 16) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct path_entry *path_find(const struct path_table *t, const struct ip_addr *dst)
{
    uint32_t found = last_not_after(t, dst);
    uint16_t last = found > 0 ? (uint16_t)(found - 1) : PATH_NONE;
    for (uint16_t i = first_of_group(t, last); i != PATH_NONE; i = t->entries[i].parent) {
        ASSERT_HOT(i < t->n);
        const struct path_entry *e = &t->entries[i];
        if (ip_addr_in_prefix(dst, &e->prefix, e->prefix_len))
            return is_other_family(e, dst) ? NULL : e;
    }
    return NULL;
}

const struct path_entry *path_find_on_link(const struct path_table *t, uint16_t interface,
                                           const struct ip_addr *addr)
{
    const struct path_entry *e = path_find(t, addr);
    while (e != NULL && !(e->is_on_link && e->interface == interface))
        e = e->parent == PATH_NONE ? NULL : &t->entries[e->parent];
    return e == NULL || is_other_family(e, addr) ? NULL : e;
}

/* Of an address, for a draw. */
static uint64_t number_of(const struct ip_addr *addr)
{
    uint64_t halves[2];
    memcpy(halves, addr->bytes, sizeof(halves));
    return halves[0] ^ halves[1] * 0x9e3779b97f4a7c15ull;
}

const struct path_entry *path_choose(const struct path_table *t, const struct path_entry *e,
                                     const struct ip_addr *dst)
{
    const struct path_entry *end = &t->entries[t->n];
    const struct path_entry *found = NULL;
    uint64_t least = 0;
    ASSERT_HOT(e < end && !e->is_alternative);
    if (e + 1 == end || !e[1].is_alternative)
        return e;
    for (const struct path_entry *way = e; way < end && (way == e || way->is_alternative); way++) {
        if (found != NULL && !way->is_shared)
            break; /* those that follow are for when none of these answers */
        if (way->is_down)
            continue;
        uint64_t draw = rendezvous_draw(number_of(dst), number_of(&way->gateway), 1);
        if (found == NULL || draw < least) {
            found = way;
            least = draw;
        }
    }
    return found != NULL ? found : e;
}

bool path_gateway_set(struct path_table *t, uint16_t interface, const struct ip_addr *addr,
                      bool is_down)
{
    bool is_news = false;
    for (uint32_t i = 0; i < t->n; i++) {
        struct path_entry *e = &t->entries[i];
        if (e->is_on_link || e->interface != interface || !ip_addr_eq(&e->gateway, addr))
            continue;
        is_news |= e->is_down != is_down;
        e->is_down = is_down;
    }
    return is_news;
}

bool path_is_broadcast(const struct path_table *t, const struct ip_addr *addr)
{
    if (!t->ends_broadcast[addr->bytes[15]] || !ip_addr_is_v4(addr))
        return false;
    const struct path_entry *e = path_find(t, addr);
    if (e == NULL || !has_broadcast(e))
        return false;
    uint32_t low = (uint32_t)addr->bytes[12] << 24 | (uint32_t)addr->bytes[13] << 16 |
                   (uint32_t)addr->bytes[14] << 8 | addr->bytes[15];
    return (low & host_mask(e)) == host_mask(e);
}
