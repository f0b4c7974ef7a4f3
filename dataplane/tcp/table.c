/* SPDX-License-Identifier: Apache-2.0 */
/* The flow table; see the header for its shape. */
#include "tcp/table.h"

#include "base/assert.h"

/* Where an entry lies. */
struct place {
    uint32_t bucket;
    unsigned slot;
};

/* The tag of a hash: never 0. The low bits choose the bucket, so the tag is of the high ones. */
static uint16_t tag_of(uint64_t hash)
{
    uint16_t tag = (uint16_t)(hash >> 48);
    return tag == 0 ? 1 : tag;
}

/* The bucket of probe number `probe`. */
static uint32_t bucket_at(const struct tcp_table *t, uint64_t hash, unsigned probe)
{
    return ((uint32_t)hash + probe) & t->mask;
}

uint32_t tcp_table_buckets(uint32_t flows)
{
    uint32_t buckets = TCP_TABLE_PROBES;
    while (buckets < UINT32_MAX / 2 && (uint64_t)buckets * TCP_TABLE_PLACES / 2 < flows)
        buckets *= 2;
    return buckets;
}

void tcp_table_init(struct tcp_table *t, struct tcp_bucket *buckets, uint32_t n_buckets,
                    const struct siphash_key *key, tcp_table_tuple_fn tuple_of, const void *owner)
{
    ASSERT(n_buckets >= TCP_TABLE_PROBES);
    ASSERT((n_buckets & (n_buckets - 1)) == 0);
    *t = (struct tcp_table){
        .buckets = buckets,
        .mask = n_buckets - 1,
        .key = *key,
        .tuple_of = tuple_of,
        .owner = owner,
    };
}

uint64_t tcp_table_hash(const struct tcp_table *t, const struct tcp_tuple *tuple)
{
    return siphash(&t->key, tuple, sizeof(*tuple));
}

void tcp_table_prefetch(const struct tcp_table *t, uint64_t hash)
{
    __builtin_prefetch(&t->buckets[bucket_at(t, hash, 0)]);
}

tcp_entry_t tcp_table_guess(const struct tcp_table *t, uint64_t hash)
{
    const struct tcp_bucket *b = &t->buckets[bucket_at(t, hash, 0)];
    uint16_t tag = tag_of(hash);
    for (unsigned i = 0; i < TCP_TABLE_PLACES; i++) {
        if (b->tags[i] == tag)
            return (tcp_entry_t){b->entries[i]};
    }
    return TCP_ENTRY_NONE;
}

tcp_entry_t tcp_table_find(const struct tcp_table *t, uint64_t hash, const struct tcp_tuple *tuple)
{
    uint16_t tag = tag_of(hash);
    for (unsigned probe = 0; probe < TCP_TABLE_PROBES; probe++) {
        const struct tcp_bucket *b = &t->buckets[bucket_at(t, hash, probe)];
        for (unsigned i = 0; i < TCP_TABLE_PLACES; i++) {
            if (b->tags[i] != tag)
                continue;
            tcp_entry_t e = {b->entries[i]};
            if (memcmp(t->tuple_of(t->owner, e), tuple, sizeof(*tuple)) == 0)
                return e;
        }
        if (b->passed == 0)
            break;
    }
    return TCP_ENTRY_NONE;
}

bool tcp_table_insert(struct tcp_table *t, uint64_t hash, tcp_entry_t e)
{
    ASSERT_HOT(e.v != TCP_ENTRY_NONE.v);
    for (unsigned probe = 0; probe < TCP_TABLE_PROBES; probe++) {
        struct tcp_bucket *b = &t->buckets[bucket_at(t, hash, probe)];
        for (unsigned i = 0; i < TCP_TABLE_PLACES; i++) {
            if (b->tags[i] != 0)
                continue;
            b->tags[i] = tag_of(hash);
            b->entries[i] = e.v;
            t->used++;
            for (unsigned before = 0; before < probe; before++)
                t->buckets[bucket_at(t, hash, before)].passed++;
            return true;
        }
    }
    return false;
}

/* Where `e` lies: it must be there. *ret_probe: how many buckets it went past. */
static struct place place_of(const struct tcp_table *t, uint64_t hash, tcp_entry_t e,
                             unsigned *ret_probe)
{
    for (unsigned probe = 0; probe < TCP_TABLE_PROBES; probe++) {
        uint32_t bucket = bucket_at(t, hash, probe);
        for (unsigned i = 0; i < TCP_TABLE_PLACES; i++) {
            if (t->buckets[bucket].tags[i] != 0 && t->buckets[bucket].entries[i] == e.v) {
                *ret_probe = probe;
                return (struct place){bucket, i};
            }
        }
    }
    ASSERT(!"an entry that is not in the table");
    return (struct place){0, 0};
}

void tcp_table_remove(struct tcp_table *t, uint64_t hash, tcp_entry_t e)
{
    unsigned probe = 0;
    struct place p = place_of(t, hash, e, &probe);
    ASSERT_HOT(t->buckets[p.bucket].tags[p.slot] == tag_of(hash));
    t->buckets[p.bucket].tags[p.slot] = 0;
    ASSERT_HOT(t->used > 0);
    t->used--;
    for (unsigned before = 0; before < probe; before++) {
        ASSERT_HOT(t->buckets[bucket_at(t, hash, before)].passed > 0);
        t->buckets[bucket_at(t, hash, before)].passed--;
    }
}

void tcp_table_replace(struct tcp_table *t, uint64_t hash, tcp_entry_t old, tcp_entry_t fresh)
{
    unsigned probe = 0;
    struct place p = place_of(t, hash, old, &probe);
    ASSERT_HOT(t->buckets[p.bucket].tags[p.slot] == tag_of(hash));
    ASSERT_HOT(fresh.v != TCP_ENTRY_NONE.v);
    t->buckets[p.bucket].entries[p.slot] = fresh.v;
}
