/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request on its way to the backend. What the backend gets is what was matched: the normal form
 * of path and host, end-to-end fields as the filters leave them, and where it came from
 * (forwarded.c).
 *
 * An HTTP/1.0 request without Host was for the address that it came to (RFC 9112, section 3.3):
 * that is its Host, because HTTP/1.1 backends want one.
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"
#include "route/filter.h"

#include <stdio.h>

/* What has to stay in memory while the head is put together. */
struct request_text {
    char local[IP_ADDR_TEXT_MAX + 8]; /* brackets, colon, port */
    struct forwarded_text forwarded;
    uint8_t path[HTTP_TARGET_BYTES_MAX + IMAGE_STRING_BYTES_MAX / 16];
    struct field_list fields;
};

/* The address that the client spoke to, as an authority. */
static struct slice local_authority(const struct stream_addrs *addrs, struct request_text *t)
{
    char ip[IP_ADDR_TEXT_MAX];
    bool is_v4 = ip_addr_is_v4(&addrs->local);
    ip_addr_format(&addrs->local, ip);
    int n = snprintf(t->local, sizeof(t->local), is_v4 ? "%s:%u" : "[%s]:%u", ip,
                     (unsigned)addrs->local_port);
    ASSERT(n > 0 && (size_t)n < sizeof(t->local));
    return slice_of(t->local, (size_t)n);
}

/* Host as it came. */
static struct slice own_authority(const struct exchange *e, struct request_text *t)
{
    struct slice authority = e->client->http.request->head.authority;
    return authority.len > 0 ? authority : local_authority(&e->client->addrs, t);
}

/* Host as a header filter sets it; NULL, or it does not: as it is. */
static void set_authority(const struct image_view *v, const struct image_filter *filter,
                          struct slice *authority)
{
    for (uint32_t i = 0; filter != NULL && i < filter->count; i++) {
        const struct image_header_op *op = &v->header_ops[filter->first + i];
        if (op->kind == IMAGE_HEADER_SET &&
            slice_eq_nocase(image_text(v, op->name), SLICE_LIT("host")))
            *authority = image_text(v, op->value);
    }
}

/* URLRewrite. False: the path grows too long. */
static bool rewrite(struct exchange *e, const struct image_rule *rule, struct request_text *t,
                    struct http_request *r)
{
    const struct image_view *v = e->image.view;
    const struct image_filter *filter = route_filter_find(v, rule, IMAGE_FILTER_REWRITE);
    if (filter == NULL)
        return true;
    const struct image_rewrite *to = &v->rewrites[filter->first];
    if (to->hostname.length > 0)
        r->authority = image_text(v, to->hostname);
    size_t len;
    if (!route_path_edit(v, &v->matches[e->route.match], (enum image_path_edit)to->path_edit,
                         to->path, r->path, t->path, sizeof(t->path), &len))
        return false;
    r->path = slice_of(t->path, len);
    return true;
}

bool exchange_forward_head(struct exchange *e)
{
    static const enum http_known skip[] = {HTTP_KNOWN_HOST, HTTP_KNOWN_X_FORWARDED_FOR,
                                           HTTP_KNOWN_X_FORWARDED_PROTO};
    ASSERT(e->backend != NULL && !e->has_request_head);
    const struct http_head *head = &e->client->http.request->head;
    const struct image_view *v = e->image.view;
    const struct image_rule *rule = &v->rules[e->route.rule];
    const struct image_filter *filters[] = {
        route_filter_find(v, rule, IMAGE_FILTER_REQUEST_HEADERS),
        route_backend_filter_find(v, e->target, IMAGE_FILTER_REQUEST_HEADERS)};
    struct request_text t;
    struct slice authority = own_authority(e, &t);
    field_list_init(&t.fields);
    field_list_take(&t.fields, head, skip, array_len(skip));
    if (exchange_hides_authorization(e))
        field_list_drop(&t.fields, SLICE_LIT("authorization"));
    forwarded_add(&t.fields, head, &e->client->addrs.remote, e->client->tls != NULL, &t.forwarded);
    for (unsigned i = 0; i < array_len(filters); i++) {
        field_list_apply(&t.fields, v, filters[i]);
        set_authority(v, filters[i], &authority);
    }
    struct http_request r = {.method = head->method_text,
                             .path = head->path,
                             .query = head->query,
                             .has_query = head->has_query,
                             .authority = authority,
                             .fields = t.fields.fields,
                             .body = head->body,
                             .length = head->length,
                             .wants_trailers = e->client->http.wants_trailers,
                             .is_upgrade = e->is_upgrade};
    if (!rewrite(e, rule, &t, &r) || t.fields.is_full)
        return false;
    r.n_fields = t.fields.n;
    uint8_t header[PROXY_PROTOCOL_LINE_BYTES_MAX];
    r.preface = conn_header_preface(e->client, e->backend, e->target->proxy_header, header);
    e->has_request_head = http_client_send_head(upstream_conn_http(e->backend), &r);
    if (e->has_request_head && !e->is_mirrored && !e->is_upgrade)
        mirrors_begin(e, &r);
    e->is_mirrored |= e->has_request_head;
    e->kept_sent = 0;
    return e->has_request_head;
}

/* The client's body breaks the rules, or the client ended within it. */
static void end_by_body_fault(struct exchange *e, enum http_fault fault)
{
    if (e->has_response_head)
        exchange_cut(e, STAT_proxy_end_client_fault);
    else if (fault == HTTP_FAULT_body_cut)
        exchange_cut(e, STAT_proxy_end_client_gone);
    else
        exchange_answer(e, STAT_proxy_end_client_fault, http_fault_status(fault));
}

/* The body for more than one: copied where it would be moved. */
static size_t copy_request(struct exchange *e, struct http_client *to, struct http_server *from)
{
    size_t copied = 0;
    struct slice v;
    if (to->out.is_ended)
        return 0;
    while (http_server_body_ready(from) > 0 && http_server_body_peek(from, &v, 1) == 1) {
        size_t n = http_client_write(to, v);
        mirrors_write(e, slice_of(v.ptr, n));
        http_server_body_consume(from, n);
        copied += n;
        if (n < v.len)
            break;
    }
    if (http_server_body_is_done(from)) {
        http_move_request_end(to, from);
        mirrors_end_request(e);
    }
    return copied;
}

void exchange_pump_request(struct exchange *e)
{
    check_exchange(e);
    struct http_server *from = &e->client->http;
    struct http_client *to = upstream_conn_http(e->backend);
    ASSERT(e->has_request_head && to->phase == HTTP_CLIENT_ASKING);
    size_t moved = e->keeps_body ? kept_body_pump(e, to, from) : 0;
    if (!e->keeps_body) {
        bool is_mirrored = !list_is_empty(&e->mirrors);
        size_t more = is_mirrored ? copy_request(e, to, from) : http_move_request(to, from);
        e->has_body_moved |= more > 0;
        moved += more;
    }
    if (moved > 0) {
        exchange_let_head_go(e);
        stat_add(e->proxy->core, STAT_proxy_request_bytes, moved);
        e->request_bytes += moved;
        exchange_note_progress(e);
    }
    enum http_fault fault = http_server_body_fault(from);
    if (fault != HTTP_FAULT_none)
        end_by_body_fault(e, fault);
}
