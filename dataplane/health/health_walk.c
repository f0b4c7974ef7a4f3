/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which endpoints are checked: a walk over the policies of the image and the lists of their groups
 * finds those that are new, a few a poll, so that neither a large image nor a thousand changes a
 * second cost a poll its time. Those that are gone need no walk: their probes notice when they are
 * due, before they ask.
 */
#include "base/assert.h"
#include "health/health_priv.h"

/* READY ones, and those that only finish: their traffic wants to know too. */
static bool is_checked(const struct endpoint *e)
{
    return (e->flags & (ENDPOINT_READY | ENDPOINT_SERVING)) != 0;
}

/* Are endpoints asked by this policy, in a way that is known here? */
static bool is_asking(const struct image_health *policy)
{
    return policy->check != IMAGE_HEALTH_CHECK_NONE;
}

bool health_place_find(const struct health *h, const struct health_probe_id *id,
                       struct health_place *ret)
{
    uint32_t row = image_health_find(h->view, id->group);
    const struct endpoint_group *list = endpoint_group_get(h->table, id->group);
    if (row == IMAGE_NONE || !is_asking(&h->view->health[row]) || list == NULL)
        return false;
    uint32_t index = endpoint_group_find(list, &id->addr, id->port);
    if (index == UINT32_MAX || !is_checked(&list->endpoints[index]))
        return false;
    *ret = (struct health_place){&h->view->health[row], list, index};
    return true;
}

/* Does anything ask for a walk? Then it begins. */
static bool begin_walk(struct health *h)
{
    h->change_wanted = endpoint_table_change(h->table);
    if (h->change_wanted == h->change && !h->is_all_wanted)
        return false;
    h->is_all = h->is_all_wanted;
    h->is_all_wanted = false;
    h->is_walking = true;
    h->row = 0;
    h->at = 0;
    return true;
}

/* The list of the row's group, if this worker checks it and the walk is about it; else NULL. */
static const struct endpoint_group *list_of(const struct health *h,
                                            const struct image_health *policy)
{
    if (!is_asking(policy) || policy->group % h->core->workers != h->core->worker)
        return NULL;
    const struct endpoint_group *g = endpoint_group_get(h->table, policy->group);
    return g != NULL && (h->is_all || g->change > h->change) ? g : NULL;
}

/* Looks at the next endpoint of the row, or goes on to the next row. A list that is replaced
 * between two polls goes on where it was: another walk, which is owed to that change, sees the
 * rest. */
static void step(struct health *h)
{
    const struct image_health *policy = &h->view->health[h->row];
    const struct endpoint_group *g = list_of(h, policy);
    if (g == NULL || h->at >= g->count) {
        h->row++;
        h->at = 0;
        return;
    }
    uint32_t index = h->at++;
    const struct endpoint *e = &g->endpoints[index];
    struct health_probe_id id = {policy->group, e->addr, e->port};
    if (is_checked(e) && health_probe_keep(h, &id, policy->interval_ms))
        endpoint_health_forget(g, index); /* what an earlier policy found */
}

unsigned health_walk(struct health *h)
{
    if (!h->is_walking && !begin_walk(h))
        return 0;
    unsigned steps = 0;
    uint32_t rows = h->view->n_health;
    for (; steps < HEALTH_STEPS_PER_POLL && h->row < rows; steps++)
        step(h);
    if (h->row == rows) {
        h->is_walking = false;
        h->change = h->change_wanted;
    }
    return steps + 1; /* so that nobody sleeps in the middle of a walk */
}
