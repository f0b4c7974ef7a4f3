/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CORS (Fetch, section 3.3) as a rule's filter says it (HTTPCORSFilter):
 *
 *   preflight   OPTIONS with Origin and Access-Control-Request-Method: answered here, 204 for an
 *               origin that is allowed, 403 for any other
 *   others      go on; their answers say whether the origin's scripts may read them
 *
 * The fields are the filter's alone: what a backend says of the kind is dropped, or two answers
 * could contradict each other. Answers of our own have them too, so that a script can read why.
 */
#include "route/cors.h"
#include "base/assert.h"
#include "proxy/proxy_priv.h"
#include "route/filter.h"

#include <stdio.h>

static const struct http_head *request_head(const struct exchange *e)
{
    return &e->client->http.request->head;
}

void exchange_cors_begin(struct exchange *e, const struct image_rule *rule)
{
    const struct image_view *v = e->image.view;
    const struct image_filter *filter = route_filter_find(v, rule, IMAGE_FILTER_CORS);
    struct slice origin, told;
    if (filter == NULL)
        return;
    e->cors = &v->cors[filter->first];
    if (!http_head_known(request_head(e), HTTP_KNOWN_ORIGIN, &origin) ||
        !route_cors_allows(v, e->cors, origin, &told))
        return;
    e->cors_origin = told;
    e->needs_head |= told.ptr == origin.ptr;
}

bool exchange_is_preflight(const struct exchange *e)
{
    struct slice value;
    const struct http_head *head = request_head(e);
    return e->cors != NULL && head->method == HTTP_OPTIONS &&
           http_head_known(head, HTTP_KNOWN_ORIGIN, &value) &&
           http_head_known(head, HTTP_KNOWN_ACCESS_CONTROL_REQUEST_METHOD, &value);
}

static void add_text(struct field_list *l, struct slice name, struct slice value)
{
    if (value.len > 0)
        field_list_add(l, name, value);
}

void exchange_cors_fields(const struct exchange *e, struct field_list *l)
{
    if (e->cors == NULL)
        return;
    if (route_cors_varies(e->cors))
        field_list_add(l, SLICE_LIT("Vary"), SLICE_LIT("Origin"));
    if (e->cors_origin.len == 0)
        return;
    field_list_add(l, SLICE_LIT("Access-Control-Allow-Origin"), e->cors_origin);
    if (e->cors->flags & IMAGE_CORS_CREDENTIALS)
        field_list_add(l, SLICE_LIT("Access-Control-Allow-Credentials"), SLICE_LIT("true"));
    add_text(l, SLICE_LIT("Access-Control-Expose-Headers"),
             image_text(e->image.view, e->cors->exposed));
}

/* What the filter lists, or, where it allows all, what was asked for: "*" would mean a name that
 * is a star when credentials are sent. */
static void add_allowed(const struct exchange *e, struct field_list *l, struct slice name,
                        bool is_any, struct image_string listed, enum http_known asked)
{
    struct slice value = image_text(e->image.view, listed);
    if (is_any && !http_head_known(request_head(e), asked, &value))
        return;
    add_text(l, name, value);
}

void exchange_answer_preflight(struct exchange *e)
{
    struct field_list l;
    const struct image_cors *cors = e->cors;
    char age[16];
    field_list_init(&l);
    if (e->cors_origin.len == 0) {
        stat_inc(e->proxy->core, STAT_proxy_preflights_denied);
        exchange_answer(e, STAT_proxy_end_preflight, 403);
        return;
    }
    exchange_cors_fields(e, &l);
    add_allowed(e, &l, SLICE_LIT("Access-Control-Allow-Methods"),
                (cors->flags & IMAGE_CORS_ANY_METHOD) != 0, cors->methods,
                HTTP_KNOWN_ACCESS_CONTROL_REQUEST_METHOD);
    add_allowed(e, &l, SLICE_LIT("Access-Control-Allow-Headers"),
                (cors->flags & IMAGE_CORS_ANY_HEADER) != 0, cors->headers,
                HTTP_KNOWN_ACCESS_CONTROL_REQUEST_HEADERS);
    int n = snprintf(age, sizeof(age), "%u", (unsigned)cors->max_age_s);
    field_list_add(&l, SLICE_LIT("Access-Control-Max-Age"), slice_of(age, (size_t)n));
    exchange_answer_with(e, STAT_proxy_end_preflight, 204, &l);
}
