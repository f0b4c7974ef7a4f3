/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords and tokens that access policies ask for (Basic, RFC 7617; Bearer, RFC 6750, with JWT).
 * To ask a good hash takes 50 ms or more, and a signature memory, which no worker has: the verifier
 * does it (verify/verify_lane.h), the exchange waits meanwhile without a backend (verification.c),
 * and what was found is remembered. So a client that comes again costs a look into a table. A
 * token's times are looked at whenever it comes.
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
    FINDING_NONE, /* nothing came of what is asked for */
    FINDING_BAD,
    FINDING_WAIT,     /* it is one of a verification's waiters */
    FINDING_FULL,     /* nobody can look now */
    FINDING_NO_CLOCK, /* nobody knows whether it is good now */
};

/* What a policy asks for: one of the two. */
struct demand {
    const struct image_basic *basic;
    const struct image_jwt *jwt;
};

static void answer_401(struct exchange *e, const struct demand *d, enum finding found)
{
    struct field_list l;
    char challenge[CHALLENGE_BYTES];
    struct slice realm =
        image_text(e->image.view, d->jwt != NULL ? d->jwt->realm : d->basic->realm);
    const char *error = found == FINDING_BAD ? ", error=\"invalid_token\"" : "";
    int n = snprintf(challenge, sizeof(challenge), "%s realm=\"%.*s\"%s",
                     d->jwt != NULL ? "Bearer" : "Basic", (int)realm.len, (const char *)realm.ptr,
                     d->jwt != NULL ? error : ", charset=\"UTF-8\"");
    ASSERT(n > 0 && (size_t)n < sizeof(challenge));
    field_list_init(&l);
    exchange_cors_fields(e, &l);
    field_list_add(&l, SLICE_LIT("WWW-Authenticate"), slice_of(challenge, (size_t)n));
    exchange_answer_with(e, STAT_proxy_end_unauthenticated, 401, &l);
}

static struct verdict_key key_of(const struct proxy *p, const struct demand *d, struct slice value)
{
    const uint64_t *id = d->jwt != NULL ? d->jwt->id : d->basic->id;
    const struct siphash_key *secret = &p->core->hash_key;
    struct verdict_key key;
    for (unsigned i = 0; i < 2; i++) {
        struct siphash_key half = {secret->k0 ^ id[i], secret->k1 ^ (i + 1)};
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

/* Asks whether that is the user's password; of somebody who does not exist, somebody's. */
static bool ask_password(const struct image_view *v, const struct image_basic *basic,
                         const struct basic_credentials *c, struct verify_lane *lane,
                         bool *ret_is_decoy)
{
    char hash[IMAGE_PASSWORD_HASH_BYTES_MAX + 1];
    const struct image_user *user = find_user(v, basic, c->user);
    const struct image_user *asked = user != NULL ? user : &v->users[basic->first_user];
    struct slice text = image_text(v, asked->hash);
    ASSERT(text.len < sizeof(hash));
    memcpy(hash, text.ptr, text.len);
    hash[text.len] = '\0';
    *ret_is_decoy = user == NULL;
    return verify_lane_ask(lane, c->password, hash);
}

static enum finding look_password(struct exchange *e, const struct image_basic *basic,
                                  struct slice value, const struct verdict_key *key)
{
    struct verify_lane *lane = e->proxy->config.verify;
    struct basic_credentials c;
    bool is_decoy = false;
    if (!basic_read(value, &c) || basic->n_users == 0) {
        explicit_bzero(&c, sizeof(c));
        return FINDING_BAD;
    }
    uint64_t number = lane == NULL ? 0 : verify_lane_next(lane);
    bool is_asked = lane != NULL && ask_password(e->image.view, basic, &c, lane, &is_decoy);
    explicit_bzero(&c, sizeof(c));
    if (!is_asked)
        return FINDING_FULL;
    verification_begin(e, number, key, is_decoy);
    return FINDING_WAIT;
}

static enum finding look_token(struct exchange *e, const struct image_jwt *jwt, struct slice token,
                               const struct verdict_key *key)
{
    struct verify_lane *lane = e->proxy->config.verify;
    if (token.len == 0 || token.len > VERIFY_TOKEN_BYTES_MAX || jwt->n_keys == 0)
        return FINDING_BAD;
    uint64_t number = lane == NULL ? 0 : verify_lane_next(lane);
    bool is_asked = lane != NULL && bearer_ask(e->image.view, jwt, token, lane);
    if (!is_asked)
        return FINDING_FULL;
    verification_begin(e, number, key, false);
    return FINDING_WAIT;
}

/* Is it good now? A token's times have some leeway, for clocks differ (RFC 7519, section 4.1.4). */
static bool is_good_now(const struct proxy *p, const struct demand *d,
                        const struct verify_answer *answer)
{
    if (d->jwt == NULL || !answer->is_good)
        return answer->is_good;
    bool is_over = answer->to_s != VERIFY_FOR_EVER &&
                   p->unix_s >= (uint64_t)answer->to_s + PROXY_TOKEN_LEEWAY_S;
    return !is_over && p->unix_s + PROXY_TOKEN_LEEWAY_S >= answer->from_s;
}

static enum finding find(struct exchange *e, const struct demand *d)
{
    struct proxy *p = e->proxy;
    struct slice value, token;
    struct verify_answer answer;
    if (!http_head_find_only(&e->client->http.request->head, SLICE_LIT("authorization"), &value) ||
        (d->jwt != NULL && !bearer_read(value, &token)))
        return FINDING_NONE;
    if (d->jwt != NULL && p->unix_s == 0)
        return FINDING_NO_CLOCK;
    struct verdict_key key = key_of(p, d, value);
    if (verdict_table_find(&p->verdicts, &key, p->core->now_us, &answer))
        return is_good_now(p, d, &answer) ? FINDING_GOOD : FINDING_BAD;
    struct verification *at = verification_find(p, &key);
    if (at != NULL) {
        verification_wait(e, at);
        return FINDING_WAIT;
    }
    return d->jwt != NULL ? look_token(e, d->jwt, token, &key)
                          : look_password(e, d->basic, value, &key);
}

/* Does what it says. True: the request goes on. */
static bool obey(struct exchange *e, const struct demand *d, enum finding found)
{
    switch (found) {
    case FINDING_GOOD:
        return true;
    case FINDING_NONE:
    case FINDING_BAD:
        answer_401(e, d, found);
        break;
    case FINDING_FULL:
        exchange_answer(e, STAT_proxy_end_verify_full, 503);
        break;
    case FINDING_NO_CLOCK:
        exchange_answer(e, STAT_proxy_end_no_clock, 503);
        break;
    case FINDING_WAIT:
        break;
    }
    return false;
}

bool exchange_authenticate(struct exchange *e, const struct image_rule *rule)
{
    const struct image_view *v = e->image.view;
    const struct image_filter *filter = route_filter_find(v, rule, IMAGE_FILTER_ACCESS);
    ASSERT(!e->is_verifying && e->backend == NULL);
    for (uint32_t i = 0; filter != NULL && i < filter->count; i++) {
        const struct image_access *access = &v->accesses[v->access_uses[filter->first + i]];
        struct demand d = {
            .basic = access->basic == IMAGE_NONE ? NULL : &v->basics[access->basic],
            .jwt = access->jwt == IMAGE_NONE ? NULL : &v->jwts[access->jwt],
        };
        if ((d.basic != NULL || d.jwt != NULL) && !obey(e, &d, find(e, &d)))
            return false;
    }
    return true;
}
