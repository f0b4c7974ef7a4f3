/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which endpoint gets the next request.
 *
 * Known ways: round robin (each worker counts for itself, so N workers gang up on the first
 * endpoint after every change), least outstanding (a scan for the minimum; all workers run to the
 * endpoint that just appeared), and the better of two random ones (Mitzenmacher: "The Power of Two
 * Choices in Randomized Load Balancing", 2001), which needs no common state and has neither fault.
 * We take the last. A group with locality would change our mind. Who wants the first all the same
 * (a TransportPolicy's balancing) gets it worker by worker, each beginning elsewhere: where all
 * requests cost the same it is the most even, and a slow endpoint gets as much as others. Who wants
 * the same key at the same endpoint gets Maglev (base/maglev.h): all workers and all boxes agree
 * without a word. A group without a table (there are MAGLEV_GROUPS_MAX) has each endpoint draw for
 * the key (base/rendezvous.h), which costs a look at all of them.
 *
 * Who may be chosen at all: the READY ones that are usable by their group's health policy; all
 * READY ones, if it has none, or if so few are usable that they would break under the load of all
 * (panic); those that still serve while they terminate, if nobody is left. A group without a policy
 * pays a comparison an endpoint.
 */
#include "base/assert.h"
#include "base/rendezvous.h"
#include "core/endpoint_health.h"
#include "upstream/upstream_priv.h"

#include <string.h>

/* Places of a table that are looked at for an endpoint that may get the request. Reason: with one
 * endpoint of ten left, one key in 800 does not find it, and goes by draw. */
#define MAGLEV_PROBES_MAX 64u

/* Who may get a request, the best first. */
enum level {
    LEVEL_USABLE,  /* READY, and well as far as the policy knows */
    LEVEL_READY,   /* READY */
    LEVEL_SERVING, /* the last resort: on its way out */
    LEVELS
};

/* Those that one is drawn from. `shares` is what the policy says of each READY one, read once: what
 * it is read from is written by other workers meanwhile. */
struct field {
    const struct endpoint_group *g;
    const struct upstream_conn_id *avoid;
    uint32_t total; /* of their weights */
    enum level level;
    bool is_slow; /* one is in its slow start: weights are in parts of ENDPOINT_SHARE_FULL */
    uint8_t shares[ENDPOINTS_PER_GROUP_MAX]; /* with USABLE; 0: not usable */
};

static bool is_same(const struct endpoint *e, const struct upstream_conn_id *id)
{
    return e->port == id->port && ip_addr_eq(&e->addr, &id->addr);
}

/* May it be drawn? */
static bool is_eligible(const struct field *f, uint32_t i)
{
    static const uint32_t wanted[LEVELS] = {
        [LEVEL_USABLE] = ENDPOINT_READY,
        [LEVEL_READY] = ENDPOINT_READY,
        [LEVEL_SERVING] = ENDPOINT_SERVING | ENDPOINT_TERMINATING,
    };
    const struct endpoint *e = &f->g->endpoints[i];
    if ((e->flags & wanted[f->level]) != wanted[f->level])
        return false;
    if (f->level == LEVEL_USABLE && f->shares[i] == 0)
        return false;
    return f->avoid == NULL || !is_same(e, f->avoid);
}

/* 0 is taken as 1: a list without weights is a list of equals. */
static uint32_t weight_of(const struct field *f, uint32_t i)
{
    uint32_t weight = f->g->endpoints[i].weight > 0 ? f->g->endpoints[i].weight : 1;
    return f->is_slow ? weight * f->shares[i] : weight;
}

static uint32_t total_weight(const struct field *f)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < f->g->count; i++) {
        if (is_eligible(f, i))
            total += weight_of(f, i);
    }
    ASSERT(total <= UINT32_MAX); /* 1,000 endpoints of 16 bits, and 64 parts of each */
    return (uint32_t)total;
}

/* The index of the one that has this part of the total weight. */
static uint32_t take(const struct field *f, uint32_t at)
{
    for (uint32_t i = 0; i < f->g->count; i++) {
        if (!is_eligible(f, i))
            continue;
        uint32_t weight = weight_of(f, i);
        if (at < weight)
            return i;
        at -= weight;
    }
    ASSERT(!"a draw below the total weight has a taker");
    return 0;
}

static uint32_t busy_of(const struct upstream *u, const struct endpoint *e)
{
    struct upstream_conn_id id = {e->addr, e->port};
    const struct upstream_endpoint *known = upstream_endpoint_find(u, &id);
    return known != NULL ? known->busy : 0;
}

/* Reads what the policy says of the READY ones. True: enough of them are usable. */
static bool read_shares(struct field *f, const struct image_health *health, uint64_t now_us)
{
    uint32_t ready = 0, usable = 0;
    for (uint32_t i = 0; i < f->g->count; i++) {
        const struct endpoint_health *h = &f->g->health[i];
        f->shares[i] = 0;
        if ((f->g->endpoints[i].flags & ENDPOINT_READY) == 0)
            continue;
        ready++;
        if (!endpoint_health_is_usable(h, health, now_us))
            continue;
        usable++;
        f->shares[i] = ENDPOINT_SHARE_FULL;
        if (health->slow_start_ms != 0)
            f->shares[i] = (uint8_t)endpoint_health_share(h, health, now_us);
        f->is_slow |= f->shares[i] < ENDPOINT_SHARE_FULL;
    }
    return usable * 100 >= ready * health->panic_percent;
}

/* Fills in the best field that is not empty: of the usable or ready ones, or the last resort; and
 * without the one to avoid, unless that is the only one. False: nobody is left. */
static bool choose_field(const struct upstream *u, const struct upstream_ask *ask,
                         struct field *ret)
{
    ret->g = endpoint_group_get(u->table, ask->group);
    ret->avoid = ask->avoid;
    ret->is_slow = false;
    if (ret->g == NULL)
        return false;
    bool has_usable = ask->health != NULL && read_shares(ret, ask->health, u->core->now_us);
    const enum level levels[] = {has_usable ? LEVEL_USABLE : LEVEL_READY, LEVEL_SERVING};
    bool is_slow = has_usable && ret->is_slow;
    for (;; ret->avoid = NULL) {
        for (unsigned i = 0; i < array_len(levels); i++) {
            ret->level = levels[i];
            ret->is_slow = is_slow && levels[i] == LEVEL_USABLE;
            ret->total = total_weight(ret);
            if (ret->total > 0)
                return true;
        }
        if (ret->avoid == NULL)
            return false;
    }
}

bool upstream_find(const struct upstream *u, const struct upstream_ask *ask, upstream_is_fn is,
                   const void *arg, struct upstream_conn_id *ret)
{
    struct field f;
    if (!choose_field(u, ask, &f))
        return false;
    for (uint32_t i = 0; i < f.g->count; i++) {
        struct upstream_conn_id id = {f.g->endpoints[i].addr, f.g->endpoints[i].port};
        if (is_eligible(&f, i) && is(arg, &id)) {
            *ret = id;
            return true;
        }
    }
    return false;
}

/* Finds the one that is wanted, if it may be drawn from the field. */
static bool find_wanted(const struct field *f, const struct upstream_conn_id *wanted,
                        uint32_t *ret_i)
{
    for (uint32_t i = 0; wanted != NULL && i < f->g->count; i++) {
        if (is_same(&f->g->endpoints[i], wanted) && is_eligible(f, i)) {
            *ret_i = i;
            return true;
        }
    }
    return false;
}

/*
 * Whose turn it is. One with more weight has several turns, one behind the other. In a slow start
 * these would be dozens, so turns are spread evenly by the golden ratio, as struct even does.
 */
static uint32_t take_next(struct upstream *u, const struct field *f, uint32_t group)
{
    ASSERT(group < ENDPOINT_GROUPS_MAX);
    uint32_t turn = u->turns[group]++;
    if (!f->is_slow)
        return take(f, turn % f->total);
    return take(f, (uint32_t)((uint64_t)(turn * 0x9e3779b9u) * f->total >> 32));
}

/* The better of two drawn at random from the field. */
static uint32_t draw_better(struct upstream *u, const struct field *f)
{
    uint32_t a = take(f, rng_below(&u->core->rng, f->total));
    uint32_t b = take(f, rng_below(&u->core->rng, f->total));
    bool is_b_better = (uint64_t)busy_of(u, &f->g->endpoints[b]) * weight_of(f, a) <
                       (uint64_t)busy_of(u, &f->g->endpoints[a]) * weight_of(f, b);
    return is_b_better ? b : a;
}

/* Finds the endpoint of the first place from the hash's on that may get the request; false: none of
 * the next has one. So keys of endpoints that may not go elsewhere, not all to one, and no others.
 */
static bool look_up(const struct upstream *u, const struct field *f, uint64_t hash, uint32_t *ret_i)
{
    uint32_t place = maglev_place(hash, MAGLEV_PLACES_MAX);
    for (unsigned n = 0; n < MAGLEV_PROBES_MAX; n++) {
        uint32_t i = f->g->places[place];
        ASSERT_HOT(i < f->g->count);
        if (is_eligible(f, i) &&
            busy_of(u, &f->g->endpoints[i]) < u->config.busy_per_endpoint_max) {
            *ret_i = i;
            return true;
        }
        place = place + 1 < MAGLEV_PLACES_MAX ? place + 1 : 0;
    }
    return false;
}

/* Address and port as one word, on this box as on any other. */
static uint64_t word_of(const struct endpoint *e)
{
    uint64_t half[2];
    memcpy(half, e->addr.bytes, sizeof(half));
    return (half[0] * 0xbf58476d1ce4e5b9ull ^ half[1]) * 0x94d049bb133111ebull + e->port;
}

/* The one of the field that draws lowest for the hash (base/rendezvous.h). */
static uint32_t take_lowest(const struct field *f, uint64_t hash)
{
    uint64_t least = UINT64_MAX;
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < f->g->count; i++) {
        if (!is_eligible(f, i))
            continue;
        uint64_t draw = rendezvous_draw(hash, word_of(&f->g->endpoints[i]), weight_of(f, i));
        if (best == UINT32_MAX || draw < least) {
            least = draw;
            best = i;
        }
    }
    ASSERT(best < f->g->count); /* a field is not empty */
    return best;
}

static uint32_t take_hashed(struct upstream *u, const struct field *f, uint64_t hash)
{
    uint32_t i;
    bool has_table = f->g->places != NULL;
    if (has_table && look_up(u, f, hash, &i))
        return i;
    stat_inc(u->core, has_table ? STAT_upstream_maglev_misses : STAT_upstream_maglev_none);
    return take_lowest(f, hash);
}

/* One of the field, as the balancing says. */
static uint32_t take_one(struct upstream *u, const struct field *f, const struct upstream_ask *ask)
{
    switch (ask->balancing) {
    case IMAGE_BALANCING_TURNS:
        return take_next(u, f, ask->group);
    case IMAGE_BALANCING_MAGLEV:
        return take_hashed(u, f, ask->hash);
    default:
        return draw_better(u, f);
    }
}

enum upstream_result upstream_pick(struct upstream *u, const struct upstream_ask *ask,
                                   struct upstream_conn_id *ret)
{
    struct field f;
    uint32_t i;
    if (!choose_field(u, ask, &f))
        return UPSTREAM_NO_ENDPOINT;
    if (f.level == LEVEL_READY && ask->health != NULL)
        stat_inc(u->core, STAT_upstream_panic);
    if (!find_wanted(&f, ask->wanted, &i))
        i = take_one(u, &f, ask);
    const struct endpoint *e = &f.g->endpoints[i];
    if (busy_of(u, e) >= u->config.busy_per_endpoint_max)
        return UPSTREAM_LIMIT;
    *ret = (struct upstream_conn_id){e->addr, e->port};
    return UPSTREAM_OK;
}
