/* SPDX-License-Identifier: Apache-2.0 */
/* A thin layer over rte_rcu_qsbr, so that the rest of core need not know its memory rules. */
#include "core/rcu.h"

#include "base/assert.h"
#include "core/core.h"

#include <rte_rcu_qsbr.h>
#include <stdlib.h>
#include <string.h>

struct rcu {
    unsigned workers;
    struct rte_rcu_qsbr *qsbr; /* aligned to cache lines, sized for the workers */
};

struct rcu *rcu_new(unsigned workers)
{
    ASSERT(workers >= 1 && workers <= WORKERS_MAX);
    struct rcu *r = calloc(1, sizeof(*r));
    size_t bytes = RTE_CACHE_LINE_ROUNDUP(rte_rcu_qsbr_get_memsize(workers));
    if (r == NULL)
        return NULL;
    r->workers = workers;
    r->qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, bytes);
    if (r->qsbr == NULL) {
        free(r);
        return NULL;
    }
    memset(r->qsbr, 0, bytes);
    int fault = rte_rcu_qsbr_init(r->qsbr, workers);
    ASSERT(fault == 0);
    for (unsigned worker = 0; worker < workers; worker++) {
        fault = rte_rcu_qsbr_thread_register(r->qsbr, worker);
        ASSERT(fault == 0);
    }
    return r;
}

void rcu_free(struct rcu *r)
{
    if (r == NULL)
        return;
    free(r->qsbr);
    free(r);
}

void rcu_online(struct rcu *r, unsigned worker)
{
    ASSERT(worker < r->workers);
    rte_rcu_qsbr_thread_online(r->qsbr, worker);
}

void rcu_offline(struct rcu *r, unsigned worker)
{
    ASSERT(worker < r->workers);
    rte_rcu_qsbr_thread_offline(r->qsbr, worker);
}

void rcu_quiescent(struct rcu *r, unsigned worker)
{
    ASSERT_HOT(worker < r->workers);
    rte_rcu_qsbr_quiescent(r->qsbr, worker);
}

uint64_t rcu_mark(struct rcu *r)
{
    return rte_rcu_qsbr_start(r->qsbr);
}

bool rcu_is_past(struct rcu *r, uint64_t mark)
{
    return rte_rcu_qsbr_check(r->qsbr, mark, false) == 1;
}
