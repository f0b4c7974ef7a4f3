/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start lines, and how a message's body is delimited (RFC 9112, sections 3, 4, 6). The fields are
 * parsed in http_fields.c, the target in http_target.c. Pure.
 */
#include "base/assert.h"
#include "http/http_chars.h"
#include "http/http_priv.h"

/* Ends in an empty line, so that every loop over a class of characters ends by itself. */
static bool is_whole(const uint8_t *bytes, size_t len)
{
    return len >= 4 && memcmp(bytes + len - 4, "\r\n\r\n", 4) == 0;
}

/* "HTTP/1.0" or "HTTP/1.1" at the cursor. */
static enum http_fault parse_version(struct http_cursor *c, struct http_head *head)
{
    const uint8_t *p = c->p;
    if (c->end - p < 8 || memcmp(p, "HTTP/", 5) != 0 || p[5] < '0' || p[5] > '9' || p[6] != '.' ||
        p[7] < '0' || p[7] > '9')
        return HTTP_FAULT_version_syntax;
    if (p[5] != '1' || p[7] > '1')
        return HTTP_FAULT_version;
    head->version_minor = (uint8_t)(p[7] - '0');
    c->p += 8;
    return HTTP_FAULT_none;
}

/* method SP target SP version CR LF, with exactly one SP each. */
static enum http_fault parse_request_line(struct http_cursor *c, struct http_head *head,
                                          struct slice *ret_target)
{
    uint8_t *method = c->p;
    while (http_char_is(*c->p, HTTP_CHAR_TOKEN))
        c->p++;
    size_t n = (size_t)(c->p - method);
    if (*c->p != ' ')
        return http_line_end(c, HTTP_FAULT_method) == HTTP_FAULT_bare_cr ? HTTP_FAULT_bare_cr
                                                                         : HTTP_FAULT_method;
    if (n == 0 || n > HTTP_METHOD_BYTES_MAX)
        return HTTP_FAULT_method;
    head->method_text = slice_of(method, n);
    head->method = http_method_of(head->method_text);
    uint8_t *target = ++c->p;
    while (*c->p > ' ' && *c->p < 0x7f)
        c->p++;
    if (c->p - target > (ptrdiff_t)HTTP_TARGET_BYTES_MAX)
        return HTTP_FAULT_target_long;
    if (c->p == target)
        return HTTP_FAULT_request_line;
    if (*c->p != ' ')
        return http_line_end(c, HTTP_FAULT_target_char) == HTTP_FAULT_none ? HTTP_FAULT_request_line
                                                                           : HTTP_FAULT_target_char;
    *ret_target = slice_of(target, (size_t)(c->p - target));
    c->p++;
    enum http_fault fault = parse_version(c, head);
    return fault != HTTP_FAULT_none ? fault : http_line_end(c, HTTP_FAULT_request_line);
}

/* RFC 9112, section 6.3 for both kinds of message, as far as they agree. */
static enum http_fault delimit(const struct http_field_facts *facts, struct http_head *head)
{
    if (facts->is_coding && facts->is_length)
        return HTTP_FAULT_length_with_coding;
    if (facts->is_coding && head->version_minor == 0)
        return HTTP_FAULT_coding_version;
    if (facts->is_coding)
        head->body = HTTP_BODY_CHUNKED;
    else if (facts->is_length)
        head->body = HTTP_BODY_LENGTH;
    head->is_keep_alive =
        !facts->is_close && (head->version_minor > 0 || facts->is_keep_alive); /* section 9.3 */
    return HTTP_FAULT_none;
}

/* What follows the first line, to the end of the head. */
static enum http_fault parse_rest(struct http_cursor *c, struct http_field_facts *ret_facts,
                                  struct http_head *head)
{
    enum http_fault fault = http_fields_parse(c, head, ret_facts);
    if (fault == HTTP_FAULT_none && c->p != c->end)
        fault = HTTP_FAULT_head_cut;
    return fault == HTTP_FAULT_none ? delimit(ret_facts, head) : fault;
}

/* Everything but the fields, which http_fields_parse() writes anyway: 4 KiB not touched. */
static void clear_head(struct http_head *head)
{
    memset(head, 0, offsetof(struct http_head, known));
}

/* Host's field says what is matched and forwarded: in place the dot went, and what is behind it
 * moved. */
static void settle_host(struct http_head *head)
{
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (head->known[i] == HTTP_KNOWN_HOST)
            head->fields[i].value = head->authority;
    }
}

enum http_fault http_parse_request(uint8_t *bytes, size_t len, struct http_head *ret)
{
    ASSERT(len <= HTTP_HEAD_BYTES_MAX);
    clear_head(ret);
    if (!is_whole(bytes, len))
        return HTTP_FAULT_head_cut;
    struct http_cursor c = {bytes, bytes + len};
    struct http_field_facts facts;
    struct slice target;
    enum http_fault fault = parse_request_line(&c, ret, &target);
    if (fault == HTTP_FAULT_none)
        fault = parse_rest(&c, &facts, ret);
    if (fault == HTTP_FAULT_none)
        fault = http_target_parse(target, &facts, ret);
    if (fault == HTTP_FAULT_none && facts.hosts > 0)
        settle_host(ret);
    if (ret->version_minor == 0)
        ret->is_expecting_continue = false; /* RFC 9110, section 10.1.1 */
    return fault;
}

/* version SP 3DIGIT SP [reason] CR LF; the second SP may be missing when there is no reason, as
 * many servers send it. */
static enum http_fault parse_status_line(struct http_cursor *c, struct http_head *head)
{
    enum http_fault fault = parse_version(c, head);
    if (fault != HTTP_FAULT_none)
        return fault == HTTP_FAULT_version ? fault : HTTP_FAULT_status_line;
    const uint8_t *p = c->p;
    if (c->end - p < 6 || p[0] != ' ' || p[1] < '1' || p[1] > '9' || p[2] < '0' || p[2] > '9' ||
        p[3] < '0' || p[3] > '9')
        return HTTP_FAULT_status_line;
    head->status = (uint16_t)((p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0'));
    c->p += 4;
    if (*c->p == ' ')
        c->p++;
    else if (*c->p != '\r')
        return HTTP_FAULT_status_line;
    uint8_t *reason = c->p;
    while (http_char_is(*c->p, HTTP_CHAR_VALUE))
        c->p++;
    head->reason = slice_of(reason, (size_t)(c->p - reason));
    return http_line_end(c, HTTP_FAULT_status_line);
}

enum http_fault http_parse_response(uint8_t *bytes, size_t len, bool is_head, struct http_head *ret)
{
    ASSERT(len <= HTTP_HEAD_BYTES_MAX);
    clear_head(ret);
    if (!is_whole(bytes, len))
        return HTTP_FAULT_head_cut;
    struct http_cursor c = {bytes, bytes + len};
    struct http_field_facts facts;
    enum http_fault fault = parse_status_line(&c, ret);
    if (fault == HTTP_FAULT_none)
        fault = parse_rest(&c, &facts, ret);
    if (fault != HTTP_FAULT_none)
        return fault;
    ret->is_bodiless = is_head || ret->status < 200 || ret->status == 204 || ret->status == 304;
    if (!ret->is_bodiless && ret->body == HTTP_BODY_NONE)
        ret->body = HTTP_BODY_UNTIL_CLOSE;
    if (ret->body == HTTP_BODY_UNTIL_CLOSE)
        ret->is_keep_alive = false;
    return HTTP_FAULT_none;
}
