/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request is hashed by where that tells its endpoint (balancing Maglev): the client's
 * address, or what a header or a cookie of the request says (upstream/upstream_hash.c). The hash
 * has no secret: every worker and every box has to come to the same. So whoever sends requests can
 * choose keys that all lead to one endpoint, as he can by sending one key all the time; where that
 * matters, a RateLimit helps. Of a connection that is passed on nothing else is known than its
 * ends.
 */
#include "core/flow_table.h"
#include "proxy/proxy_priv.h"

#include <netinet/in.h>

/* The first value of the header that says something. */
static struct slice header_value(const struct http_head *head, struct slice name)
{
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (slice_eq_nocase(head->fields[i].name, name) && head->fields[i].value.len > 0)
            return head->fields[i].value;
    }
    return SLICE_LIT("");
}

/* The first value of the cookie that says something. */
static struct slice cookie_value(const struct http_head *head, struct slice wanted)
{
    for (uint32_t i = 0; i < head->n_fields; i++) {
        struct slice rest = head->fields[i].value, name, value;
        if (!slice_eq_nocase(head->fields[i].name, SLICE_LIT("cookie")))
            continue;
        while (route_cookie_next(&rest, &name, &value)) {
            if (slice_eq(name, wanted) && value.len > 0)
                return value;
        }
    }
    return SLICE_LIT("");
}

uint64_t hash_of_client(const struct proxy_conn *c, const struct image_balance *balance)
{
    if (balance->way != IMAGE_BALANCING_MAGLEV)
        return 0;
    if (balance->hash_key != IMAGE_HASH_KEY_CONNECTION)
        return upstream_hash_client(&c->addrs.remote);
    struct flow_tuple ends = {c->asked, c->addrs.remote, c->asked_port, c->addrs.remote_port};
    return upstream_hash_ends(&ends, IPPROTO_TCP);
}

uint64_t exchange_hash(const struct exchange *e, const struct image_balance *balance)
{
    if (balance->way != IMAGE_BALANCING_MAGLEV)
        return 0;
    const struct http_head *head = &e->client->http.request->head;
    struct slice name = image_text(e->image.view, balance->name);
    struct slice key = SLICE_LIT("");
    if (balance->hash_key == IMAGE_HASH_KEY_HEADER)
        key = header_value(head, name);
    else if (balance->hash_key == IMAGE_HASH_KEY_COOKIE)
        key = cookie_value(head, name);
    return key.len > 0 ? upstream_hash(key) : upstream_hash_client(&e->client->addrs.remote);
}
