/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Field lines (RFC 9112, section 5), and what the fields that steer the connection say (RFC 9110,
 * sections 7.6 and 10.1; RFC 9112, section 6). Pure.
 */
#include "base/assert.h"
#include "http/http_chars.h"
#include "http/http_priv.h"

enum { LENGTH_DIGITS_MAX = 18 }; /* below 2^60: sums cannot overflow */

enum http_fault http_line_end(struct http_cursor *c, enum http_fault otherwise)
{
    ASSERT_HOT(c->p < c->end);
    if (c->p[0] == '\n')
        return HTTP_FAULT_bare_lf;
    if (c->p[0] != '\r')
        return otherwise;
    if (c->end - c->p < 2 || c->p[1] != '\n')
        return HTTP_FAULT_bare_cr;
    c->p += 2;
    return HTTP_FAULT_none;
}

/* What stands where a colon should. */
static enum http_fault name_fault(const struct http_cursor *c, const uint8_t *name)
{
    const uint8_t *p = c->p;
    if (*p == '\r')
        return p[1] == '\n' ? HTTP_FAULT_field_colon : HTTP_FAULT_bare_cr;
    if (*p == '\n')
        return HTTP_FAULT_bare_lf;
    if (http_char_is(*p, HTTP_CHAR_SPACE) && p > name) {
        while (http_char_is(*p, HTTP_CHAR_SPACE))
            p++;
        return *p == ':' ? HTTP_FAULT_field_space : HTTP_FAULT_field_name;
    }
    return HTTP_FAULT_field_name;
}

/* One line: name ":" OWS value OWS CR LF. */
static enum http_fault parse_line(struct http_cursor *c, struct http_field *ret)
{
    uint8_t *name = c->p;
    while (http_char_is(*c->p, HTTP_CHAR_TOKEN))
        c->p++;
    if (*c->p != ':' || c->p == name)
        return name_fault(c, name);
    ret->name = slice_of(name, (size_t)(c->p - name));
    c->p++;
    while (http_char_is(*c->p, HTTP_CHAR_SPACE))
        c->p++;
    uint8_t *value = c->p;
    while (http_char_is(*c->p, HTTP_CHAR_VALUE))
        c->p++;
    uint8_t *value_end = c->p;
    while (value_end > value && http_char_is(value_end[-1], HTTP_CHAR_SPACE))
        value_end--;
    ret->value = slice_of(value, (size_t)(value_end - value));
    return http_line_end(c, HTTP_FAULT_field_value);
}

/* Content-Length: 1*DIGIT, once (RFC 9112, section 6.3, rule 5; a list of equal ones is refused
 * too: two readers may differ on it). */
static enum http_fault take_length(struct slice v, struct http_head *head,
                                   struct http_field_facts *facts)
{
    if (facts->is_length)
        return HTTP_FAULT_length_twice;
    if (v.len == 0 || v.len > LENGTH_DIGITS_MAX)
        return HTTP_FAULT_length_invalid;
    uint64_t n = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return HTTP_FAULT_length_invalid;
        n = n * 10 + (uint64_t)(v.ptr[i] - '0');
    }
    facts->is_length = true;
    head->length = n;
    return HTTP_FAULT_none;
}

/* The next element of a comma-separated list of tokens; empty elements are skipped (RFC 9110,
 * section 5.6.1.2). False: the end, or (*ret_bad) no token. */
static bool next_token(struct slice *rest, struct slice *ret, bool *ret_bad)
{
    while (rest->len > 0 && (rest->ptr[0] == ',' || http_char_is(rest->ptr[0], HTTP_CHAR_SPACE)))
        *rest = slice_skip(*rest, 1);
    size_t n = 0;
    while (n < rest->len && http_char_is(rest->ptr[n], HTTP_CHAR_TOKEN))
        n++;
    *ret = slice_of(rest->ptr, n);
    *rest = slice_skip(*rest, n);
    while (rest->len > 0 && http_char_is(rest->ptr[0], HTTP_CHAR_SPACE))
        *rest = slice_skip(*rest, 1);
    *ret_bad = rest->len > 0 && rest->ptr[0] != ',';
    return n > 0 && !*ret_bad;
}

/* Connection: close, keep-alive, and names of fields that end here. */
static enum http_fault take_connection(struct slice v, struct http_head *head,
                                       struct http_field_facts *facts)
{
    struct slice token;
    bool is_bad = false;
    while (next_token(&v, &token, &is_bad)) {
        if (slice_eq_nocase(token, SLICE_LIT("close")))
            facts->is_close = true;
        else if (slice_eq_nocase(token, SLICE_LIT("keep-alive")))
            facts->is_keep_alive = true;
        else if (slice_eq_nocase(token, SLICE_LIT("upgrade")))
            head->is_upgrade_named = true;
        else
            facts->is_naming = true;
    }
    return is_bad ? HTTP_FAULT_connection : HTTP_FAULT_none;
}

/* What a field means for this connection. */
static enum http_fault take_known(enum http_known known, struct slice v, struct http_head *head,
                                  struct http_field_facts *facts)
{
    switch (known) {
    case HTTP_KNOWN_HOST:
        facts->hosts++;
        facts->host = v;
        return facts->hosts > 1 ? HTTP_FAULT_host_twice : HTTP_FAULT_none;
    case HTTP_KNOWN_CONTENT_LENGTH:
        return take_length(v, head, facts);
    case HTTP_KNOWN_TRANSFER_ENCODING:
        if (facts->is_coding || !slice_eq_nocase(v, SLICE_LIT("chunked")))
            return HTTP_FAULT_coding_invalid;
        facts->is_coding = true;
        return HTTP_FAULT_none;
    case HTTP_KNOWN_CONNECTION:
        return take_connection(v, head, facts);
    case HTTP_KNOWN_EXPECT:
        if (!slice_eq_nocase(v, SLICE_LIT("100-continue")))
            return HTTP_FAULT_expect;
        head->is_expecting_continue = true;
        return HTTP_FAULT_none;
    case HTTP_KNOWN_UPGRADE:
        head->is_upgrade_asked = true;
        return HTTP_FAULT_none;
    default:
        return HTTP_FAULT_none;
    }
}

/* May Connection name it? Not what we know: a stranger must not be able to strip Host, framing or
 * X-Forwarded-* from what the backend gets. */
static void mark_named(struct http_head *head, struct slice token)
{
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (head->known[i] == HTTP_KNOWN_NONE && slice_eq_nocase(head->fields[i].name, token))
            head->is_hop[i] = true;
    }
}

/* Fields that Connection names end here (RFC 9110, section 7.6.1). Rare, so a pass of its own. */
static void mark_hops(struct http_head *head)
{
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (head->known[i] != HTTP_KNOWN_CONNECTION)
            continue;
        struct slice rest = head->fields[i].value;
        struct slice token;
        bool is_bad;
        while (next_token(&rest, &token, &is_bad))
            mark_named(head, token);
    }
}

enum http_fault http_fields_parse(struct http_cursor *c, struct http_head *head,
                                  struct http_field_facts *ret)
{
    *ret = (struct http_field_facts){0};
    ASSERT(c->p <= c->end);
    head->n_fields = 0;
    while (*c->p != '\r' && *c->p != '\n') {
        if (http_char_is(*c->p, HTTP_CHAR_SPACE))
            return HTTP_FAULT_obs_fold;
        if (head->n_fields == HTTP_FIELDS_MAX)
            return HTTP_FAULT_fields_many;
        struct http_field *field = &head->fields[head->n_fields];
        enum http_fault fault = parse_line(c, field);
        if (fault != HTTP_FAULT_none)
            return fault;
        enum http_known known = http_known_of(field->name);
        head->known[head->n_fields] = (uint8_t)known;
        head->is_hop[head->n_fields] = http_known_is_hop(known);
        head->n_fields++;
        fault = take_known(known, field->value, head, ret);
        if (fault != HTTP_FAULT_none)
            return fault;
    }
    if (ret->is_naming)
        mark_hops(head);
    return http_line_end(c, HTTP_FAULT_field_name);
}
