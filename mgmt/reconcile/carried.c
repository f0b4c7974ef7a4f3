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

static json_t *gateways_of(const struct plan *plan)
{
    json_t *gateways = json_object();
    for (uint32_t i = 0; i < plan->n_gateways; i++)
        json_object_set_new(gateways, plan->gateways[i].uid,
                            json_integer(plan->gateways[i].generation));
    return gateways;
}

static void drop(struct carried *c, unsigned n)
{
    ASSERT(n <= c->n);
    for (unsigned i = 0; i < n; i++)
        json_decref(c->unacknowledged[i].gateways);
    c->n -= n;
    memmove(c->unacknowledged, c->unacknowledged + n, c->n * sizeof(c->unacknowledged[0]));
}

void carried_remember(struct carried *c, uint64_t generation, const struct plan *plan)
{
    if (c->n > 0 && c->unacknowledged[c->n - 1].generation == generation)
        json_decref(c->unacknowledged[--c->n].gateways);
    ASSERT(!carried_is_full(c));
    ASSERT(c->n == 0 || c->unacknowledged[c->n - 1].generation < generation);
    c->unacknowledged[c->n].generation = generation;
    c->unacknowledged[c->n].gateways = gateways_of(plan);
    c->n++;
}

void carried_acknowledge(struct carried *c, uint64_t generation)
{
    unsigned n = 0;
    while (n < c->n && c->unacknowledged[n].generation <= generation) {
        /* Only Gateways of the latest image count: those that are gone must not pile up. */
        json_decref(c->served);
        c->served = json_incref(c->unacknowledged[n].gateways);
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
