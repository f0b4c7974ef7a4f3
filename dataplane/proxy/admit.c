/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access policies of a rule (AccessPolicy, by ExtensionRef): lets the request in, or answers 403. A
 * request has to be let in by all policies of its rule. The client's address is that of its
 * connection, never what a header tells.
 */
#include "proxy/proxy_priv.h"
#include "route/access.h"
#include "route/filter.h"

bool exchange_deny(struct exchange *e, const struct image_rule *rule)
{
    const struct image_view *v = e->image.view;
    const struct image_filter *filter = route_filter_find(v, rule, IMAGE_FILTER_ACCESS);
    for (uint32_t i = 0; filter != NULL && i < filter->count; i++) {
        const struct image_access *access = &v->accesses[v->access_uses[filter->first + i]];
        if (route_access_of(v, access, &e->client->addrs.remote) == ROUTE_ACCESS_ALLOWED)
            continue;
        exchange_answer(e, STAT_proxy_end_denied, 403);
        return true;
    }
    return false;
}

bool exchange_hides_authorization(const struct exchange *e)
{
    const struct image_view *v = e->image.view;
    const struct image_filter *filter =
        route_filter_find(v, &v->rules[e->route.rule], IMAGE_FILTER_ACCESS);
    for (uint32_t i = 0; filter != NULL && i < filter->count; i++) {
        const struct image_access *access = &v->accesses[v->access_uses[filter->first + i]];
        if ((access->basic != IMAGE_NONE && v->basics[access->basic].hides_authorization != 0) ||
            (access->jwt != IMAGE_NONE && v->jwts[access->jwt].hides_authorization != 0))
            return true;
    }
    return false;
}
