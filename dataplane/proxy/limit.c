/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limits of a rule (RateLimit, by ExtensionRef): lets the request through, or answers 429
 * (RFC 6585, section 4) and says when to come again. A request that one limit refuses costs the
 * rule's other limits nothing: all are asked, then all are charged.
 *
 * Workers share nothing, and a client's connections may be on any of them. So:
 *  - What counts everybody's requests (key Route; requests without the header) is split: each
 *    worker lets its part of the limit through. The sum is what the limit says, which is what
 *    protects a backend, and everybody's connections lie on all workers alike.
 *  - What counts somebody's requests (an address, a header's value) holds whole at each worker: a
 *    client with one connection, which is one worker's, gets what it was promised. Split, it would
 *    be refused at a sixteenth of that. The price: who opens many connections can have as many
 *    times his limit as there are workers.
 * Would change: workers that ask the owner of a key, or a way to steer a client's connections.
 *
 * A bucket's key is a hash of the limit's id, which outlives images, and of what it counts.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "proxy/limit_rate.h"
#include "proxy/proxy_priv.h"
#include "route/filter.h"

#include <stdio.h>

/* One limit and the bucket that the request falls into. */
struct charge {
    uint64_t key;
    uint64_t due_ns;
    struct limit_rate rate;
};

/* The first bits of the address, as the limit says for its family. */
static struct ip_addr prefix_of(const struct ip_addr *addr, const struct image_limit *limit)
{
    unsigned bits = ip_addr_is_v4(addr) ? 96u + limit->prefix4_len : limit->prefix6_len;
    struct ip_addr prefix = *addr;
    for (unsigned i = 0; i < sizeof(prefix.bytes); i++) {
        unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
        if (kept < 8)
            prefix.bytes[i] &= (uint8_t)(0xff00u >> kept);
    }
    return prefix;
}

/* Whose request is it? False: everybody's. */
static bool find_somebody(const struct exchange *e, const struct image_limit *limit,
                          struct ip_addr *buf, struct slice *ret)
{
    switch (limit->key) {
    case IMAGE_LIMIT_CLIENT:
        *buf = prefix_of(&e->client->addrs.remote, limit);
        *ret = slice_of(buf->bytes, sizeof(buf->bytes));
        return true;
    case IMAGE_LIMIT_HEADER:
        return http_head_find_only(&e->client->http.request->head,
                                   image_text(e->image.view, limit->header), ret);
    default:
        return false;
    }
}

static void fill_in(const struct exchange *e, const struct image_limit *limit, struct charge *ret)
{
    const struct core *core = e->proxy->core;
    struct ip_addr buf;
    struct slice who = SLICE_LIT("");
    bool is_somebody = find_somebody(e, limit, &buf, &who);
    if (!is_somebody)
        who = SLICE_LIT("");
    struct siphash_key key = {core->hash_key.k0 ^ limit->id, core->hash_key.k1 ^ is_somebody};
    ret->key = max64(siphash(&key, who.ptr, who.len), 1); /* 0 is no key */
    ret->due_ns = limit_table_due(&e->proxy->limits, ret->key);
    ret->rate = is_somebody ? limit_rate_of(limit, 0, 1)
                            : limit_rate_of(limit, core->worker, core->workers);
}

static void answer(struct exchange *e, uint64_t wait_ns)
{
    struct field_list l;
    char seconds[24];
    int n = snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)limit_wait_s(wait_ns));
    field_list_init(&l);
    exchange_cors_fields(e, &l);
    field_list_add(&l, SLICE_LIT("Retry-After"), slice_of(seconds, (size_t)n));
    exchange_answer_with(e, STAT_proxy_end_limited, 429, &l);
}

bool exchange_limit(struct exchange *e, const struct image_rule *rule)
{
    struct proxy *p = e->proxy;
    const struct image_view *v = e->image.view;
    const struct image_filter *filter = route_filter_find(v, rule, IMAGE_FILTER_LIMIT);
    struct charge charges[IMAGE_LIMITS_PER_RULE_MAX];
    uint64_t now_ns = p->core->now_us * 1000, wait_ns = 0, longest_ns = 0;
    if (filter == NULL)
        return false;
    ASSERT_HOT(filter->count <= IMAGE_LIMITS_PER_RULE_MAX);
    for (uint32_t i = 0; i < filter->count; i++) {
        fill_in(e, &v->limits[filter->first + i], &charges[i]);
        if (!limit_rate_allows(&charges[i].rate, charges[i].due_ns, now_ns, &wait_ns))
            longest_ns = max64(longest_ns, wait_ns);
    }
    if (longest_ns > 0) {
        answer(e, longest_ns);
        return true;
    }
    for (uint32_t i = 0; i < filter->count; i++) {
        const struct charge *c = &charges[i];
        if (limit_table_put(&p->limits, c->key, limit_rate_take(&c->rate, c->due_ns, now_ns),
                            now_ns))
            stat_inc(p->core, STAT_proxy_limit_buckets_lost);
    }
    return false;
}

void limits_init(struct proxy *p, uint32_t n)
{
    limit_table_init(&p->limits, core_memory(p->core, limit_table_bytes(n), "rate limits"), n);
}
