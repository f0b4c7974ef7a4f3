/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request target and Host: the four forms (RFC 9112, section 3.2), the authority (RFC 3986, section
 * 3.2 without userinfo), and that both name the same host. Pure.
 */
#include "base/assert.h"
#include "base/ip_addr.h"
#include "http/http_chars.h"
#include "http/http_priv.h"

/* The bytes lie in the head buffer, which the parser may write to. */
static uint8_t *writable(struct slice s)
{
    return (uint8_t *)(uintptr_t)s.ptr;
}

/* "[2001:db8::1]"; zone ids are not for the wire. */
static bool is_ip6_literal(struct slice s)
{
    char text[IP_ADDR_TEXT_MAX];
    struct ip_addr addr;
    if (s.len < 4 || s.len - 2 >= sizeof(text) || memchr(s.ptr, ':', s.len) == NULL)
        return false;
    memcpy(text, s.ptr + 1, s.len - 2);
    text[s.len - 2] = '\0';
    return ip_addr_parse(text, &addr);
}

/* Labels of letters, digits, '-' and '_', none of them empty; also holds for dotted IPv4. */
static bool is_host_name(struct slice s)
{
    if (s.len == 0 || s.len > HTTP_HOST_BYTES_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!http_char_is(s.ptr[i], HTTP_CHAR_HOST))
            return false;
        if (s.ptr[i] == '.' && (i == 0 || s.ptr[i - 1] == '.'))
            return false;
    }
    return true;
}

/* ":" 1*5DIGIT, 1 to 65535; or nothing. */
static bool is_port(struct slice s)
{
    if (s.len == 0)
        return true;
    uint32_t port = 0;
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || i > 5)
            return false;
        port = port * 10 + (uint32_t)(s.ptr[i] - '0');
    }
    return s.ptr[0] == ':' && port >= 1 && port <= 65535;
}

/* Where the port's colon is, or the end. */
static size_t host_len(struct slice text)
{
    if (text.len > 0 && text.ptr[0] == '[') {
        const uint8_t *bracket = memchr(text.ptr, ']', text.len);
        return bracket != NULL ? (size_t)(bracket - text.ptr) + 1 : text.len;
    }
    const uint8_t *colon = memchr(text.ptr, ':', text.len);
    return colon != NULL ? (size_t)(colon - text.ptr) : text.len;
}

bool http_authority_parse(struct slice text, struct slice *ret_authority, struct slice *ret_host)
{
    if (text.len == 0)
        return false;
    struct slice host = slice_of(text.ptr, host_len(text));
    struct slice port = slice_skip(text, host.len);
    bool is_literal = host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (!is_port(port) || !(is_literal ? is_ip6_literal(host) : is_host_name(host)))
        return false;
    uint8_t *out = writable(text);
    for (size_t i = 0; i < host.len; i++)
        out[i] = ascii_lower(out[i]);
    if (out[host.len - 1] == '.') { /* fully qualified: the same host */
        host.len--;
        memmove(out + host.len, port.ptr, port.len);
        if (host.len == 0)
            return false;
    }
    *ret_host = host;
    *ret_authority = slice_of(out, host.len + port.len);
    return true;
}

/* Path and query of "/path?query". */
static enum http_fault parse_origin(struct slice target, struct http_head *head)
{
    size_t n = 0;
    while (n < target.len && http_char_is(target.ptr[n], HTTP_CHAR_PATH))
        n++;
    head->has_query = n < target.len && target.ptr[n] == '?';
    if (n < target.len && !head->has_query)
        return HTTP_FAULT_target_char;
    if (head->has_query) {
        head->query = slice_skip(target, n + 1);
        for (size_t i = 0; i < head->query.len; i++) {
            if (!http_char_is(head->query.ptr[i], HTTP_CHAR_QUERY))
                return HTTP_FAULT_target_char;
        }
    }
    head->path = slice_of(target.ptr, n);
    if (n == 0) {
        head->path = SLICE_LIT("/");
        return HTTP_FAULT_none;
    }
    return http_path_normalize(writable(target), &head->path.len);
}

/* How long the "http://" or "https://" at the front is; 0: there is none. */
static size_t scheme_len(struct slice target)
{
    static const struct slice schemes[] = {{(const uint8_t *)"http://", 7},
                                           {(const uint8_t *)"https://", 8}};
    for (unsigned i = 0; i < 2; i++) {
        size_t n = schemes[i].len;
        if (target.len >= n && slice_eq_nocase(slice_of(target.ptr, n), schemes[i]))
            return n;
    }
    return 0;
}

/* "http://authority/path?query": the authority must be the one of Host (RFC 9112, section 3.2.2).
 */
static enum http_fault parse_absolute(struct slice target, size_t scheme,
                                      const struct http_field_facts *facts, struct http_head *head)
{
    struct slice rest = slice_skip(target, scheme);
    size_t n = 0;
    while (n < rest.len && rest.ptr[n] != '/' && rest.ptr[n] != '?')
        n++;
    struct slice authority = slice_of(rest.ptr, n);
    if (facts->hosts > 0 && !slice_eq_nocase(authority, facts->host))
        return HTTP_FAULT_authority;
    if (!http_authority_parse(authority, &head->authority, &head->host))
        return HTTP_FAULT_host_invalid;
    rest = slice_skip(rest, n);
    if (head->method == HTTP_OPTIONS && rest.len == 0) {
        head->path = SLICE_LIT("*");
        return HTTP_FAULT_none;
    }
    return parse_origin(rest, head);
}

enum http_fault http_target_parse(struct slice target, const struct http_field_facts *facts,
                                  struct http_head *head)
{
    ASSERT(target.len > 0 && target.len <= HTTP_TARGET_BYTES_MAX);
    if (head->method == HTTP_CONNECT)
        return HTTP_FAULT_target_connect;
    if (facts->hosts == 0 && head->version_minor > 0)
        return HTTP_FAULT_host_missing;
    size_t scheme = scheme_len(target);
    if (scheme > 0)
        return parse_absolute(target, scheme, facts, head);
    if (facts->hosts > 0 && !http_authority_parse(facts->host, &head->authority, &head->host))
        return HTTP_FAULT_host_invalid;
    if (target.ptr[0] == '/')
        return parse_origin(target, head);
    if (head->method == HTTP_OPTIONS && slice_eq(target, SLICE_LIT("*"))) {
        head->path = target;
        return HTTP_FAULT_none;
    }
    return HTTP_FAULT_target_form;
}
