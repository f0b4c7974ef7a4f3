/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads that come: fields as HPACK gave them, turned into the text of an HTTP/1 head, which the one
 * strict parser then reads (http.h). So a request means the same by whichever way it came, and what
 * a match sees is what the backend gets. nghttp2 has checked what RFC 9113, section 8 says of
 * fields; that nothing in them can end a line, or a word of the first line, is checked here once
 * more, because that would be smuggling.
 *
 * In the buffer a field is four bytes of lengths, name, value.
 */
#include "base/assert.h"
#include "base/base64.h"
#include "http/h1_head.h"
#include "http/http_chars.h"
#include "http2/h2_priv.h"

#include <string.h>

bool h2_partial_add(struct h2_partial *p, struct slice name, struct slice value)
{
    struct http_head_buf *buf = p->buf;
    size_t bytes = HTTP_TRAILER_LENGTHS_BYTES + name.len + value.len;
    p->seen_bytes += bytes;
    p->n_fields++;
    if (p->fault == HTTP_FAULT_none && p->n_fields > HTTP_FIELDS_MAX)
        p->fault = HTTP_FAULT_fields_many;
    if (p->fault == HTTP_FAULT_none && bytes > HTTP_HEAD_BYTES_MAX - buf->len)
        p->fault = HTTP_FAULT_head_long;
    if (p->fault != HTTP_FAULT_none)
        return p->seen_bytes <= H2_WASTE_BYTES_MAX;
    uint16_t lengths[2] = {(uint16_t)name.len, (uint16_t)value.len};
    uint8_t *to = buf->bytes + buf->len;
    memcpy(to, lengths, HTTP_TRAILER_LENGTHS_BYTES);
    memcpy(to + HTTP_TRAILER_LENGTHS_BYTES, name.ptr, name.len);
    if (value.len > 0)
        memcpy(to + HTTP_TRAILER_LENGTHS_BYTES + name.len, value.ptr, value.len);
    buf->len += (uint32_t)bytes;
    return true;
}

/* The pseudo-header fields (section 8.3), empty where they did not come, and Host. */
struct pseudo {
    struct slice method;
    struct slice scheme;
    struct slice authority;
    struct slice path;
    struct slice protocol;
    struct slice status;
    struct slice host;
    unsigned hosts;
};

static void take_pseudo(struct pseudo *p, struct slice name, struct slice value)
{
    if (slice_eq(name, SLICE_LIT(":method")))
        p->method = value;
    else if (slice_eq(name, SLICE_LIT(":scheme")))
        p->scheme = value;
    else if (slice_eq(name, SLICE_LIT(":authority")))
        p->authority = value;
    else if (slice_eq(name, SLICE_LIT(":path")))
        p->path = value;
    else if (slice_eq(name, SLICE_LIT(":protocol")))
        p->protocol = value;
    else if (slice_eq(name, SLICE_LIT(":status")))
        p->status = value;
    else if (slice_eq(name, SLICE_LIT("host"))) {
        p->host = value;
        p->hosts++;
    }
}

static void find_pseudo(const struct http_head_buf *buf, struct pseudo *ret)
{
    struct slice name, value;
    *ret = (struct pseudo){.hosts = 0};
    for (uint32_t at = 0; http_trailers_next(buf, &at, &name, &value);)
        take_pseudo(ret, name, value);
}

static bool has_only(struct slice v, uint8_t classes)
{
    for (size_t i = 0; i < v.len; i++) {
        if (!http_char_is(v.ptr[i], classes))
            return false;
    }
    return true;
}

/* Nothing that ends the first line or one of its words. */
static bool is_word(struct slice v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] <= ' ' || v.ptr[i] == 0x7f)
            return false;
    }
    return v.len > 0;
}

/* Of a connection of HTTP/1, or written anew here (section 8.2.2). */
static bool is_connections(struct slice name)
{
    return slice_eq(name, SLICE_LIT("connection")) ||
           slice_eq(name, SLICE_LIT("proxy-connection")) ||
           slice_eq(name, SLICE_LIT("keep-alive")) ||
           slice_eq(name, SLICE_LIT("transfer-encoding")) || slice_eq(name, SLICE_LIT("upgrade"));
}

/* Cookies that came in several fields are one again (section 8.2.3). */
static void put_cookies(struct h1_text *t, const struct http_head_buf *buf)
{
    struct slice name, value;
    bool is_first = true;
    for (uint32_t at = 0; http_trailers_next(buf, &at, &name, &value);) {
        if (!slice_eq(name, SLICE_LIT("cookie")))
            continue;
        h1_text_put(t, is_first ? SLICE_LIT("cookie: ") : SLICE_LIT("; "));
        h1_text_put(t, value);
        is_first = false;
    }
    if (!is_first)
        h1_text_put(t, SLICE_LIT("\r\n"));
}

/* The fields but the pseudo ones, and Host; then the empty line. */
static enum http_fault put_fields(struct h1_text *t, const struct http_head_buf *buf)
{
    struct slice name, value;
    bool has_cookie = false;
    for (uint32_t at = 0; http_trailers_next(buf, &at, &name, &value);) {
        if (name.len == 0 || (name.ptr[0] != ':' && !has_only(name, HTTP_CHAR_TOKEN)))
            return HTTP_FAULT_field_name;
        if (!has_only(value, HTTP_CHAR_VALUE))
            return HTTP_FAULT_field_value;
        if (is_connections(name))
            return HTTP_FAULT_connection;
        bool is_cookie = slice_eq(name, SLICE_LIT("cookie"));
        has_cookie |= is_cookie;
        if (is_cookie || name.ptr[0] == ':' || slice_eq(name, SLICE_LIT("host")))
            continue;
        struct http_field field = {name, value};
        h1_text_put_fields(t, &field, 1);
    }
    if (has_cookie)
        put_cookies(t, buf);
    h1_text_put(t, SLICE_LIT("\r\n"));
    return HTTP_FAULT_none;
}

/* The text takes the fields' place. */
static enum http_fault replace(struct http_head_buf *buf, const struct h1_text *t)
{
    if (t->is_full || t->len > HTTP_HEAD_BYTES_MAX)
        return HTTP_FAULT_head_long;
    memcpy(buf->bytes, t->bytes, t->len);
    buf->len = (uint32_t)t->len;
    buf->scanned = buf->len;
    return HTTP_FAULT_none;
}

/* Sec-WebSocket-Key, which HTTP/2 does without. */
static void put_websocket(struct h1_text *t, const uint8_t key[16])
{
    char text[BASE64_BYTES(16)];
    base64_encode(slice_of(key, 16), text);
    h1_text_put(t, SLICE_LIT(H1_UPGRADE "Sec-WebSocket-Key: "));
    h1_text_put(t, slice_of(text, sizeof(text)));
    h1_text_put(t, SLICE_LIT("\r\n"));
}

static enum http_fault check_request(const struct pseudo *p)
{
    bool is_connect = slice_eq(p->method, SLICE_LIT("CONNECT"));
    if (!has_only(p->method, HTTP_CHAR_TOKEN) || p->method.len == 0)
        return HTTP_FAULT_method;
    if (is_connect && !slice_eq(p->protocol, SLICE_LIT("websocket")))
        return HTTP_FAULT_target_connect;
    if (!slice_eq(p->scheme, SLICE_LIT("http")) && !slice_eq(p->scheme, SLICE_LIT("https")))
        return HTTP_FAULT_target_form;
    if (!is_word(p->path))
        return HTTP_FAULT_target_char;
    if (p->path.ptr[0] != '/' && !slice_eq(p->path, SLICE_LIT("*")))
        return HTTP_FAULT_target_form;
    if (p->hosts > 1)
        return HTTP_FAULT_host_twice;
    bool has_both = p->hosts > 0 && p->authority.len > 0;
    if (has_both && !slice_eq_nocase(p->host, p->authority))
        return HTTP_FAULT_authority;
    if (p->hosts == 0 && p->authority.len == 0)
        return HTTP_FAULT_host_missing;
    return HTTP_FAULT_none;
}

/* RFC 8441: asking for WebSocket is CONNECT with a protocol; as HTTP/1.1 it is a GET. */
enum http_fault h2_compose_request(struct http_head_buf *buf, const uint8_t key[16])
{
    struct pseudo p;
    struct h1_text t;
    h1_text_init(&t);
    find_pseudo(buf, &p);
    enum http_fault fault = check_request(&p);
    if (fault != HTTP_FAULT_none)
        return fault;
    struct slice host = p.authority.len > 0 ? p.authority : p.host;
    if (!has_only(host, HTTP_CHAR_VALUE))
        return HTTP_FAULT_host_invalid;
    h1_text_put(&t, p.protocol.len > 0 ? SLICE_LIT("GET") : p.method);
    h1_text_put(&t, SLICE_LIT(" "));
    h1_text_put(&t, p.path);
    h1_text_put(&t, SLICE_LIT(" HTTP/1.1\r\nHost: "));
    h1_text_put(&t, host);
    h1_text_put(&t, SLICE_LIT("\r\n"));
    if (p.protocol.len > 0)
        put_websocket(&t, key);
    fault = put_fields(&t, buf);
    return fault != HTTP_FAULT_none ? fault : replace(buf, &t);
}

/* RFC 8441, section 5: to a request for WebSocket any 2xx is what 101 is in HTTP/1.1. */
enum http_fault h2_compose_response(struct http_head_buf *buf, bool is_connect)
{
    struct pseudo p;
    struct h1_text t;
    h1_text_init(&t);
    find_pseudo(buf, &p);
    if (!is_word(p.status))
        return HTTP_FAULT_status_line;
    bool is_consent = is_connect && p.status.ptr[0] == '2';
    h1_text_put(&t, SLICE_LIT("HTTP/1.1 "));
    h1_text_put(&t, is_consent ? SLICE_LIT("101") : p.status);
    h1_text_put(&t, is_consent ? SLICE_LIT(" \r\n" H1_UPGRADE) : SLICE_LIT(" \r\n"));
    enum http_fault fault = put_fields(&t, buf);
    return fault != HTTP_FAULT_none ? fault : replace(buf, &t);
}
