/* SPDX-License-Identifier: Apache-2.0 */
/* A hash table of chains, by the object's address. See identity_cache.h. */
#include "attach/identity_cache.h"

#include "base/assert.h"
#include "base/siphash.h"
#include "model/text.h"
#include "tls/digest.h"
#include "tls/tls_identity.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 16384u /* for KEYS_MAX of them: four each */
#define STAPLE_KEY "tls.ocsp-staple"

struct entry {
    struct entry *next;
    const json_t *secret; /* ours, so that no other object gets its address */
    bool is_used;         /* since the last trim */
    struct identity_reading reading;
    char *certificate, *key;
};

struct identity_cache {
    unsigned reads_left;
    struct entry *buckets[BUCKETS];
};

struct identity_cache *identity_cache_new(void)
{
    struct identity_cache *c = calloc(1, sizeof(*c));
    if (c != NULL) {
        c->reads_left = UINT_MAX;
    }
    return c;
}

static void entry_free(struct entry *e)
{
    if (e->key != NULL) {
        explicit_bzero(e->key, strlen(e->key));
    }
    free(e->key);
    free(e->certificate);
    json_decref((json_t *)(uintptr_t)e->secret);
    free(e);
}

void identity_cache_free(struct identity_cache *c)
{
    if (c == NULL) {
        return;
    }
    for (uint32_t i = 0; i < BUCKETS; i++) {
        struct entry *e;
        while ((e = c->buckets[i]) != NULL) {
            c->buckets[i] = e->next;
            entry_free(e);
        }
    }
    free(c);
}

void identity_cache_allow(struct identity_cache *c, unsigned reads)
{
    c->reads_left = reads;
}

/* An entry of the Secret in text; "" if it has none. */
static const char *text_of(const json_t *secret, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(secret, "data"), key));
    return text != NULL ? text : "";
}

/* The same, decoded; empty also if it is no base64. */
static char *decoded_of(const json_t *secret, const char *key)
{
    char *decoded = text_base64_decode(text_of(secret, key));
    return decoded != NULL ? decoded : calloc(1, 1);
}

/* The chain with the OCSP response behind it, as a block of PEM: its base64 is that of the Secret,
 * in lines. */
static char *with_staple(const char *chain, const char *base64)
{
    enum { LINE = 64 };
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);
    ASSERT(to != NULL);
    fprintf(to, "%s\n-----BEGIN OCSP RESPONSE-----\n", chain);
    for (size_t left = strlen(base64), n; left > 0; left -= n, base64 += n) {
        n = left < LINE ? left : LINE;
        fprintf(to, "%.*s\n", (int)n, base64);
    }
    fputs("-----END OCSP RESPONSE-----\n", to);
    bool is_whole = fclose(to) == 0;
    ASSERT(is_whole);
    return text;
}

/* Can the dataplane load it? */
static enum tls_fault try_identity(const char *certificate, const char *key)
{
    struct tls_identity *loaded = NULL;
    struct slice chain = slice_of_str(certificate), private_key = slice_of_str(key);
    if (chain.len > KEYS_PEM_BYTES_MAX || private_key.len > KEYS_PEM_BYTES_MAX) {
        return TLS_FAULT_CERTIFICATE;
    }
    enum tls_fault fault = tls_identity_new(chain, private_key, &loaded);
    tls_identity_free(loaded);
    return fault;
}

/* With the Secret's OCSP response if that can be used; without, if it cannot: an old response must
 * not take a listener from its clients. */
static enum tls_fault try_both(struct entry *e)
{
    const char *base64 = text_of(e->secret, STAPLE_KEY);
    if (base64[0] == '\0') {
        return try_identity(e->certificate, e->key);
    }
    char *stapled = with_staple(e->certificate, base64);
    if (try_identity(stapled, e->key) == TLS_FAULT_OK) {
        free(e->certificate);
        e->certificate = stapled;
        return TLS_FAULT_OK;
    }
    free(stapled);
    e->reading.is_staple_bad = true;
    return try_identity(e->certificate, e->key);
}

static void read_entry(struct entry *e)
{
    struct identity_reading *r = &e->reading;
    uint8_t digest[DIGEST_BYTES];
    e->certificate = decoded_of(e->secret, "tls.crt");
    e->key = decoded_of(e->secret, "tls.key");
    ASSERT(e->certificate != NULL && e->key != NULL);
    bool has_both = e->certificate[0] != '\0' && e->key[0] != '\0';
    r->fault = has_both ? try_both(e) : TLS_FAULT_CERTIFICATE;
    r->certificate = slice_of_str(e->certificate);
    r->key = slice_of_str(e->key);
    if (r->fault == TLS_FAULT_OK && !digest_sha256(&r->certificate, 1, digest)) {
        r->fault = TLS_FAULT_MEMORY;
    }
    if (r->fault == TLS_FAULT_OK) {
        memcpy(r->id.bytes, digest, sizeof(r->id.bytes));
    }
}

static struct entry **bucket_of(struct identity_cache *c, const json_t *secret)
{
    const struct siphash_key none = {0, 0};
    return &c->buckets[siphash(&none, &secret, sizeof(secret)) % BUCKETS];
}

const struct identity_reading *identity_cache_read(struct identity_cache *c, const json_t *secret)
{
    struct entry **bucket = bucket_of(c, secret);
    for (struct entry *e = *bucket; e != NULL; e = e->next) {
        if (e->secret == secret) {
            e->is_used = true;
            return &e->reading;
        }
    }
    if (c->reads_left == 0) {
        return NULL;
    }
    c->reads_left--;
    struct entry *e = calloc(1, sizeof(*e));
    ASSERT(e != NULL);
    *e = (struct entry){
        .next = *bucket, .secret = json_incref((json_t *)(uintptr_t)secret), .is_used = true};
    read_entry(e);
    *bucket = e;
    return &e->reading;
}

void identity_cache_trim(struct identity_cache *c)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        struct entry **link = &c->buckets[i];
        while (*link != NULL) {
            struct entry *e = *link;
            /* What there was no memory for is tried again. */
            bool is_kept = e->is_used && e->reading.fault != TLS_FAULT_MEMORY;
            e->is_used = false;
            if (is_kept) {
                link = &e->next;
                continue;
            }
            *link = e->next;
            entry_free(e);
        }
    }
}
