/* SPDX-License-Identifier: Apache-2.0 */
/* What images carry. Owner: reconcile; thread: the loop's. See carried.h. */
#include "reconcile/carried.h"

#include "attach/plan.h"
#include "base/assert.h"

#include <errno.h>
#include <string.h>

int carried_init(struct carried *c)
{
    memset(c, 0, sizeof(*c));
    c->served = json_object();
    return c->served != NULL ? 0 : -ENOMEM;
}

void carried_done(struct carried *c)
{
    carried_forget_unacknowledged(c);
    json_decref(c->served);
    c->served = NULL;
}

bool carried_is_full(const struct carried *c)
{
    return c->n == RECONCILE_UNACKNOWLEDGED_MAX;
}

static void note_object(json_t *objects, const char *uid, int64_t generation)
{
    json_object_set_new(objects, uid, json_integer(generation));
}

/* Gateways and ListenerSets of which a listener is served. */
static json_t *objects_of(const struct plan *plan)
{
    json_t *objects = json_object();
    const struct plan_listener *noted = NULL;
    for (uint32_t i = 0; i < plan->n_listeners; i++) {
        const struct plan_listener *l = &plan->listeners[i];
        bool is_noted = noted != NULL && noted->gateway == l->gateway && noted->set == l->set;
        if (!l->is_served || is_noted)
            continue;
        noted = l;
        const struct plan_gateway *gateway = &plan->gateways[l->gateway];
        if (l->set == NULL)
            note_object(objects, gateway->uid, gateway->generation);
        else
            note_object(objects, l->set->uid, l->set->generation);
    }
    return objects;
}

static void drop(struct carried *c, unsigned n)
{
    ASSERT(n <= c->n);
    for (unsigned i = 0; i < n; i++)
        json_decref(c->unacknowledged[i].objects);
    c->n -= n;
    memmove(c->unacknowledged, c->unacknowledged + n, c->n * sizeof(c->unacknowledged[0]));
}

void carried_remember(struct carried *c, uint64_t generation, const struct plan *plan)
{
    if (c->n > 0 && c->unacknowledged[c->n - 1].generation == generation)
        json_decref(c->unacknowledged[--c->n].objects);
    ASSERT(!carried_is_full(c));
    ASSERT(c->n == 0 || c->unacknowledged[c->n - 1].generation < generation);
    c->unacknowledged[c->n].generation = generation;
    c->unacknowledged[c->n].objects = objects_of(plan);
    c->n++;
}

void carried_acknowledge(struct carried *c, uint64_t generation)
{
    unsigned n = 0;
    while (n < c->n && c->unacknowledged[n].generation <= generation) {
        /* Only those of the latest image count: those that are gone must not pile up. */
        json_decref(c->served);
        c->served = json_incref(c->unacknowledged[n].objects);
        n++;
    }
    drop(c, n);
}

void carried_forget_unacknowledged(struct carried *c)
{
    drop(c, c->n);
}

void carried_forget_all(struct carried *c)
{
    json_t *nothing = json_object();
    carried_forget_unacknowledged(c);
    if (nothing == NULL)
        return;
    json_decref(c->served);
    c->served = nothing;
}
