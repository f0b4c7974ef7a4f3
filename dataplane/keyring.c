/* SPDX-License-Identifier: Apache-2.0 */
/* An array sorted by id, as the segment's entries are. Thread: housekeeping. */
#include "keyring.h"

#include "base/assert.h"
#include "tls/digest.h"
#include "tls/tls_identity.h"

#include <stdlib.h>
#include <string.h>

/* One identity; held by the ring and by each image that names it. */
struct ring_identity {
    struct keys_id id;
    struct tls_identity *identity;
    uint32_t holds;
};

struct keyring {
    uint32_t n;
    struct ring_identity **all; /* by growing id; NULL: none yet */
};

static void let_go(struct ring_identity *r)
{
    ASSERT(r->holds > 0);
    if (--r->holds > 0)
        return;
    tls_identity_free(r->identity);
    free(r);
}

static void let_all_go(struct ring_identity **all, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        let_go(all[i]);
    free(all);
}

struct keyring *keyring_new(void)
{
    return calloc(1, sizeof(struct keyring));
}

void keyring_free(struct keyring *k)
{
    if (k == NULL)
        return;
    let_all_go(k->all, k->n);
    free(k);
}

static int compare_ids(const void *key, const void *element)
{
    const struct ring_identity *const *r = element;
    return keys_id_order(key, &(*r)->id);
}

static struct ring_identity *find(const struct keyring *k, const struct keys_id *id)
{
    if (k->n == 0)
        return NULL;
    struct ring_identity **found = bsearch(id, k->all, k->n, sizeof(k->all[0]), compare_ids);
    return found != NULL ? *found : NULL;
}

/* Is the id the beginning of the certificate's digest? */
static bool is_id_of(const struct keys_id *id, struct slice certificate)
{
    uint8_t digest[DIGEST_BYTES];
    return digest_sha256(&certificate, 1, digest) &&
           memcmp(digest, id->bytes, sizeof(id->bytes)) == 0;
}

static enum keys_fault load(const void *data, const struct keys_entry *e,
                            struct ring_identity **ret)
{
    struct slice certificate = keys_certificate(data, e);
    if (!is_id_of(&e->id, certificate))
        return KEYS_FAULT_ID;
    struct ring_identity *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return KEYS_FAULT_MEMORY;
    *r = (struct ring_identity){.id = e->id, .holds = 1};
    enum tls_fault fault = tls_identity_new(certificate, keys_key(data, e), &r->identity);
    if (fault != TLS_FAULT_OK) {
        free(r);
        return fault == TLS_FAULT_MEMORY ? KEYS_FAULT_MEMORY : KEYS_FAULT_IDENTITY;
    }
    *ret = r;
    return KEYS_FAULT_OK;
}

/* The ring's own, held once more, or one that is loaded now. */
static enum keys_fault find_or_load(const struct keyring *k, const void *data,
                                    const struct keys_entry *e, struct ring_identity **ret)
{
    struct ring_identity *known = find(k, &e->id);
    if (known == NULL)
        return load(data, e, ret);
    known->holds++;
    *ret = known;
    return KEYS_FAULT_OK;
}

enum keys_fault keyring_take(struct keyring *k, const void *data, size_t len, uint32_t *ret_index)
{
    enum keys_fault fault = keys_check(data, len, ret_index);
    if (fault != KEYS_FAULT_OK)
        return fault;
    uint32_t count = ((const struct keys_header *)data)->count;
    struct ring_identity **all = calloc(count + 1, sizeof(struct ring_identity *));
    if (all == NULL)
        return KEYS_FAULT_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        fault = find_or_load(k, data, &keys_entries(data)[i], &all[i]);
        if (fault != KEYS_FAULT_OK) {
            *ret_index = i;
            let_all_go(all, i);
            return fault;
        }
    }
    let_all_go(k->all, k->n);
    *k = (struct keyring){.n = count, .all = all};
    return KEYS_FAULT_OK;
}

static struct key_lease *lease_new(uint32_t n)
{
    struct key_lease *lease = calloc(1, sizeof(*lease));
    if (lease == NULL)
        return NULL;
    lease->identities = calloc(n + 1, sizeof(const struct tls_identity *));
    lease->held = calloc(n + 1, sizeof(struct ring_identity *));
    if (lease->identities != NULL && lease->held != NULL)
        return lease;
    keyring_return(lease);
    return NULL;
}

struct key_lease *keyring_lease(struct keyring *k, const struct image_view *v,
                                uint32_t *ret_missing)
{
    struct key_lease *lease = lease_new(v->n_identities);
    *ret_missing = IMAGE_NONE;
    for (uint32_t i = 0; lease != NULL && i < v->n_identities; i++) {
        struct ring_identity *r = find(k, &v->identities[i].id);
        if (r == NULL) {
            *ret_missing = i;
            keyring_return(lease);
            return NULL;
        }
        r->holds++;
        lease->held[lease->n] = r;
        lease->identities[lease->n++] = r->identity;
    }
    return lease;
}

void keyring_return(struct key_lease *lease)
{
    if (lease == NULL)
        return;
    for (uint32_t i = 0; i < lease->n; i++)
        let_go(lease->held[i]);
    free(lease->identities);
    free(lease->held);
    free(lease);
}

uint32_t keyring_count(const struct keyring *k)
{
    return k->n;
}
