/* SPDX-License-Identifier: Apache-2.0 */
/* See keys.h. */
#include "reconcile/keys.h"

#include "attach/plan.h"
#include "base/siphash.h"
#include "compile/keys.h"
#include "publish/publish.h"
#include "tls/tls_tickets.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* What is to be sent, and a digest of it. */
struct wanted {
    uint32_t n_entries;
    uint64_t digest;
    uint32_t n_tickets;
    struct keys_ticket tickets[KEYS_TICKETS_MAX];
};

void reconcile_keys_forget(struct reconcile_keys *k)
{
    keys_segment_free(k->sent);
    *k = (struct reconcile_keys){.ticket_secret = k->ticket_secret};
}

static uint64_t add(uint64_t digest, const void *bytes, size_t len)
{
    const struct siphash_key key = {.k0 = digest};
    return siphash(&key, bytes, len);
}

static void want_entry(struct wanted *ret, const struct keys_id *id)
{
    ret->digest = add(ret->digest, id, sizeof(*id));
    ret->n_entries++;
}

/* What connections to backends need. */
static void want_backends(const struct plan *plan, struct wanted *ret)
{
    for (uint32_t i = 0; i < plan->n_gateways; i++) {
        if (plan->gateways[i].identity != NULL)
            want_entry(ret, &plan->gateways[i].identity->id);
    }
    for (uint32_t i = 0; i < plan->n_groups; i++) {
        const struct plan_backend_tls *tls = plan->groups[i].tls;
        if (tls != NULL && tls->bundle.pem.len > 0)
            want_entry(ret, &tls->bundle.id);
    }
}

static int want(const struct reconcile_keys *k, const struct plan *plan, struct wanted *ret)
{
    *ret = (struct wanted){0};
    for (uint32_t i = 0; i < plan->n_listeners; i++) {
        const struct plan_listener *l = &plan->listeners[i];
        for (uint32_t j = 0; l->is_served && j < l->n_identities; j++)
            want_entry(ret, &l->identities[j].id);
        if (l->is_served && l->clients != NULL)
            want_entry(ret, &l->clients->bundle.id);
    }
    want_backends(plan, ret);
    if (k->ticket_secret == NULL)
        return 0;
    if (!tls_tickets_derive(k->ticket_secret, (uint64_t)time(NULL), ret->tickets))
        return -ENOMEM;
    ret->n_tickets = KEYS_TICKETS_MAX;
    ret->digest = add(ret->digest, ret->tickets, sizeof(ret->tickets));
    return 0;
}

/* Sends the segment of the plan, and of `before`. */
static int send(struct reconcile_keys *k, struct publish *publish, const struct plan *plan,
                const struct wanted *wanted, const void *before)
{
    struct keys_segment_input in = {
        .plan = plan, .before = before, .tickets = wanted->tickets, .n_tickets = wanted->n_tickets};
    void *data;
    size_t length;
    int result = keys_segment_new(&in, &data, &length);
    if (result != 0)
        return result;
    result = publish_keys(publish, data, length);
    if (result != 0) {
        keys_segment_free(data);
        return result;
    }
    k->has_surplus = before != NULL;
    keys_segment_free(k->sent);
    k->sent = data;
    k->of = wanted->digest;
    return 0;
}

int reconcile_keys_add(struct reconcile_keys *k, struct publish *publish, const struct plan *plan)
{
    struct wanted wanted;
    int result = want(k, plan, &wanted);
    bool is_needed = k->sent != NULL ? k->of != wanted.digest : wanted.n_entries > 0;
    if (result == 0 && is_needed)
        result = send(k, publish, plan, &wanted, k->sent);
    explicit_bzero(&wanted, sizeof(wanted));
    return result;
}

int reconcile_keys_trim(struct reconcile_keys *k, struct publish *publish, const struct plan *plan)
{
    struct wanted wanted;
    if (!k->has_surplus)
        return 0;
    int result = want(k, plan, &wanted);
    if (result == 0)
        result = send(k, publish, plan, &wanted, NULL);
    explicit_bzero(&wanted, sizeof(wanted));
    return result;
}
