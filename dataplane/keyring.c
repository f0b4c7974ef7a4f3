/* SPDX-License-Identifier: Apache-2.0 */
/* An array sorted by id, as the segment's entries are. Thread: housekeeping. */
#include "keyring.h"

#include "base/assert.h"
#include "tls/digest.h"
#include "tls/tls_identity.h"
#include "tls/tls_trust.h"

#include <stdlib.h>
#include <string.h>

/* An identity or a bundle of CAs; held by the ring and by each image that names it. */
struct ring_entry {
    struct keys_id id;
    struct tls_identity *identity; /* NULL: it is a bundle */
    struct tls_trust *trust;       /* NULL: it is an identity */
    uint32_t holds;
};

/* A segment on its way into the ring. */
struct taking {
    const void *data;        /* NULL: none */
    uint32_t n;              /* of its entries are in `all` */
    uint32_t next;           /* of the ring's: the first that may be the next entry's */
    struct ring_entry **all; /* as long as the segment */
};

struct keyring {
    uint32_t n;
    struct ring_entry **all; /* by growing id; NULL: none yet */
    uint64_t n_read;         /* since it was made */
    struct taking taking;
};

static void let_go(struct ring_entry *r)
{
    ASSERT(r->holds > 0);
    if (--r->holds > 0)
        return;
    tls_identity_free(r->identity);
    tls_trust_free(r->trust);
    free(r);
}

static void let_all_go(struct ring_entry **all, uint32_t n)
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
    keyring_give_up(k);
    let_all_go(k->all, k->n);
    free(k);
}

static int compare_ids(const void *key, const void *element)
{
    const struct ring_entry *const *r = element;
    return keys_id_order(key, &(*r)->id);
}

static struct ring_entry *find(const struct keyring *k, const struct keys_id *id)
{
    if (k->n == 0)
        return NULL;
    struct ring_entry **found = bsearch(id, k->all, k->n, sizeof(k->all[0]), compare_ids);
    return found != NULL ? *found : NULL;
}

/* Is the id the beginning of the digest of what it names? */
static bool is_id_of(const struct keys_entry *e, struct slice certificates)
{
    uint8_t digest[DIGEST_BYTES];
    const struct slice parts[] = {
        keys_is_bundle(e) ? SLICE_LIT(KEYS_BUNDLE_PREFIX) : (struct slice){NULL, 0}, certificates};
    return digest_sha256(parts, 2, digest) && memcmp(digest, e->id.bytes, sizeof(e->id.bytes)) == 0;
}

static enum keys_fault read_entry(const void *data, const struct keys_entry *e,
                                  struct ring_entry *ret)
{
    struct slice certificates = keys_certificate(data, e);
    enum tls_fault fault = keys_is_bundle(e)
                               ? tls_trust_new(certificates, &ret->trust)
                               : tls_identity_new(certificates, keys_key(data, e), &ret->identity);
    if (fault == TLS_FAULT_OK)
        return KEYS_FAULT_OK;
    if (fault == TLS_FAULT_MEMORY)
        return KEYS_FAULT_MEMORY;
    return keys_is_bundle(e) ? KEYS_FAULT_BUNDLE : KEYS_FAULT_IDENTITY;
}

static enum keys_fault load(const void *data, const struct keys_entry *e, struct ring_entry **ret)
{
    if (!is_id_of(e, keys_certificate(data, e)))
        return KEYS_FAULT_ID;
    struct ring_entry *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return KEYS_FAULT_MEMORY;
    *r = (struct ring_entry){.id = e->id, .holds = 1};
    enum keys_fault fault = read_entry(data, e, r);
    if (fault != KEYS_FAULT_OK) {
        free(r);
        return fault;
    }
    *ret = r;
    return KEYS_FAULT_OK;
}

/* What the ring has of the segment's next entry; NULL: nothing. Both are in the same order. */
static struct ring_entry *find_next(struct keyring *k, const struct keys_id *id)
{
    struct taking *t = &k->taking;
    while (t->next < k->n && keys_id_order(&k->all[t->next]->id, id) < 0)
        t->next++;
    return t->next < k->n && keys_id_order(&k->all[t->next]->id, id) == 0 ? k->all[t->next] : NULL;
}

enum keys_fault keyring_begin(struct keyring *k, const void *data, size_t len, uint32_t *ret_index)
{
    ASSERT(k->taking.data == NULL);
    enum keys_fault fault = keys_check(data, len, ret_index);
    if (fault != KEYS_FAULT_OK)
        return fault;
    struct ring_entry **all =
        calloc(((const struct keys_header *)data)->count + 1, sizeof(struct ring_entry *));
    if (all == NULL)
        return KEYS_FAULT_MEMORY;
    k->taking = (struct taking){.data = data, .all = all};
    return KEYS_FAULT_OK;
}

void keyring_give_up(struct keyring *k)
{
    let_all_go(k->taking.all, k->taking.n);
    k->taking = (struct taking){.data = NULL};
}

/* Takes the next entry: the ring's own, held once more, or one that is read now. */
static enum keys_fault take_next(struct keyring *k)
{
    struct taking *t = &k->taking;
    const struct keys_entry *e = &keys_entries(t->data)[t->n];
    struct ring_entry *r = find_next(k, &e->id);
    if (r != NULL) {
        r->holds++;
    } else {
        enum keys_fault fault = load(t->data, e, &r);
        if (fault != KEYS_FAULT_OK)
            return fault;
        k->n_read++;
    }
    t->all[t->n++] = r;
    return KEYS_FAULT_OK;
}

bool keyring_step(struct keyring *k, enum keys_fault *ret_fault, uint32_t *ret_index)
{
    struct taking *t = &k->taking;
    ASSERT(t->data != NULL);
    uint32_t count = ((const struct keys_header *)t->data)->count;
    uint64_t n_read_max = k->n_read + KEYRING_READS_PER_STEP;
    for (unsigned i = 0; t->n < count; i++) {
        if (i == KEYRING_ENTRIES_PER_STEP || k->n_read == n_read_max)
            return false;
        enum keys_fault fault = take_next(k);
        if (fault == KEYS_FAULT_OK)
            continue;
        *ret_fault = fault;
        *ret_index = t->n;
        keyring_give_up(k);
        return true;
    }
    let_all_go(k->all, k->n);
    *k = (struct keyring){.n = count, .all = t->all, .n_read = k->n_read};
    *ret_fault = KEYS_FAULT_OK;
    return true;
}

enum keys_fault keyring_take(struct keyring *k, const void *data, size_t len, uint32_t *ret_index)
{
    enum keys_fault fault = keyring_begin(k, data, len, ret_index);
    if (fault != KEYS_FAULT_OK)
        return fault;
    while (!keyring_step(k, &fault, ret_index)) {
    }
    return fault;
}

static struct key_lease *lease_new(uint32_t n_identities, uint32_t n_bundles)
{
    struct key_lease *lease = calloc(1, sizeof(*lease));
    if (lease == NULL)
        return NULL;
    lease->identities = calloc(n_identities + 1, sizeof(const struct tls_identity *));
    lease->trusts = calloc(n_bundles + 1, sizeof(const struct tls_trust *));
    lease->held = calloc(n_identities + n_bundles + 1, sizeof(struct ring_entry *));
    if (lease->identities != NULL && lease->trusts != NULL && lease->held != NULL)
        return lease;
    keyring_return(lease);
    return NULL;
}

/* What the ring has under the id, held once more; NULL: nothing of that kind. */
static const struct ring_entry *hold(const struct keyring *k, const struct keys_id *id,
                                     bool is_bundle, struct key_lease *lease)
{
    struct ring_entry *r = find(k, id);
    if (r == NULL || (r->trust != NULL) != is_bundle)
        return NULL;
    r->holds++;
    lease->held[lease->n_held++] = r;
    return r;
}

/* False: *ret_missing is not there. */
static bool hold_all(const struct keyring *k, const struct image_view *v, struct key_lease *lease,
                     struct image_string *ret_missing)
{
    for (uint32_t i = 0; i < v->n_identities; i++) {
        const struct ring_entry *r = hold(k, &v->identities[i].id, false, lease);
        *ret_missing = v->identities[i].name;
        if (r == NULL)
            return false;
        lease->identities[i] = r->identity;
    }
    for (uint32_t i = 0; i < v->n_bundles; i++) {
        const struct ring_entry *r = hold(k, &v->bundles[i].id, true, lease);
        *ret_missing = v->bundles[i].name;
        if (r == NULL)
            return false;
        lease->trusts[i] = r->trust;
    }
    return true;
}

struct key_lease *keyring_lease(struct keyring *k, const struct image_view *v,
                                struct image_string *ret_missing)
{
    struct key_lease *lease = lease_new(v->n_identities, v->n_bundles);
    *ret_missing = (struct image_string){0, 0};
    if (lease != NULL && !hold_all(k, v, lease, ret_missing)) {
        keyring_return(lease);
        return NULL;
    }
    return lease;
}

void keyring_return(struct key_lease *lease)
{
    if (lease == NULL)
        return;
    for (uint32_t i = 0; i < lease->n_held; i++)
        let_go(lease->held[i]);
    free(lease->identities);
    free(lease->trusts);
    free(lease->held);
    free(lease);
}

uint32_t keyring_count(const struct keyring *k)
{
    return k->n;
}

uint64_t keyring_count_read(const struct keyring *k)
{
    return k->n_read;
}
