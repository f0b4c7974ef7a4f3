/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is it? A bearer token is looked up by its keyed SHA-256 among those that were verified; only
 * one that is not there costs an argon2id, and a source that sends wrong ones is soon refused
 * without. The role is read from the Token object at each request: a change or a removal works at
 * once.
 */
#include "api/api_priv.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOKENS "tokens.sluice.internal"

static struct token_entry *cache_find(struct auth *a, const uint8_t digest[DIGEST_BYTES])
{
    struct token_entry *found = NULL;
    for (unsigned i = 0; i < API_TOKEN_CACHE_MAX; i++) {
        struct token_entry *e = &a->cache[i];
        if (e->used_us != 0 && digest_is_same(e->digest, digest, DIGEST_BYTES))
            found = e;
    }
    return found;
}

/* A free entry, or the one that was unused longest. */
static struct token_entry *cache_slot(struct auth *a)
{
    struct token_entry *best = &a->cache[0];
    for (unsigned i = 1; i < API_TOKEN_CACHE_MAX; i++) {
        if (a->cache[i].used_us < best->used_us)
            best = &a->cache[i];
    }
    return best;
}

/* An IPv6 customer has a /64: one source. */
static struct ip_addr source_key(const struct ip_addr *addr)
{
    struct ip_addr key = *addr;
    if (!ip_addr_is_v4(&key))
        memset(&key.bytes[8], 0, 8);
    return key;
}

static struct login_source *source_find(struct auth *a, const struct ip_addr *addr)
{
    struct ip_addr key = source_key(addr);
    for (unsigned i = 0; i < a->sources_n; i++) {
        if (ip_addr_eq(&a->sources[i].addr, &key))
            return &a->sources[i];
    }
    return NULL;
}

static struct login_source *source_get(struct auth *a, const struct ip_addr *addr, uint64_t now_us)
{
    struct login_source *s = source_find(a, addr);
    if (s != NULL)
        return s;
    s = &a->sources[0];
    if (a->sources_n < API_LOGIN_SOURCES_MAX) {
        s = &a->sources[a->sources_n++];
    } else {
        for (unsigned i = 1; i < a->sources_n; i++) {
            if (a->sources[i].since_us < s->since_us)
                s = &a->sources[i];
        }
    }
    *s = (struct login_source){.addr = source_key(addr), .since_us = now_us};
    return s;
}

/* Failures fade: one every API_LOGIN_REFILL_MS. */
static bool is_limited(struct auth *a, const struct ip_addr *addr, uint64_t now_us)
{
    struct login_source *s = source_find(a, addr);
    if (s == NULL)
        return false;
    uint64_t faded = (now_us - s->since_us) / (API_LOGIN_REFILL_MS * 1000ull);
    s->since_us += faded * API_LOGIN_REFILL_MS * 1000ull;
    s->failures -= faded < s->failures ? (uint32_t)faded : s->failures;
    return s->failures >= API_LOGIN_FAILURES_MAX;
}

/* The token of "Bearer <token>"; the scheme in any case (RFC 9110, section 11.1). */
static bool bearer_token(const struct http_head *head, struct slice *ret)
{
    struct slice value;
    struct slice scheme = SLICE_LIT("Bearer ");
    if (!http_head_known(head, HTTP_KNOWN_AUTHORIZATION, &value) || value.len <= scheme.len ||
        !slice_eq_nocase(slice_of(value.ptr, scheme.len), scheme))
        return false;
    value = slice_skip(value, scheme.len);
    while (value.len > 0 && value.ptr[0] == ' ')
        value = slice_skip(value, 1);
    *ret = value;
    return value.len > 0;
}

static bool is_expired(const json_t *token)
{
    const json_t *spec = json_object_get(token, "spec");
    const char *text = json_string_value(json_object_get(spec, "expiresAt"));
    struct tm parts = {0};
    if (text == NULL)
        return false;
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == NULL)
        return true;
    long offset_s = 0;
    if (*rest == '.')
        rest += strspn(rest + 1, "0123456789") + 1;
    if (*rest == '+' || *rest == '-') {
        long hours = strtol(rest + 1, NULL, 10);
        long minutes = strlen(rest) >= 6 ? strtol(rest + 4, NULL, 10) : 0;
        offset_s = (hours * 3600 + minutes * 60) * (*rest == '+' ? 1 : -1);
    }
    return timegm(&parts) - offset_s <= time(NULL);
}

/* Fills in who it is from the Token object. False: it is gone or no longer valid. */
static bool identify(struct api_call *call, const char *name, const char *uid)
{
    json_t *token = store_get(call->api->store, TOKENS, NULL, name);
    if (token == NULL || (uid != NULL && strcmp(meta_text(token, "uid"), uid) != 0) ||
        is_expired(token))
        return false;
    const json_t *spec = json_object_get(token, "spec");
    const char *role = json_string_value(json_object_get(spec, "role"));
    for (unsigned i = 0; i < API_ROLES; i++) {
        if (role == NULL || strcmp(role, api_role_name((enum api_role)i)) != 0)
            continue;
        call->who.role = (enum api_role)i;
        memcpy(call->who.name, name, strlen(name) + 1);
        call->who.namespaces = json_incref(json_object_get(spec, "namespaces"));
        const char *cluster = json_string_value(json_object_get(spec, "cluster"));
        if (cluster != NULL)
            snprintf(call->who.scope, SCOPE_BYTES, "%s-", cluster);
        return true;
    }
    return false;
}

static bool refuse(struct api_call *call, int code, const char *text)
{
    if (code == 401)
        api_call_fail(call, 401, "Unauthorized", "Unauthorized: %s", text);
    else
        api_call_fail(call, 429, "TooManyRequests", "%s", text);
    return false;
}

/* A token that is not in the cache: the expensive way. */
static bool verify(struct api_call *call, struct slice token, const uint8_t digest[DIGEST_BYTES])
{
    struct api *api = call->api;
    uint64_t now_us = loop_now_us(api->loop);
    char name[NAME_BYTES];
    if (is_limited(&api->auth, &call->source, now_us)) {
        api->stats.logins_limited += 1;
        return refuse(call, 429, "too many wrong tokens from this address: wait and try again");
    }
    if (!token_name(token, name) || !token_verify(api->store, name, token) ||
        !identify(call, name, NULL)) {
        source_get(&api->auth, &call->source, now_us)->failures += 1;
        api->stats.logins_failed += 1;
        return refuse(call, 401, "the token is wrong, expired or was removed");
    }
    struct token_entry *e = cache_slot(&api->auth);
    *e = (struct token_entry){.used_us = now_us};
    memcpy(e->digest, digest, DIGEST_BYTES);
    memcpy(e->name, name, strlen(name) + 1);
    json_t *object = store_get(api->store, TOKENS, NULL, name);
    strncpy(e->uid, meta_text(object, "uid"), sizeof(e->uid) - 1);
    return true;
}

bool auth_check(struct api_call *call, const struct http_head *head)
{
    struct api *api = call->api;
    struct slice token;
    uint8_t digest[DIGEST_BYTES];
    if (!bearer_token(head, &token))
        return refuse(call, 401, "a bearer token is needed");
    struct slice keyed[2] = {slice_of(api->auth.key, DIGEST_BYTES), token};
    if (!digest_sha256(keyed, 2, digest))
        return refuse(call, 401, "the token cannot be checked now");
    struct token_entry *e = cache_find(&api->auth, digest);
    if (e == NULL)
        return verify(call, token, digest);
    if (identify(call, e->name, e->uid)) {
        e->used_us = loop_now_us(api->loop);
        return true;
    }
    *e = (struct token_entry){0};
    return refuse(call, 401, "the token is wrong, expired or was removed");
}
