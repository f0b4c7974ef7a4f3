/* SPDX-License-Identifier: Apache-2.0 */
/* The flow table; see the header for its shape. */
#include "core/flow_table.h"

#include "base/assert.h"
#include "base/container.h"

#include <string.h>

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
static uint32_t bucket_at(const struct flow_table *t, uint64_t hash, unsigned probe)
{
    return ((uint32_t)hash + probe) & t->mask;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first of four tags is the lowest");
static_assert(FLOW_TABLE_PLACES % 4 == 0, "words of four tags");

/* Which of four tags are this one: the highest bit of each that is. */
static inline uint64_t match4(const uint16_t *tags, uint16_t tag)
{
    const uint64_t low = 0x7fff7fff7fff7fffull;
    uint64_t x;
    memcpy(&x, tags, sizeof(x));
    x ^= tag * 0x0001000100010001ull;
    return ~(((x & low) + low) | x | low);
}

uint32_t flow_table_buckets(uint32_t flows)
{
    uint32_t buckets = FLOW_TABLE_PROBES;
    while (buckets < UINT32_MAX / 2 && (uint64_t)buckets * FLOW_TABLE_PLACES / 2 < flows)
        buckets *= 2;
    return buckets;
}

void flow_table_init(struct flow_table *t, struct flow_bucket *buckets, uint32_t n_buckets,
                     const struct siphash_key *key, flow_table_tuple_fn tuple_of, const void *owner)
{
    ASSERT(n_buckets >= FLOW_TABLE_PROBES);
    ASSERT((n_buckets & (n_buckets - 1)) == 0);
    *t = (struct flow_table){
        .buckets = buckets,
        .mask = n_buckets - 1,
        .key = *key,
        .tuple_of = tuple_of,
        .owner = owner,
    };
}

/* Of both ends of IPv4 only what differs: the rest is the same in all of them. */
static uint64_t hash_ip4(const struct flow_table *t, const struct flow_tuple *tuple)
{
    uint32_t local, remote, ports;
    memcpy(&local, &tuple->local.bytes[12], 4);
    memcpy(&remote, &tuple->remote.bytes[12], 4);
    memcpy(&ports, &tuple->local_port, 4);
    uint64_t words[2] = {(uint64_t)remote << 32 | local, ports};
    return siphash13(&t->key, words, 2);
}

uint64_t flow_table_hash(const struct flow_table *t, const struct flow_tuple *tuple)
{
    uint64_t words[5] = {0};
    if (ip_addr_is_v4(&tuple->remote) && ip_addr_is_v4(&tuple->local))
        return hash_ip4(t, tuple);
    memcpy(words, tuple, sizeof(*tuple));
    return siphash13(&t->key, words, array_len(words));
}

void flow_table_hash_ip4(const struct flow_table *t, const uint64_t *addresses,
                         const uint64_t *ports, uint64_t *ret, unsigned n)
{
    siphash13_pairs(&t->key, addresses, ports, ret, n);
}

void flow_table_prefetch(const struct flow_table *t, uint64_t hash)
{
    __builtin_prefetch(&t->buckets[bucket_at(t, hash, 0)]);
}

flow_entry_t flow_table_guess(const struct flow_table *t, uint64_t hash)
{
    const struct flow_bucket *b = &t->buckets[bucket_at(t, hash, 0)];
    for (unsigned i = 0; i < FLOW_TABLE_PLACES; i += 4) {
        uint64_t found = match4(&b->tags[i], tag_of(hash));
        if (found != 0)
            return (flow_entry_t){b->entries[i + (unsigned)__builtin_ctzll(found) / 16]};
    }
    return FLOW_ENTRY_NONE;
}

/* The entry of the tuple in the bucket; FLOW_ENTRY_NONE: there is none. */
static flow_entry_t find_in(const struct flow_table *t, const struct flow_bucket *b, uint16_t tag,
                            const struct flow_tuple *tuple)
{
    for (unsigned i = 0; i < FLOW_TABLE_PLACES; i += 4) {
        for (uint64_t found = match4(&b->tags[i], tag); found != 0; found &= found - 1) {
            flow_entry_t e = {b->entries[i + (unsigned)__builtin_ctzll(found) / 16]};
            if (flow_tuple_eq(t->tuple_of(t->owner, e), tuple))
                return e;
        }
    }
    return FLOW_ENTRY_NONE;
}

flow_entry_t flow_table_find(const struct flow_table *t, uint64_t hash,
                             const struct flow_tuple *tuple)
{
    uint16_t tag = tag_of(hash);
    for (unsigned probe = 0; probe < FLOW_TABLE_PROBES; probe++) {
        const struct flow_bucket *b = &t->buckets[bucket_at(t, hash, probe)];
        flow_entry_t e = find_in(t, b, tag, tuple);
        if (e.v != FLOW_ENTRY_NONE.v)
            return e;
        if (b->passed == 0)
            break;
    }
    return FLOW_ENTRY_NONE;
}

bool flow_table_insert(struct flow_table *t, uint64_t hash, flow_entry_t e)
{
    ASSERT_HOT(e.v != FLOW_ENTRY_NONE.v);
    for (unsigned probe = 0; probe < FLOW_TABLE_PROBES; probe++) {
        struct flow_bucket *b = &t->buckets[bucket_at(t, hash, probe)];
        for (unsigned i = 0; i < FLOW_TABLE_PLACES; i++) {
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
static struct place place_of(const struct flow_table *t, uint64_t hash, flow_entry_t e,
                             unsigned *ret_probe)
{
    for (unsigned probe = 0; probe < FLOW_TABLE_PROBES; probe++) {
        uint32_t bucket = bucket_at(t, hash, probe);
        for (unsigned i = 0; i < FLOW_TABLE_PLACES; i++) {
            if (t->buckets[bucket].tags[i] != 0 && t->buckets[bucket].entries[i] == e.v) {
                *ret_probe = probe;
                return (struct place){bucket, i};
            }
        }
    }
    ASSERT(!"an entry that is not in the table");
    return (struct place){0, 0};
}

void flow_table_remove(struct flow_table *t, uint64_t hash, flow_entry_t e)
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

void flow_table_replace(struct flow_table *t, uint64_t hash, flow_entry_t old, flow_entry_t fresh)
{
    unsigned probe = 0;
    struct place p = place_of(t, hash, old, &probe);
    ASSERT_HOT(t->buckets[p.bucket].tags[p.slot] == tag_of(hash));
    ASSERT_HOT(fresh.v != FLOW_ENTRY_NONE.v);
    t->buckets[p.bucket].entries[p.slot] = fresh.v;
}
