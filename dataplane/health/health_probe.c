/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When each endpoint is checked. The first check lies somewhere in the first interval, evenly
 * spread over the endpoints (a box that starts with a thousand of them does not ask them all at
 * once), and the others an interval apart, on a beat that a slow answer does not shift.
 */
#include "base/assert.h"
#include "health/health_priv.h"

static struct list_node *bucket_of(const struct health *h, const struct health_probe_id *id)
{
    uint8_t key[22];
    memcpy(key, id->addr.bytes, 16);
    memcpy(key + 16, &id->port, 2);
    memcpy(key + 18, &id->group, 4);
    return &h->buckets[siphash(&h->core->hash_key, key, sizeof(key)) & h->buckets_mask];
}

static struct health_probe *find(const struct health *h, const struct health_probe_id *id)
{
    struct list_node *bucket = bucket_of(h, id);
    LIST_EACH (it, bucket) {
        struct health_probe *p = container_of(it, struct health_probe, link);
        if (p->id.group == id->group && p->id.port == id->port &&
            ip_addr_eq(&p->id.addr, &id->addr))
            return p;
    }
    return NULL;
}

/* Somewhere within an interval from now. */
static void place(struct health *h, struct health_probe *p)
{
    ASSERT(p->interval_ms > 0 && p->check == NULL && !list_is_linked(&p->due));
    uint64_t interval_us = (uint64_t)p->interval_ms * 1000;
    p->due_us = h->core->now_us + ((interval_us * even_next(&h->places)) >> 32);
    wheel_arm(&h->core->wheel, &p->timer, p->due_us);
}

/* It is due, or its check takes too long. */
static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct health_probe *p = container_of(timer, struct health_probe, timer);
    struct health *h = p->health;
    if (p->check != NULL) {
        health_check_expire(h, p->check);
        return;
    }
    if (h->checks.used == h->checks.capacity)
        stat_inc(h->core, STAT_health_waited);
    list_push_back(&h->due, &p->due);
}

static struct health_probe *add(struct health *h, const struct health_probe_id *id)
{
    struct health_probe *p = pool_get(&h->probes);
    if (p == NULL) {
        stat_inc(h->core, STAT_health_no_probe);
        h->is_short = true;
        return NULL;
    }
    *p = (struct health_probe){.health = h, .id = *id, .timer = {.on_expire = on_timer}};
    list_push_front(bucket_of(h, id), &p->link);
    h->core->stats->counters[STAT_health_probes_now]++;
    return p;
}

bool health_probe_keep(struct health *h, const struct health_probe_id *id, uint32_t interval_ms)
{
    struct health_probe *p = find(h, id);
    bool is_new = p == NULL;
    if (is_new)
        p = add(h, id);
    if (p == NULL || p->interval_ms == interval_ms)
        return false;
    p->interval_ms = interval_ms;
    if (p->check == NULL && !list_is_linked(&p->due))
        place(h, p);
    return is_new;
}

void health_probe_rest(struct health *h, struct health_probe *p)
{
    ASSERT(p->check == NULL && !list_is_linked(&p->due));
    uint64_t interval_us = (uint64_t)p->interval_ms * 1000;
    ASSERT(h->core->now_us >= p->due_us);
    p->due_us += ((h->core->now_us - p->due_us) / interval_us + 1) * interval_us;
    wheel_arm(&h->core->wheel, &p->timer, p->due_us);
}

void health_probe_drop(struct health *h, struct health_probe *p)
{
    ASSERT(p->check == NULL && !list_is_linked(&p->due));
    wheel_disarm(&h->core->wheel, &p->timer);
    if (p->is_unhealthy)
        h->core->stats->counters[STAT_health_unhealthy_now]--;
    h->core->stats->counters[STAT_health_probes_now]--;
    list_remove(&p->link);
    pool_put(&h->probes, p);
    h->is_all_wanted |= h->is_short; /* somebody else has a place now */
    h->is_short = false;
}

void health_probes_done(struct health *h)
{
    for (uint32_t i = 0; i <= h->buckets_mask; i++) {
        LIST_EACH_SAFE (it, next, &h->buckets[i]) {
            struct health_probe *p = container_of(it, struct health_probe, link);
            if (p->check != NULL)
                health_check_stop(h, p->check);
            if (list_is_linked(&p->due))
                list_remove(&p->due);
            health_probe_drop(h, p);
        }
    }
}
