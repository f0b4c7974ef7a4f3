/* SPDX-License-Identifier: Apache-2.0 */
/* What a reply changes. See entry.h. */
#include "resolve/entry.h"

#include "base/assert.h"
#include "base/minmax.h"

#include <stdlib.h>
#include <string.h>

int resolve_entry_compare(const struct resolve_entry *e, const char *name,
                          enum resolve_family family)
{
    int by_name = strcmp(e->name, name);
    return by_name != 0 ? by_name : (int)e->family - (int)family;
}

static int compare_addrs(const void *x, const void *y)
{
    return memcmp(x, y, sizeof(struct ip_addr));
}

/* Those that a backend can have, sorted, each once: name servers turn their answers around. */
static uint32_t keep_fit(const struct resolve_reply *reply, struct ip_addr *ret,
                         uint32_t *ret_unfit)
{
    struct ip_addr sorted[RESOLVE_ADDRS_MAX];
    uint32_t n = 0;
    ASSERT(reply->n <= RESOLVE_ADDRS_MAX);
    memcpy(sorted, reply->addrs, reply->n * sizeof(sorted[0]));
    qsort(sorted, reply->n, sizeof(sorted[0]), compare_addrs);
    *ret_unfit = 0;
    for (uint32_t i = 0; i < reply->n; i++) {
        bool is_again = n > 0 && ip_addr_eq(&ret[n - 1], &sorted[i]);
        bool is_fit = ip_addr_is_reachable(&sorted[i]);
        *ret_unfit += !is_fit;
        if (is_fit && !is_again)
            ret[n++] = sorted[i];
    }
    return n;
}

/* Nobody answered: what was good before goes on. */
static bool take_fault(struct resolve_entry *e, enum resolve_fault fault, uint32_t *ret_wait_s)
{
    bool is_new = e->fault != fault;
    uint32_t doublings = e->n_faults < 16 ? e->n_faults : 16;
    *ret_wait_s = (uint32_t)min64(RESOLVE_RETRY_S << doublings, RESOLVE_RETRY_S_MAX);
    e->n_faults++;
    e->fault = fault;
    if (e->state == RESOLVE_GOOD) {
        e->state = RESOLVE_STALE;
        is_new = true;
    }
    return is_new;
}

bool resolve_entry_take(struct resolve_entry *e, const struct resolve_reply *reply,
                        uint32_t *ret_wait_s)
{
    if (reply->fault != RESOLVE_FAULT_NONE)
        return take_fault(e, reply->fault, ret_wait_s);
    struct resolve_entry old = *e;
    e->fault = RESOLVE_FAULT_NONE;
    e->n_faults = 0;
    e->n = keep_fit(reply, e->addrs, &e->n_unfit);
    e->state = e->n > 0 ? RESOLVE_GOOD : RESOLVE_ABSENT;
    *ret_wait_s = RESOLVE_ABSENT_S;
    if (reply->n > 0)
        *ret_wait_s = (uint32_t)min64(max64(reply->ttl_s, RESOLVE_TTL_S_MIN), RESOLVE_TTL_S_MAX);
    return e->state != old.state || e->fault != old.fault || e->n != old.n ||
           e->n_unfit != old.n_unfit ||
           memcmp(e->addrs, old.addrs, e->n * sizeof(e->addrs[0])) != 0;
}
