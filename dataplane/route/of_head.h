/* SPDX-License-Identifier: Apache-2.0 */
/* A parsed head as the matcher asks for it: the one place where the two meet. Pure. */
#pragma once

#include "http/http.h"
#include "route/route.h"

#include <assert.h>
#include <stddef.h>

static_assert(sizeof(struct http_field) == sizeof(struct route_field) &&
                  offsetof(struct http_field, value) == offsetof(struct route_field, value),
              "a parsed head is matched without a copy");

/* Borrows from the head. */
static inline struct route_request route_request_of(const struct http_head *head, uint32_t bind,
                                                    struct route_reader reader)
{
    return (struct route_request){
        .bind = bind,
        .host = head->host,
        .path = head->path,
        .query = head->query,
        .method = head->method_text,
        .fields = (const struct route_field *)head->fields,
        .n_fields = head->n_fields,
        .reader = reader,
    };
}
