/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints with connections: the table by address and port, and the walk that closes idle
 * connections to endpoints that are listed no more. The walk looks at a few buckets a poll, so that
 * a thousand changes a second cost no poll its time.
 */
#include "base/assert.h"
#include "upstream/upstream_priv.h"

enum { WALK_BUCKETS_PER_POLL = 64 };

static struct list_node *bucket_of(const struct upstream *u, const struct upstream_conn_id *id)
{
    uint8_t key[18];
    memcpy(key, id->addr.bytes, 16);
    memcpy(key + 16, &id->port, 2);
    return &u->buckets[siphash(&u->core->hash_key, key, sizeof(key)) & u->buckets_mask];
}

struct upstream_endpoint *upstream_endpoint_find(const struct upstream *u,
                                                 const struct upstream_conn_id *id)
{
    struct list_node *bucket = bucket_of(u, id);
    LIST_EACH (it, bucket) {
        struct upstream_endpoint *e = container_of(it, struct upstream_endpoint, link);
        if (e->id.port == id->port && ip_addr_eq(&e->id.addr, &id->addr))
            return e;
    }
    return NULL;
}

struct upstream_endpoint *upstream_endpoint_get(struct upstream *u,
                                                const struct upstream_conn_id *id)
{
    struct upstream_endpoint *e = upstream_endpoint_find(u, id);
    if (e != NULL)
        return e;
    e = pool_get(&u->endpoints);
    if (e == NULL)
        return NULL;
    *e = (struct upstream_endpoint){.id = *id};
    for (unsigned i = 0; i < UPSTREAM_IDLE_LISTS; i++)
        list_init(&e->idle_conns[i]);
    list_init(&e->sessions);
    list_push_front(bucket_of(u, id), &e->link);
    return e;
}

void upstream_endpoint_check_end(struct upstream *u, struct upstream_endpoint *e)
{
    if (e->busy > 0 || e->idle > 0 || !list_is_empty(&e->sessions))
        return;
    for (unsigned i = 0; i < UPSTREAM_IDLE_LISTS; i++)
        ASSERT(list_is_empty(&e->idle_conns[i]));
    list_remove(&e->link);
    pool_put(&u->endpoints, e);
}

static bool is_listed(const struct upstream *u, const struct upstream_endpoint *e)
{
    const struct endpoint_group *g = endpoint_group_get(u->table, e->group);
    for (uint32_t i = 0; g != NULL && i < g->count; i++) {
        const struct endpoint *x = &g->endpoints[i];
        if (x->port == e->id.port && ip_addr_eq(&x->addr, &e->id.addr))
            return true;
    }
    return false;
}

static struct upstream_conn *any_idle(const struct upstream_endpoint *e)
{
    struct list_node *first = NULL;
    for (unsigned i = 0; i < UPSTREAM_IDLE_LISTS && first == NULL; i++)
        first = list_peek_front(&e->idle_conns[i]);
    ASSERT(first != NULL && e->idle > 0);
    return container_of(first, struct upstream_conn, idle_link);
}

/* Closes the idle connections of the bucket's endpoints that are gone. Returns how many. */
static unsigned purge_bucket(struct upstream *u, struct list_node *bucket)
{
    unsigned closed = 0;
    LIST_EACH_SAFE (it, tmp, bucket) {
        struct upstream_endpoint *e = container_of(it, struct upstream_endpoint, link);
        bool is_empty = e->idle == 0 && list_is_empty(&e->sessions);
        if (is_empty || is_listed(u, e))
            continue;
        bool is_held = !list_is_empty(&e->sessions); /* else it goes with its last connection */
        for (uint32_t n = e->idle; n > 0; n--) {
            upstream_close_idle(u, any_idle(e), STAT_upstream_closed_vanished);
            closed++;
        }
        if (is_held)
            closed += upstream_h2_purge(e);
    }
    return closed;
}

unsigned upstream_poll(struct upstream *u)
{
    if (u->walk == 0) {
        u->change_wanted = endpoint_table_change(u->table);
        if (u->change_wanted == u->change)
            return 0;
    }
    unsigned did = 1; /* so that nobody sleeps in the middle of a walk */
    for (unsigned i = 0; i < WALK_BUCKETS_PER_POLL && u->walk <= u->buckets_mask; i++)
        did += purge_bucket(u, &u->buckets[u->walk++]);
    if (u->walk > u->buckets_mask) {
        u->walk = 0;
        u->change = u->change_wanted;
    }
    return did;
}
