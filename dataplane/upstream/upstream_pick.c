/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which endpoint gets the next request.
 *
 * Known ways: round robin (each worker counts for itself, so N workers gang up on the first
 * endpoint after every change), least outstanding (a scan for the minimum; all workers run to the
 * endpoint that just appeared), and the better of two random ones (Mitzenmacher: "The Power of Two
 * Choices in Randomized Load Balancing", 2001), which needs no common state and has neither fault.
 * We take the last. A group with slow start or locality would change our mind. Who wants the first
 * all the same (a TransportPolicy's balancing) gets it worker by worker, each beginning elsewhere:
 * where all requests cost the same it is the most even, and a slow endpoint gets as much as others.
 * Who wants the same key at the same endpoint gets Maglev (base/maglev.h): all workers and all
 * boxes agree without a word.
 */
#include "base/assert.h"
#include "upstream/upstream_priv.h"

/* Places of a table that are looked at for an endpoint that may get the request. Reason: with one
 * endpoint of ten left, one key in 800 does not find it, and goes by division. */
#define MAGLEV_PROBES_MAX 64u

/* 0 is taken as 1: a list without weights is a list of equals. */
static uint32_t weight_of(const struct endpoint *e)
{
    return e->weight > 0 ? e->weight : 1;
}

/* May it get a request in this round? READY ones; `is_last_resort`: those that still serve. */
static bool is_eligible(const struct endpoint *e, const struct upstream_ask *ask,
                        bool is_last_resort)
{
    uint32_t wanted = is_last_resort ? ENDPOINT_SERVING | ENDPOINT_TERMINATING : ENDPOINT_READY;
    if ((e->flags & wanted) != wanted)
        return false;
    return ask->avoid == NULL || e->port != ask->avoid->port ||
           !ip_addr_eq(&e->addr, &ask->avoid->addr);
}

static uint64_t total_weight(const struct endpoint_group *g, const struct upstream_ask *ask,
                             bool is_last_resort)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        if (is_eligible(&g->endpoints[i], ask, is_last_resort))
            total += weight_of(&g->endpoints[i]);
    }
    return total;
}

/* The one that has this part of the total weight. */
static const struct endpoint *take(const struct endpoint_group *g, const struct upstream_ask *ask,
                                   bool is_last_resort, uint32_t at)
{
    for (uint32_t i = 0; i < g->count; i++) {
        const struct endpoint *e = &g->endpoints[i];
        if (!is_eligible(e, ask, is_last_resort))
            continue;
        if (at < weight_of(e))
            return e;
        at -= weight_of(e);
    }
    ASSERT(!"a draw below the total weight has a taker");
    return NULL;
}

static uint32_t busy_of(const struct upstream *u, const struct endpoint *e)
{
    struct upstream_conn_id id = {e->addr, e->port};
    const struct upstream_endpoint *known = upstream_endpoint_find(u, &id);
    return known != NULL ? known->busy : 0;
}

/* Who may be drawn from: READY ones, else those that still serve; and without the one to avoid,
 * unless that is the only one. Returns their weight; 0: nobody. */
static uint64_t choose_field(const struct endpoint_group *g, struct upstream_ask *ask,
                             bool *ret_is_last_resort)
{
    for (;;) {
        for (int last_resort = 0; last_resort < 2; last_resort++) {
            uint64_t total = total_weight(g, ask, last_resort);
            *ret_is_last_resort = last_resort;
            if (total > 0)
                return total;
        }
        if (ask->avoid == NULL)
            return 0;
        ask->avoid = NULL;
    }
}

bool upstream_find(const struct upstream *u, uint32_t group, upstream_is_fn is, const void *arg,
                   struct upstream_conn_id *ret)
{
    const struct endpoint_group *g = endpoint_group_get(u->table, group);
    struct upstream_ask ask = {.group = group};
    bool is_last_resort;
    if (g == NULL || choose_field(g, &ask, &is_last_resort) == 0)
        return false;
    for (uint32_t i = 0; i < g->count; i++) {
        const struct endpoint *e = &g->endpoints[i];
        struct upstream_conn_id id = {e->addr, e->port};
        if (is_eligible(e, &ask, is_last_resort) && is(arg, &id)) {
            *ret = id;
            return true;
        }
    }
    return false;
}

/* The one that is wanted, if it may be drawn from the field; NULL: it may not. */
static const struct endpoint *wanted_of(const struct endpoint_group *g,
                                        const struct upstream_ask *ask, bool is_last_resort)
{
    for (uint32_t i = 0; ask->wanted != NULL && i < g->count; i++) {
        const struct endpoint *e = &g->endpoints[i];
        if (e->port == ask->wanted->port && ip_addr_eq(&e->addr, &ask->wanted->addr) &&
            is_eligible(e, ask, is_last_resort))
            return e;
    }
    return NULL;
}

/* Whose turn it is. One with more weight has several turns, one behind the other. */
static const struct endpoint *take_next(struct upstream *u, const struct endpoint_group *g,
                                        const struct upstream_ask *ask, bool is_last_resort,
                                        uint32_t total)
{
    ASSERT(ask->group < ENDPOINT_GROUPS_MAX);
    return take(g, ask, is_last_resort, u->turns[ask->group]++ % total);
}

/* The better of two drawn at random from the field. */
static const struct endpoint *draw_better(struct upstream *u, const struct endpoint_group *g,
                                          const struct upstream_ask *ask, bool is_last_resort,
                                          uint32_t total)
{
    const struct endpoint *a = take(g, ask, is_last_resort, rng_below(&u->core->rng, total));
    const struct endpoint *b = take(g, ask, is_last_resort, rng_below(&u->core->rng, total));
    bool is_b_better =
        (uint64_t)busy_of(u, b) * weight_of(a) < (uint64_t)busy_of(u, a) * weight_of(b);
    return is_b_better ? b : a;
}

/* The endpoint of the first place from the hash's on that may get the request; NULL: none of the
 * next has one. So keys of endpoints that may not go elsewhere, not all to one, and no others. */
static const struct endpoint *look_up(const struct upstream *u, const struct endpoint_group *g,
                                      const struct upstream_ask *ask, bool is_last_resort)
{
    uint32_t place = maglev_place(ask->hash, MAGLEV_PLACES_MAX);
    for (unsigned i = 0; i < MAGLEV_PROBES_MAX; i++) {
        ASSERT_HOT(g->places[place] < g->count);
        const struct endpoint *e = &g->endpoints[g->places[place]];
        if (is_eligible(e, ask, is_last_resort) && busy_of(u, e) < u->config.busy_per_endpoint_max)
            return e;
        place = place + 1 < MAGLEV_PLACES_MAX ? place + 1 : 0;
    }
    return NULL;
}

static const struct endpoint *take_hashed(struct upstream *u, const struct endpoint_group *g,
                                          const struct upstream_ask *ask, bool is_last_resort,
                                          uint32_t total)
{
    const struct endpoint *e = g->places != NULL ? look_up(u, g, ask, is_last_resort) : NULL;
    if (e != NULL)
        return e;
    stat_inc(u->core, g->places != NULL ? STAT_upstream_maglev_misses : STAT_upstream_maglev_none);
    return take(g, ask, is_last_resort, (uint32_t)(ask->hash % total));
}

/* One of the field, as the balancing says. */
static const struct endpoint *take_one(struct upstream *u, const struct endpoint_group *g,
                                       const struct upstream_ask *ask, bool is_last_resort,
                                       uint32_t total)
{
    switch (ask->balancing) {
    case IMAGE_BALANCING_TURNS:
        return take_next(u, g, ask, is_last_resort, total);
    case IMAGE_BALANCING_MAGLEV:
        return take_hashed(u, g, ask, is_last_resort, total);
    default:
        return draw_better(u, g, ask, is_last_resort, total);
    }
}

enum upstream_result upstream_pick(struct upstream *u, const struct upstream_ask *wanted,
                                   struct upstream_conn_id *ret)
{
    const struct endpoint_group *g = endpoint_group_get(u->table, wanted->group);
    if (g == NULL)
        return UPSTREAM_NO_ENDPOINT;
    struct upstream_ask field = *wanted;
    const struct upstream_ask *ask = &field;
    bool is_last_resort;
    uint64_t total = choose_field(g, &field, &is_last_resort);
    if (total == 0)
        return UPSTREAM_NO_ENDPOINT;
    ASSERT(total <= UINT32_MAX); /* 1,000 endpoints of 16 bits */
    const struct endpoint *e = wanted_of(g, ask, is_last_resort);
    if (e == NULL)
        e = take_one(u, g, ask, is_last_resort, (uint32_t)total);
    if (busy_of(u, e) >= u->config.busy_per_endpoint_max)
        return UPSTREAM_LIMIT;
    *ret = (struct upstream_conn_id){e->addr, e->port};
    return UPSTREAM_OK;
}
