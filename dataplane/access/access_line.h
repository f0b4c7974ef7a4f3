/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as a line of the access log: one JSON object, with the fields that were chosen, always
 * all of them, in the order of the list below. What there was not is null.
 *
 * Texts come from strangers: quotes, backslashes and control characters are escaped, and bytes that
 * are no UTF-8 become U+FFFD each, so that a line is always one line and always JSON.
 *
 * Pure. Thread: any. Cost: about 2 us.
 */
#pragma once

#include "abi/access.h"
#include "abi/image.h"
#include "access/access_limits.h"

#include <stdbool.h>
#include <stddef.h>

/* X(name, is_default, help) */
#define ACCESS_FIELD_LIST(X)                                                                       \
    X(time, true, "when the request's head was there: UTC, RFC 3339, with milliseconds")           \
    X(client, true, "the client's address")                                                        \
    X(client_port, true, "the client's port")                                                      \
    X(local, true, "the address that the client spoke to")                                         \
    X(local_port, true, "the port that the client spoke to")                                       \
    X(worker, true, "whose the connection is")                                                     \
    X(method, true, "the method")                                                                  \
    X(host, true, "the host or (TLS) server name, lower case, without the port")                   \
    X(path, true, "the path as it was matched, without the query")                                 \
    X(query, false, "the query; it may hold secrets, so ask for it by name")                       \
    X(is_cut, true, "the texts above did not fit into 512 bytes")                                  \
    X(status, true, "of the answer that the client got; null: none")                               \
    X(end, true,                                                                                   \
      "how it ended, so the reason for a 502, 503, 504: proxy_end_*, http_refused_*, proxy_l4_*")  \
    X(listener, true, "namespace/gateway/listener")                                                \
    X(protocol, true, "the listener's: HTTP, HTTPS, TLS, TCP")                                     \
    X(is_h2, true, "the client asked by HTTP/2")                                                   \
    X(route, true, "namespace/name of the route")                                                  \
    X(rule, true, "the rule's place in its route, from 0")                                         \
    X(backend, true, "namespace/service:port")                                                     \
    X(generation, true, "of the configuration that was followed")                                  \
    X(endpoint, true, "address and port of the last endpoint that was asked")                      \
    X(tries, true, "how many connections to endpoints were asked for")                             \
    X(request_bytes, true, "of the request's body, that went to the backend")                      \
    X(response_bytes, true, "of the response's body, that came from the backend")                  \
    X(total_us, true, "from the request's head until all of the answer was on its way")            \
    X(head_us, true, "from the request's head until that of the backend's answer")                 \
    X(connect_us, true, "what the last try waited for its connection; null: it was there, or none")

enum access_field {
#define X(name, is_default, help) ACCESS_FIELD_##name,
    ACCESS_FIELD_LIST(X)
#undef X
        ACCESS_FIELDS
};

/* The fields that are written unless others are chosen, as bits. */
uint64_t access_fields_default(void);

/* "time,status,end" as bits; false: one of the names is none, or none is there. */
bool access_fields_parse(const char *text, uint64_t *ret_fields);

/* A field's name. */
const char *access_field_name(enum access_field field);

/* A line of help on it. */
const char *access_field_help(enum access_field field);

/* Writes the record as a line with its newline. `v` is the image of the record's generation; NULL:
 * it is gone, and names are null. `epoch_us` is the UNIX time at which the records' time was 0.
 * Returns the bytes written. */
size_t access_line_write(const struct access_record *r, const struct image_view *v,
                         uint64_t epoch_us, uint64_t fields, char line[ACCESS_LINE_BYTES_MAX]);
