/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for the verifier: the requests with one password or token wait together at the place of
 * its job. When the answer is there it is remembered, and all of them ask again (authenticate.c).
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

struct verification *verification_find(struct proxy *p, const struct verdict_key *key)
{
    for (unsigned i = 0; i < VERIFY_JOBS_MAX; i++) {
        if (verdict_key_eq(&p->verifications[i].key, key))
            return &p->verifications[i];
    }
    return NULL;
}

void verification_wait(struct exchange *e, struct verification *at)
{
    list_push_back(&at->waiters, &e->verify_node);
    exchange_wait_verdict(e);
}

void verification_begin(struct exchange *e, uint64_t number, const struct verdict_key *key,
                        bool is_decoy)
{
    struct proxy *p = e->proxy;
    struct verification *at = &p->verifications[number % VERIFY_JOBS_MAX];
    ASSERT(list_is_empty(&at->waiters));
    stat_inc(p->core, STAT_proxy_verifications);
    at->key = *key;
    at->is_decoy = is_decoy;
    verification_wait(e, at);
}

/* All that waited for it ask again, and find it remembered. An answer may bring the connection's
 * next request, and that a job in the same place: so they leave the place first. */
static void wake(struct verification *at)
{
    struct list_node woken;
    list_init(&woken);
    while (!list_is_empty(&at->waiters))
        list_push_back(&woken, list_take_front(&at->waiters));
    while (!list_is_empty(&woken)) {
        struct exchange *e = container_of(list_take_front(&woken), struct exchange, verify_node);
        ASSERT(e->is_verifying);
        e->is_verifying = false;
        if (exchange_authenticate(e, &e->image.view->rules[e->route.rule]))
            exchange_go_on(e);
    }
}

unsigned verifications_poll(struct proxy *p)
{
    uint64_t number, until_us = p->core->now_us + PROXY_VERDICT_MS * 1000ull;
    struct verify_answer answer;
    unsigned n = 0;
    while (p->config.verify != NULL && n < VERIFY_JOBS_MAX &&
           verify_lane_take(p->config.verify, &number, &answer)) {
        struct verification *at = &p->verifications[number % VERIFY_JOBS_MAX];
        answer.is_good = answer.is_good && !at->is_decoy;
        verdict_table_put(&p->verdicts, &at->key, until_us, answer);
        at->key = (struct verdict_key){0};
        wake(at);
        n++;
    }
    return n;
}

void verifications_init(struct proxy *p)
{
    verdict_table_init(&p->verdicts,
                       core_memory(p->core, verdict_table_bytes(PROXY_VERDICTS_MAX), "verdicts"),
                       PROXY_VERDICTS_MAX);
    for (unsigned i = 0; i < VERIFY_JOBS_MAX; i++)
        list_init(&p->verifications[i].waiters);
}
