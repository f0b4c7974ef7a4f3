/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which port, and which hostname on it: a hash, so that ten thousand listeners of a Gateway
 * do not ask one another. A listener stands there twice, with its port and with its hostname; those
 * for which there was no room stand there as waiting. Filled by set.c in the order of precedence,
 * from empty in each run; set_put.c takes out and brings in.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"
#include "base/siphash.h"

#include <string.h>

void place_init(struct attach *a, uint32_t n_listeners)
{
    a->n_place_buckets = 64;
    while (a->n_place_buckets < 2 * n_listeners) {
        a->n_place_buckets *= 2;
    }
    a->places = ARENA_ARRAY(a->arena, struct at_place *, a->n_place_buckets);
}

/* Hostnames are chosen by people who may configure the appliance anyway. */
static struct at_place **bucket_of(const struct attach *a, const struct at_place *key)
{
    const char *hostname = key->hostname != NULL ? key->hostname : "";
    uint64_t addr[2];
    static_assert(sizeof(addr) == sizeof(key->scope.addr), "an address is hashed whole");
    memcpy(addr, &key->scope.addr, sizeof(addr));
    const uint64_t port =
        (uint64_t)key->port << 16 | (uint64_t)(uint8_t)key->family << 8 | (uint64_t)key->is_port;
    const struct siphash_key seed = {(uintptr_t)key->scope.gateway ^ addr[0], addr[1] ^ port};
    return &a->places[siphash(&seed, hostname, strlen(hostname)) % a->n_place_buckets];
}

static bool is_same_hostname(const char *x, const char *y)
{
    return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

static bool is_same(const struct at_place *x, const struct at_place *y)
{
    return x->scope.gateway == y->scope.gateway && x->port == y->port && x->family == y->family &&
           x->is_port == y->is_port && ip_addr_eq(&x->scope.addr, &y->scope.addr) &&
           is_same_hostname(x->hostname, y->hostname);
}

static struct at_place *find(const struct attach *a, const struct at_place *key)
{
    struct at_place *p = *bucket_of(a, key);
    while (p != NULL && !is_same(p, key)) {
        p = p->next;
    }
    return p;
}

static struct at_place *find_or_make(struct attach *a, const struct at_place *key)
{
    struct at_place *p = find(a, key);
    if (p == NULL) {
        struct at_place **bucket = bucket_of(a, key);
        p = ARENA_NEW(a->arena, struct at_place);
        *p = *key;
        p->next = *bucket;
        *bucket = p;
    }
    return p;
}

static struct at_place port_of(const struct at_scope *scope, const struct at_listener *l,
                               char family)
{
    return (struct at_place){.scope = *scope, .port = l->port, .family = family, .is_port = true};
}

static struct at_place host_of(const struct at_scope *scope, const struct at_listener *l)
{
    return (struct at_place){
        .scope = *scope, .port = l->port, .family = l->protocol->family, .hostname = l->hostname};
}

/* The next family that the listener's cannot share a port with, after `*at`; 0: no more. */
static char next_rival_family(const struct at_listener *l, const char **at)
{
    while (**at != '\0') {
        char family = *(*at)++;
        if (family_is_rival(family, l->protocol->family)) {
            return family;
        }
    }
    return '\0';
}

const struct at_listener *place_find(const struct attach *a, const struct at_scope *scope,
                                     const struct at_listener *l, bool *ret_by_protocol)
{
    const char *at = FAMILIES;
    char family;
    while ((family = next_rival_family(l, &at)) != '\0') {
        const struct at_place key = port_of(scope, l, family);
        const struct at_place *p = find(a, &key);
        if (p != NULL && p->n > 0) {
            *ret_by_protocol = true;
            return p->first;
        }
    }
    const struct at_place key = host_of(scope, l);
    const struct at_place *p = find(a, &key);
    *ret_by_protocol = false;
    return p != NULL && p->n > 0 ? p->first : NULL;
}

static void add(struct at_place *p, const struct at_listener *l)
{
    if (p->n++ == 0) {
        p->first = l;
    }
}

bool place_take(struct attach *a, const struct at_scope *scope, const struct at_listener *l)
{
    const struct at_place host = host_of(scope, l);
    const struct at_place key = port_of(scope, l, l->protocol->family);
    struct at_place *port = find_or_make(a, &key);
    add(find_or_make(a, &host), l);
    add(port, l);
    return port->n == 1;
}

/* `first` may be one that went: it tells no more than whether it is the Gateway's own, and those
 * stay. */
bool place_leave(struct attach *a, const struct at_scope *scope, const struct at_listener *l)
{
    const struct at_place host_key = host_of(scope, l);
    const struct at_place port_key = port_of(scope, l, l->protocol->family);
    struct at_place *host = find(a, &host_key), *port = find(a, &port_key);
    ASSERT(host != NULL && host->n > 0 && port != NULL && port->n > 0);
    host->n--;
    port->n--;
    return port->n == 0;
}

void place_wait(struct attach *a, const struct at_scope *scope, const struct at_listener *l,
                bool is_more)
{
    const struct at_place host_key = host_of(scope, l);
    const struct at_place port_key = port_of(scope, l, l->protocol->family);
    struct at_place *host = find_or_make(a, &host_key), *port = find_or_make(a, &port_key);
    ASSERT(is_more || (host->n_late > 0 && port->n_late > 0));
    host->n_late += is_more ? 1 : UINT32_MAX;
    port->n_late += is_more ? 1 : UINT32_MAX;
}

/* Who waits for a port waits for all that have it. */
bool place_is_waited_for(const struct attach *a, const struct at_scope *scope,
                         const struct at_listener *l)
{
    const struct at_place host_key = host_of(scope, l);
    const struct at_place port_key = port_of(scope, l, l->protocol->family);
    const struct at_place *host = find(a, &host_key), *own = find(a, &port_key);
    const char *at = FAMILIES;
    char family;
    ASSERT(host != NULL && own != NULL);
    bool is = host->n == 0 && host->n_late > 0;
    while (own->n == 0 && (family = next_rival_family(l, &at)) != '\0') {
        const struct at_place key = port_of(scope, l, family);
        const struct at_place *port = find(a, &key);
        is |= port != NULL && port->n_late > 0;
    }
    return is;
}
