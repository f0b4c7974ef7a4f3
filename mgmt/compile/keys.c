/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of keys: collected, sorted, each once, written. */
#include "compile/keys.h"

#include "attach/plan.h"
#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct item {
    struct keys_id id;
    struct slice certificate;
    struct slice key; /* empty: a bundle */
};

static uint32_t count_before(const void *before)
{
    return before == NULL ? 0 : ((const struct keys_header *)before)->count;
}

static size_t count_all(const struct plan *plan, const void *before)
{
    size_t n = count_before(before);
    for (uint32_t i = 0; i < plan->n_listeners; i++)
        n += plan->listeners[i].n_identities + 1;
    return n + plan->n_gateways + plan->n_groups;
}

static struct item item_of(const struct plan_identity *identity)
{
    return (struct item){identity->id, identity->certificate, identity->key};
}

/* A bundle has no key. */
static struct item item_of_bundle(const struct plan_bundle *bundle)
{
    return (struct item){.id = bundle->id, .certificate = bundle->pem};
}

/* What connections to backends need. */
static size_t collect_backends(const struct plan *plan, struct item *ret)
{
    size_t n = 0;
    for (uint32_t i = 0; i < plan->n_gateways; i++) {
        if (plan->gateways[i].identity != NULL)
            ret[n++] = item_of(plan->gateways[i].identity);
    }
    for (uint32_t i = 0; i < plan->n_groups; i++) {
        const struct plan_backend_tls *tls = plan->groups[i].tls;
        if (tls != NULL && tls->bundle.pem.len > 0)
            ret[n++] = item_of_bundle(&tls->bundle);
    }
    return n;
}

static size_t collect(const struct plan *plan, const void *before, struct item *ret)
{
    size_t n = 0;
    for (uint32_t i = 0; i < count_before(before); i++) {
        const struct keys_entry *e = &keys_entries(before)[i];
        ret[n++] = (struct item){e->id, keys_certificate(before, e), keys_key(before, e)};
    }
    for (uint32_t i = 0; i < plan->n_listeners; i++) {
        const struct plan_listener *l = &plan->listeners[i];
        for (uint32_t k = 0; l->is_served && k < l->n_identities; k++)
            ret[n++] = item_of(&l->identities[k]);
        if (l->is_served && l->clients != NULL)
            ret[n++] = item_of_bundle(&l->clients->bundle);
    }
    return n + collect_backends(plan, ret + n);
}

static int compare_items(const void *x, const void *y)
{
    const struct item *a = x, *b = y;
    return keys_id_order(&a->id, &b->id);
}

/* Sorted, each once. Returns how many. */
static size_t tidy(struct item *items, size_t n)
{
    size_t kept = 0;
    qsort(items, n, sizeof(*items), compare_items);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || keys_id_order(&items[kept - 1].id, &items[i].id) != 0)
            items[kept++] = items[i];
    }
    return kept;
}

/* Where the next bytes stand. */
static uint32_t put(uint8_t *data, size_t *end, struct slice bytes)
{
    uint32_t at = (uint32_t)*end;
    memcpy(data + at, bytes.ptr, bytes.len);
    *end += bytes.len;
    return at;
}

static struct keys_header header_of(const struct keys_segment_input *in, size_t n)
{
    return (struct keys_header){.magic = KEYS_MAGIC,
                                .version = KEYS_VERSION,
                                .count = (uint32_t)n,
                                .tickets = in->n_tickets};
}

static void write_segment(const struct keys_segment_input *in, const struct item *items, size_t n,
                          void *data, size_t len)
{
    struct keys_header *header = data;
    *header = header_of(in, n);
    header->length = len;
    struct keys_entry *entries = (struct keys_entry *)(header + 1);
    size_t end = keys_tables_end(header);
    if (in->n_tickets > 0)
        memcpy(entries + n, in->tickets, in->n_tickets * sizeof(*in->tickets));
    for (size_t i = 0; i < n; i++) {
        entries[i] = (struct keys_entry){.id = items[i].id,
                                         .certificate_length = (uint32_t)items[i].certificate.len,
                                         .key_length = (uint32_t)items[i].key.len};
        entries[i].certificate_offset = put(data, &end, items[i].certificate);
        if (items[i].key.len > 0)
            entries[i].key_offset = put(data, &end, items[i].key);
    }
    ASSERT(end == len);
    header->checksum = keys_checksum(data, len);
}

static size_t segment_bytes(const struct keys_segment_input *in, const struct item *items, size_t n)
{
    const struct keys_header header = header_of(in, n);
    size_t len = keys_tables_end(&header);
    for (size_t i = 0; i < n; i++)
        len += items[i].certificate.len + items[i].key.len;
    return len;
}

int keys_segment_new(const struct keys_segment_input *in, void **ret_data, size_t *ret_len)
{
    struct item *items = calloc(count_all(in->plan, in->before) + 1, sizeof(*items));
    ASSERT(in->n_tickets <= KEYS_TICKETS_MAX);
    if (items == NULL)
        return -ENOMEM;
    size_t n = tidy(items, collect(in->plan, in->before, items));
    size_t len = segment_bytes(in, items, n);
    void *data = n <= KEYS_MAX && len <= KEYS_BYTES_MAX ? malloc(len) : NULL;
    int error = data != NULL ? 0 : n > KEYS_MAX || len > KEYS_BYTES_MAX ? -E2BIG : -ENOMEM;
    if (data != NULL) {
        write_segment(in, items, n, data, len);
        *ret_data = data;
        *ret_len = len;
    }
    free(items);
    return error;
}

void keys_segment_free(void *data)
{
    if (data == NULL)
        return;
    explicit_bzero(data, ((const struct keys_header *)data)->length);
    free(data);
}
