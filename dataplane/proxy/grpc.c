/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own answers to requests of gRPC: its clients look for a status of their own, and take an
 * answer that has none for a broken server. So what we would say by a status of HTTP goes as an
 * answer without a message (gRPC over HTTP/2, "Trailers-Only"), with the status that its mapping of
 * HTTP's names (http-grpc-status-mapping.md); 504 is the end of a time limit, DEADLINE_EXCEEDED.
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

/* Statuses of gRPC, as its status codes are numbered. */
enum {
    GRPC_UNKNOWN = 2,
    GRPC_DEADLINE_EXCEEDED = 4,
    GRPC_PERMISSION_DENIED = 7,
    GRPC_UNIMPLEMENTED = 12,
    GRPC_INTERNAL = 13,
    GRPC_UNAVAILABLE = 14,
    GRPC_UNAUTHENTICATED = 16,
};

bool grpc_is_asked(const struct http_head *head)
{
    struct slice type, prefix = SLICE_LIT("application/grpc");
    if (!head->is_h2 || !http_head_known(head, HTTP_KNOWN_CONTENT_TYPE, &type) ||
        !slice_has_prefix(type, prefix))
        return false;
    return type.len == prefix.len || type.ptr[prefix.len] == '+' || type.ptr[prefix.len] == ';';
}

static unsigned status_of(uint16_t http)
{
    switch (http) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 500: /* a rule or a backend that is none (Gateway API, GRPCRouteRule.backendRefs) */
    case 502:
    case 503:
        return GRPC_UNAVAILABLE;
    case 504:
        return GRPC_DEADLINE_EXCEEDED;
    default:
        return GRPC_UNKNOWN;
    }
}

void grpc_answer(struct http_server *to, uint16_t status, const struct field_list *fields)
{
    static const char digits[] = "0123456789";
    unsigned code = status_of(status);
    const char text[2] = {digits[code / 10], digits[code % 10]};
    struct field_list l = *fields;
    field_list_add(&l, SLICE_LIT("content-type"), SLICE_LIT("application/grpc"));
    field_list_add(&l, SLICE_LIT("grpc-status"),
                   slice_of(code < 10 ? &text[1] : text, code < 10 ? 1 : 2));
    field_list_add(&l, SLICE_LIT("grpc-message"), slice_of_str(http_status_reason(status)));
    ASSERT(!l.is_full);
    struct http_response r = {.status = 200, .fields = l.fields, .n_fields = l.n};
    http_server_answer(to, &r, (struct slice){NULL, 0});
}
