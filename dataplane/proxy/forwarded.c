/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request's backend is told of its way here:
 *
 *   X-Forwarded-For    the client's address, behind what came
 *   X-Forwarded-Proto  how the client reached us; what came is replaced
 *   X-Forwarded-Host   the Host that the client sent, unless one came
 *   Forwarded          all that as RFC 7239 has it, behind what came
 *   Via                the version that the client spoke, and us (RFC 9110, section 7.6.3), behind
 *                      what came
 *
 * A client may have sent any of them: only what stands last is ours. Pure.
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

#include <stdio.h>

#define PSEUDONYM "sluice" /* of the appliance in Via */

/* "came, came, client" as one value; when that grows too long, what came is dropped from the left
 * side's end: the nearest hops are the ones that can be believed. */
static struct slice forwarded_for(const struct http_head *head, struct forwarded_text *t)
{
    size_t len = 0;
    struct slice client = slice_of_str(t->client);
    for (uint32_t i = 0; i < head->n_fields; i++) {
        struct slice v = head->fields[i].value;
        if (head->known[i] != HTTP_KNOWN_X_FORWARDED_FOR || v.len == 0)
            continue;
        if (len + v.len + 2 + client.len > sizeof(t->list))
            continue;
        memcpy(t->list + len, v.ptr, v.len);
        memcpy(t->list + len + v.len, ", ", 2);
        len += v.len + 2;
    }
    memcpy(t->list + len, client.ptr, client.len);
    return slice_of(t->list, len + client.len);
}

/* One element: what has a colon is quoted (RFC 7239, sections 4, 6). */
static struct slice forwarded(const struct http_head *head, bool is_v4, const char *scheme,
                              struct forwarded_text *t)
{
    int n = snprintf(t->element, sizeof(t->element), is_v4 ? "for=%s" : "for=\"[%s]\"", t->client);
    if (head->authority.len > 0 && head->authority.len <= FORWARDED_HOST_BYTES_MAX)
        n += snprintf(t->element + n, sizeof(t->element) - (size_t)n, ";host=\"%.*s\"",
                      (int)head->authority.len, (const char *)head->authority.ptr);
    n += snprintf(t->element + n, sizeof(t->element) - (size_t)n, ";proto=%s", scheme);
    ASSERT((size_t)n < sizeof(t->element));
    return slice_of(t->element, (size_t)n);
}

static struct slice via(const struct http_head *head)
{
    if (head->is_h2)
        return SLICE_LIT("2 " PSEUDONYM);
    return head->version_minor == 0 ? SLICE_LIT("1.0 " PSEUDONYM) : SLICE_LIT("1.1 " PSEUDONYM);
}

void forwarded_add(struct field_list *l, const struct http_head *head, const struct ip_addr *client,
                   bool is_tls, struct forwarded_text *t)
{
    const char *scheme = is_tls ? "https" : "http";
    struct slice came;
    ip_addr_format(client, t->client);
    field_list_add(l, SLICE_LIT("X-Forwarded-For"), forwarded_for(head, t));
    field_list_add(l, SLICE_LIT("X-Forwarded-Proto"), slice_of_str(scheme));
    if (head->authority.len > 0 && !http_head_known(head, HTTP_KNOWN_X_FORWARDED_HOST, &came))
        field_list_add(l, SLICE_LIT("X-Forwarded-Host"), head->authority);
    field_list_add(l, SLICE_LIT("Forwarded"), forwarded(head, ip_addr_is_v4(client), scheme, t));
    field_list_add(l, SLICE_LIT("Via"), via(head));
}
