/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP messages as values: limits, methods, known fields, faults, and the head of a request or a
 * response after parsing (RFC 9110, RFC 9112). One strict parser serves clients and backends, the
 * traffic of the dataplane and the management API.
 *
 * Strict means: what two programs could read in two ways is refused, with one named reason
 * (enum http_fault), and the connection is closed. So nothing can be smuggled past a match.
 *
 * Owner: none, pure. Thread: any. Station on the path: after tcp or tls, before route.
 */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* A head (start line and fields) as received: what the big servers take by default, and then some.
 */
#define HTTP_HEAD_BYTES_MAX 16384u
/* A head as sent: what was received plus what filters and forwarding fields may add. */
#define HTTP_HEAD_OUT_BYTES_MAX 20480u
#define HTTP_FIELDS_MAX 128u /* field lines of one head; beyond: 431 */
#define HTTP_TARGET_BYTES_MAX                                                                      \
    8192u                         /* RFC 9112, section 3 recommends at least 8000; beyond: 414     \
                                   */
#define HTTP_METHOD_BYTES_MAX 32u /* the longest registered one has 17 */
#define HTTP_HOST_BYTES_MAX 255u  /* a DNS name has at most 253 */
#define HTTP_CHUNK_LINE_BYTES_MAX 256u /* size and extensions of one chunk */
#define HTTP_TRAILER_BYTES_MAX 4096u   /* trailer section of one body */
#define HTTP_INFORMATIONAL_MAX 8u      /* 1xx answers before the final one */

#define HTTP_METHOD_LIST(X)                                                                        \
    X(GET)                                                                                         \
    X(HEAD)                                                                                        \
    X(POST)                                                                                        \
    X(PUT)                                                                                         \
    X(DELETE)                                                                                      \
    X(CONNECT)                                                                                     \
    X(OPTIONS)                                                                                     \
    X(TRACE)                                                                                       \
    X(PATCH)

/* HTTP_OTHER: any other token; the text is in http_head.method_text. */
enum http_method {
    HTTP_OTHER,
#define X(name) HTTP_##name,
    HTTP_METHOD_LIST(X)
#undef X
};

/* Fields that this module or the proxy treat in a way of their own: X(NAME, lower-case text,
 * is_hop_by_hop). Framing fields count as hop by hop: they are written anew. */
#define HTTP_KNOWN_LIST(X)                                                                         \
    X(HOST, "host", false)                                                                         \
    X(CONTENT_LENGTH, "content-length", true)                                                      \
    X(TRANSFER_ENCODING, "transfer-encoding", true)                                                \
    X(CONNECTION, "connection", true)                                                              \
    X(KEEP_ALIVE, "keep-alive", true)                                                              \
    X(PROXY_CONNECTION, "proxy-connection", true)                                                  \
    X(TE, "te", true)                                                                              \
    X(TRAILER, "trailer", true)                                                                    \
    X(UPGRADE, "upgrade", true)                                                                    \
    X(EXPECT, "expect", false)                                                                     \
    X(DATE, "date", false)                                                                         \
    X(SERVER, "server", false)                                                                     \
    X(AUTHORIZATION, "authorization", false)                                                       \
    X(CONTENT_TYPE, "content-type", false)                                                         \
    X(X_FORWARDED_FOR, "x-forwarded-for", false)                                                   \
    X(X_FORWARDED_PROTO, "x-forwarded-proto", false)                                               \
    X(X_FORWARDED_HOST, "x-forwarded-host", false)                                                 \
    X(ORIGIN, "origin", false)                                                                     \
    X(ACCESS_CONTROL_REQUEST_METHOD, "access-control-request-method", false)                       \
    X(ACCESS_CONTROL_REQUEST_HEADERS, "access-control-request-headers", false)                     \
    X(ACCESS_CONTROL_ALLOW_ORIGIN, "access-control-allow-origin", false)                           \
    X(ACCESS_CONTROL_ALLOW_CREDENTIALS, "access-control-allow-credentials", false)                 \
    X(ACCESS_CONTROL_ALLOW_METHODS, "access-control-allow-methods", false)                         \
    X(ACCESS_CONTROL_ALLOW_HEADERS, "access-control-allow-headers", false)                         \
    X(ACCESS_CONTROL_EXPOSE_HEADERS, "access-control-expose-headers", false)                       \
    X(ACCESS_CONTROL_MAX_AGE, "access-control-max-age", false)

enum http_known {
    HTTP_KNOWN_NONE,
#define X(name, text, is_hop) HTTP_KNOWN_##name,
    HTTP_KNOWN_LIST(X)
#undef X
};

/*
 * Why a message is refused: X(name, status, text). The status is what a client is told; from a
 * backend every one of them is 502. Names give the counters http_refused_<name> and
 * upstream's view of them.
 */
#define HTTP_FAULT_LIST(X)                                                                         \
    X(none, 0, "no fault")                                                                         \
    X(bare_cr, 400, "CR that is not followed by LF")                                               \
    X(bare_lf, 400, "LF that does not follow CR")                                                  \
    X(request_line, 400, "request line is not: method, space, target, space, version")             \
    X(method, 400, "method is not a token")                                                        \
    X(version_syntax, 400, "version is not HTTP/digit.digit")                                      \
    X(version, 505, "HTTP version is neither 1.0 nor 1.1")                                         \
    X(target_long, 414, "request target is too long")                                              \
    X(target_form, 400, "request target has a form that the method does not allow")                \
    X(target_char, 400, "request target has a character that it may not have")                     \
    X(target_connect, 501, "CONNECT is not served")                                                \
    X(path_encoding, 400, "path has a bad percent-encoding or an encoded NUL")                     \
    X(path_dots, 400, "path hides a dot segment behind an encoded separator or a parameter")       \
    X(authority, 400, "authority of the target differs from Host")                                 \
    X(host_missing, 400, "no Host")                                                                \
    X(host_twice, 400, "more than one Host")                                                       \
    X(host_invalid, 400, "Host is empty or no valid host and port")                                \
    X(obs_fold, 400, "field line begins with white space")                                         \
    X(field_colon, 400, "field line without a colon")                                              \
    X(field_space, 400, "white space between field name and colon")                                \
    X(field_name, 400, "field name is not a token")                                                \
    X(field_value, 400, "field value has a control character")                                     \
    X(fields_many, 431, "too many fields")                                                         \
    X(head_long, 431, "head is too long")                                                          \
    X(length_invalid, 400, "Content-Length is not a decimal number")                               \
    X(length_twice, 400, "more than one Content-Length")                                           \
    X(length_with_coding, 400, "both Content-Length and Transfer-Encoding")                        \
    X(coding_invalid, 400, "Transfer-Encoding is not exactly: chunked")                            \
    X(coding_version, 400, "Transfer-Encoding in an HTTP/1.0 message")                             \
    X(expect, 417, "Expect is not: 100-continue")                                                  \
    X(connection, 400, "Connection is not a list of tokens")                                       \
    X(chunk_size, 400, "chunk size is not a hexadecimal number in range")                          \
    X(chunk_extension, 400, "chunk extension breaks the grammar")                                  \
    X(chunk_long, 400, "chunk size line is too long")                                              \
    X(chunk_end, 400, "chunk is not followed by CR LF")                                            \
    X(trailer, 400, "trailer section breaks the grammar")                                          \
    X(trailer_long, 431, "trailer section is too long")                                            \
    X(status_line, 502, "status line breaks the grammar")                                          \
    X(informational_many, 502, "too many informational answers")                                   \
    X(switching, 502, "101 that nobody asked for, or that does not fit what was asked")            \
    X(head_timeout, 408, "head did not arrive in time")                                            \
    X(head_slow, 408, "head came slower than others needed its buffer")                            \
    X(head_cut, 400, "peer ended within a head")                                                   \
    X(body_cut, 400, "peer ended within a body")                                                   \
    X(no_head_buffer, 503, "no head buffer is left")                                               \
    X(content_long, 413, "body is longer than its receiver takes")

enum http_fault {
#define X(name, status, text) HTTP_FAULT_##name,
    HTTP_FAULT_LIST(X)
#undef X
        HTTP_FAULT_COUNT
};

/* Name of a fault ("bare_cr"); pure. */
const char *http_fault_name(enum http_fault fault);

/* Status for the client (400); pure. */
uint16_t http_fault_status(enum http_fault fault);

#define HTTP_FAULT_TEXT_BYTES_MAX 128u /* of the texts above, with a line's end */

/* The sentence that explains it; pure. */
const char *http_fault_text(enum http_fault fault);

/* How a body is delimited (RFC 9112, section 6.3). */
enum http_body {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH, /* http_head.length bytes */
    HTTP_BODY_CHUNKED,
    HTTP_BODY_UNTIL_CLOSE, /* responses only */
};

/* One field line. Same layout as struct route_field, so that a head is matched without a copy. */
struct http_field {
    struct slice name;
    struct slice value; /* without white space around it */
};

/*
 * A parsed head. All slices point into the bytes that were parsed, or to literals; valid as long as
 * the head buffer is. `host`, `path` are in the one form that is matched AND forwarded: see
 * http/README.md, "Normal form".
 */
struct http_head {
    /* request */
    enum http_method method;
    struct slice method_text;
    struct slice authority; /* host[:port], lower case; empty: HTTP/1.0 without Host */
    struct slice host;      /* lower case, no port; IPv6 with brackets */
    struct slice path;      /* normal form, begins with '/'; "*" for OPTIONS * */
    struct slice query;     /* without '?' */
    bool has_query;         /* "/a?" has one, of no bytes */
    bool is_expecting_continue;
    bool is_upgrade_asked; /* Upgrade was there; see http_asks_websocket() */

    /* response */
    bool is_bodiless; /* HEAD, 1xx, 204, 304: no body follows, whatever `body` says */
    uint16_t status;
    struct slice reason;

    /* both */
    uint8_t version_minor; /* HTTP/1.x */
    bool is_h2;            /* it came by HTTP/2, and was made HTTP/1.1 */
    bool is_keep_alive;    /* the sender is willing to go on after this message */
    bool is_upgrade_named; /* Connection says: upgrade */
    enum http_body body;   /* what the fields say; see is_bodiless */
    uint64_t length;       /* HTTP_BODY_LENGTH */
    uint32_t n_fields;
    uint8_t known[HTTP_FIELDS_MAX]; /* enum http_known of each field */
    bool is_hop[HTTP_FIELDS_MAX];   /* ends here: not to be forwarded */
    struct http_field fields[HTTP_FIELDS_MAX];
};

/* A head with the bytes that it points into: one pooled object. */
struct http_head_buf {
    uint32_t len;     /* bytes received so far */
    uint32_t scanned; /* of these, looked at for the end of the head */
    bool is_skipped;  /* one empty line before the request line was thrown away */
    struct http_head head;
    uint8_t bytes[HTTP_HEAD_OUT_BYTES_MAX];
};

/*
 * Parses a complete request head: `len` bytes from the request line to the empty line, both
 * included. Writes to the bytes (lower case of Host, normal form of the path). On anything but
 * HTTP_FAULT_none *ret is unspecified. Cost: one pass. RFC 9112, sections 2 to 6.
 */
enum http_fault http_parse_request(uint8_t *bytes, size_t len, struct http_head *ret);

/* The same for a response head. `is_head`: it answers a HEAD request. */
enum http_fault http_parse_response(uint8_t *bytes, size_t len, bool is_head,
                                    struct http_head *ret);

/*
 * Puts a path into normal form in place: percent-encodings of unreserved characters decoded, others
 * in upper case, empty and dot segments removed. `*len` shrinks or stays. Cost: one pass.
 * RFC 3986, section 6.2.2.
 */
enum http_fault http_path_normalize(uint8_t *path, size_t *len);

/* The value of the first field of that name (any case); false: none. */
bool http_head_find(const struct http_head *head, const char *name, struct slice *ret_value);

/* The value of the field of that name (any case). False: there is none; or more than one, where a
 * backend may believe another than we, and clients could be somebody else with each request. */
bool http_head_find_only(const struct http_head *head, struct slice name, struct slice *ret_value);

/* The value of the first field that is known as `known`; false: none. */
bool http_head_known(const struct http_head *head, enum http_known known, struct slice *ret_value);

/* Does the request ask for WebSocket, in every detail as RFC 6455, section 4.1 has it, and for
 * nothing else? *ret_key: its Sec-WebSocket-Key. Cost: a pass over the fields for each that is
 * looked for, if there is an Upgrade. */
bool http_asks_websocket(const struct http_head *head, struct slice *ret_key);

/* Does the response, a 101, agree to that, with this Sec-WebSocket-Accept (section 4.2.2)? */
bool http_agrees_to_websocket(const struct http_head *head, struct slice accept);

/* Is it a field that configuration cannot set: hop by hop, framing, or Host (which is no plain
 * field)? */
bool http_name_is_reserved(struct slice name);

/* The standard reason phrase of a status; "" when there is none. */
const char *http_status_reason(uint16_t status);
