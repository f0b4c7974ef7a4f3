/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of faults, methods, known fields and statuses, from the lists that make the enums. Pure. */
#include "base/assert.h"
#include "base/container.h"
#include "http/http_priv.h"

struct fault_row {
    const char *name;
    const char *text;
    uint16_t status;
};

static const struct fault_row faults[] = {
#define X(name, status, text) {#name, text, status},
    HTTP_FAULT_LIST(X)
#undef X
};

const char *http_fault_name(enum http_fault fault)
{
    ASSERT((unsigned)fault < array_len(faults));
    return faults[fault].name;
}

uint16_t http_fault_status(enum http_fault fault)
{
    ASSERT((unsigned)fault < array_len(faults));
    return faults[fault].status;
}

const char *http_fault_text(enum http_fault fault)
{
    ASSERT((unsigned)fault < array_len(faults));
    return faults[fault].text;
}

enum http_method http_method_of(struct slice text)
{
#define X(name)                                                                                    \
    if (slice_eq(text, SLICE_LIT(#name)))                                                          \
        return HTTP_##name;
    HTTP_METHOD_LIST(X)
#undef X
    return HTTP_OTHER;
}

/* The comparison of lengths is by constants: nearly every candidate is gone before a byte of the
 * name is read. */
enum http_known http_known_of(struct slice name)
{
#define X(id, text, is_hop)                                                                        \
    if (name.len == sizeof(text) - 1 && slice_eq_nocase(name, SLICE_LIT(text)))                    \
        return HTTP_KNOWN_##id;
    HTTP_KNOWN_LIST(X)
#undef X
    return HTTP_KNOWN_NONE;
}

bool http_known_is_hop(enum http_known known)
{
    static const bool is_hop_by_hop[] = {false,
#define X(id, text, is_hop) is_hop,
                                         HTTP_KNOWN_LIST(X)
#undef X
    };
    ASSERT_HOT((unsigned)known < array_len(is_hop_by_hop));
    return is_hop_by_hop[known];
}

bool http_name_is_reserved(struct slice name)
{
    enum http_known known = http_known_of(name);
    return known == HTTP_KNOWN_HOST || http_known_is_hop(known);
}

bool http_head_find(const struct http_head *head, const char *name, struct slice *ret_value)
{
    struct slice wanted = slice_of_str(name);
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (slice_eq_nocase(head->fields[i].name, wanted)) {
            *ret_value = head->fields[i].value;
            return true;
        }
    }
    return false;
}

bool http_head_find_only(const struct http_head *head, struct slice name, struct slice *ret_value)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (!slice_eq_nocase(head->fields[i].name, name))
            continue;
        *ret_value = head->fields[i].value;
        n++;
    }
    return n == 1;
}

bool http_head_known(const struct http_head *head, enum http_known known, struct slice *ret_value)
{
    ASSERT(known != HTTP_KNOWN_NONE);
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (head->known[i] == known) {
            *ret_value = head->fields[i].value;
            return true;
        }
    }
    return false;
}

#define STATUS_LIST(X)                                                                             \
    X(100, "Continue")                                                                             \
    X(103, "Early Hints")                                                                          \
    X(200, "OK")                                                                                   \
    X(201, "Created")                                                                              \
    X(202, "Accepted")                                                                             \
    X(204, "No Content")                                                                           \
    X(206, "Partial Content")                                                                      \
    X(301, "Moved Permanently")                                                                    \
    X(302, "Found")                                                                                \
    X(303, "See Other")                                                                            \
    X(304, "Not Modified")                                                                         \
    X(307, "Temporary Redirect")                                                                   \
    X(308, "Permanent Redirect")                                                                   \
    X(400, "Bad Request")                                                                          \
    X(401, "Unauthorized")                                                                         \
    X(403, "Forbidden")                                                                            \
    X(404, "Not Found")                                                                            \
    X(405, "Method Not Allowed")                                                                   \
    X(406, "Not Acceptable")                                                                       \
    X(408, "Request Timeout")                                                                      \
    X(409, "Conflict")                                                                             \
    X(410, "Gone")                                                                                 \
    X(411, "Length Required")                                                                      \
    X(412, "Precondition Failed")                                                                  \
    X(413, "Content Too Large")                                                                    \
    X(414, "URI Too Long")                                                                         \
    X(415, "Unsupported Media Type")                                                               \
    X(417, "Expectation Failed")                                                                   \
    X(421, "Misdirected Request")                                                                  \
    X(422, "Unprocessable Content")                                                                \
    X(429, "Too Many Requests")                                                                    \
    X(431, "Request Header Fields Too Large")                                                      \
    X(500, "Internal Server Error")                                                                \
    X(501, "Not Implemented")                                                                      \
    X(502, "Bad Gateway")                                                                          \
    X(503, "Service Unavailable")                                                                  \
    X(504, "Gateway Timeout")                                                                      \
    X(505, "HTTP Version Not Supported")

const char *http_status_reason(uint16_t status)
{
    switch (status) {
#define X(code, text)                                                                              \
    case code:                                                                                     \
        return text;
        STATUS_LIST(X)
#undef X
    default:
        return "";
    }
}
