/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords that access policies ask for (Basic, RFC 7617). To ask a good hash takes 50 ms or more,
 * which no worker has: the verifier does it (verify/verify_lane.h), the exchange waits meanwhile
 * without a backend, and what was found is remembered. So a client that comes again costs a
 * look into a table.
 *
 *   what came --digest--> remembered: go on, or 401
 *                     --> being asked by another request: wait with it
 *                     --> a new job; the lane is full: 503
 *
 * The digest is keyed with what only this process knows, and made of the policy's id, which another
 * Secret or policy has not: a change is heard at once. Nobody learns by the time of an answer
 * whether a name exists: one that does not is asked against somebody's hash, too.
 */
#include "base/assert.h"
#include "base/siphash.h"
#include "proxy/proxy_priv.h"
#include "route/filter.h"

#include <stdio.h>

#define CHALLENGE_BYTES (IMAGE_REALM_BYTES_MAX + 64u)

enum finding {
    FINDING_GOOD,
    FINDING_BAD,
    FINDING_WAIT, /* it is one of a verification's waiters */
    FINDING_FULL, /* nobody can look now */
};

static void answer_401(struct exchange *e, const struct image_basic *basic)
{
    struct field_list l;
    char challenge[CHALLENGE_BYTES];
    struct slice realm = image_text(e->image.view, basic->realm);
    int n = snprintf(challenge, sizeof(challenge), "Basic realm=\"%.*s\", charset=\"UTF-8\"",
                     (int)realm.len, (const char *)realm.ptr);
    ASSERT(n > 0 && (size_t)n < sizeof(challenge));
    field_list_init(&l);
    exchange_cors_fields(e, &l);
    field_list_add(&l, SLICE_LIT("WWW-Authenticate"), slice_of(challenge, (size_t)n));
    exchange_answer_with(e, STAT_proxy_end_unauthenticated, 401, &l);
}

static struct verdict_key key_of(const struct proxy *p, const struct image_basic *basic,
                                 struct slice value)
{
    const struct siphash_key *secret = &p->core->hash_key;
    struct verdict_key key;
    for (unsigned i = 0; i < 2; i++) {
        struct siphash_key half = {secret->k0 ^ basic->id[i], secret->k1 ^ (i + 1)};
        key.words[i] = siphash(&half, value.ptr, value.len);
    }
    key.words[0] |= key.words[0] == 0 && key.words[1] == 0; /* zero is none */
    return key;
}

/* NULL: nobody is called so. */
static const struct image_user *find_user(const struct image_view *v,
                                          const struct image_basic *basic, const char *name)
{
    const struct image_user *users = &v->users[basic->first_user];
    struct slice wanted = slice_of_str(name);
    uint32_t low = 0, high = basic->n_users;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = image_user_order(image_text(v, users[middle].name), wanted);
        if (order == 0)
            return &users[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* The verification of that, under way; NULL: none. */
static struct verification *find_verification(struct proxy *p, const struct verdict_key *key)
{
    for (unsigned i = 0; i < VERIFY_JOBS_MAX; i++) {
        if (verdict_key_eq(&p->verifications[i].key, key))
            return &p->verifications[i];
    }
    return NULL;
}

static enum finding wait_for(struct exchange *e, struct verification *at)
{
    list_push_back(&at->waiters, &e->verify_node);
    exchange_wait_verdict(e);
    return FINDING_WAIT;
}

/* Asks the verifier. */
static enum finding ask(struct exchange *e, const struct image_basic *basic,
                        const struct basic_credentials *c, const struct verdict_key *key)
{
    struct proxy *p = e->proxy;
    const struct image_view *v = e->image.view;
    char hash[IMAGE_PASSWORD_HASH_BYTES_MAX + 1];
    struct verify_lane *lane = p->config.verify;
    const struct image_user *user = find_user(v, basic, c->user);
    const struct image_user *asked = user != NULL ? user : &v->users[basic->first_user];
    struct slice text = image_text(v, asked->hash);
    ASSERT(text.len < sizeof(hash));
    memcpy(hash, text.ptr, text.len);
    hash[text.len] = '\0';
    uint64_t number = lane == NULL ? 0 : verify_lane_next(lane);
    if (lane == NULL || !verify_lane_ask(lane, c->password, hash))
        return FINDING_FULL;
    stat_inc(p->core, STAT_proxy_verifications);
    struct verification *at = &p->verifications[number % VERIFY_JOBS_MAX];
    ASSERT(list_is_empty(&at->waiters));
    at->key = *key;
    at->is_decoy = user == NULL;
    return wait_for(e, at);
}

/* What is to be said of a value that was not seen before. */
static enum finding look(struct exchange *e, const struct image_basic *basic, struct slice value,
                         const struct verdict_key *key)
{
    struct basic_credentials c;
    struct verification *at = find_verification(e->proxy, key);
    if (at != NULL)
        return wait_for(e, at);
    bool is_read = basic_read(value, &c);
    enum finding found = is_read && basic->n_users > 0 ? ask(e, basic, &c, key) : FINDING_BAD;
    explicit_bzero(&c, sizeof(c));
    return found;
}

static enum finding find(struct exchange *e, const struct image_basic *basic)
{
    struct proxy *p = e->proxy;
    struct slice value;
    bool is_good;
    if (!exchange_header_once(e, SLICE_LIT("authorization"), &value))
        return FINDING_BAD;
    struct verdict_key key = key_of(p, basic, value);
    if (verdict_table_find(&p->verdicts, &key, p->core->now_us, &is_good))
        return is_good ? FINDING_GOOD : FINDING_BAD;
    return look(e, basic, value, &key);
}

bool exchange_authenticate(struct exchange *e, const struct image_rule *rule)
{
    const struct image_view *v = e->image.view;
    const struct image_filter *filter = route_filter_find(v, rule, IMAGE_FILTER_ACCESS);
    ASSERT(!e->is_verifying && e->backend == NULL);
    for (uint32_t i = 0; filter != NULL && i < filter->count; i++) {
        const struct image_access *access = &v->accesses[v->access_uses[filter->first + i]];
        const struct image_basic *basic = &v->basics[access->basic];
        if (access->basic == IMAGE_NONE)
            continue;
        enum finding found = find(e, basic);
        if (found == FINDING_GOOD)
            continue;
        if (found == FINDING_BAD)
            answer_401(e, basic);
        else if (found == FINDING_FULL)
            exchange_answer(e, STAT_proxy_end_verify_full, 503);
        return false;
    }
    return true;
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
    bool is_good;
    unsigned n = 0;
    while (p->config.verify != NULL && n < VERIFY_JOBS_MAX &&
           verify_lane_take(p->config.verify, &number, &is_good)) {
        struct verification *at = &p->verifications[number % VERIFY_JOBS_MAX];
        verdict_table_put(&p->verdicts, &at->key, until_us, is_good && !at->is_decoy);
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
