/* SPDX-License-Identifier: Apache-2.0 */
/* See access/access_line.h. */
#include "access/access_line.h"

#include "abi/stats.h"
#include "base/assert.h"
#include "base/container.h"
#include "base/minmax.h"
#include "base/slice.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define END_PREFIX "proxy_end_"
#define REFUSED_PREFIX "http_" /* so the line says "refused_", which no other end begins with */
#define L4_PREFIX "proxy_"     /* likewise "l4_end_" */
#define ESCAPED_BYTES_MAX 6u   /* "\u001f", of one byte */

/* A line while it grows; its end is never reached, for all that is put in has a bound. */
struct line {
    char *bytes;
    size_t len;
};

_Static_assert(ACCESS_LINE_BYTES_MAX > ESCAPED_BYTES_MAX * ACCESS_TEXT_BYTES_MAX +
                                           3 * ESCAPED_BYTES_MAX * ACCESS_NAME_BYTES_MAX + 2048,
               "texts, three names, and the rest");

uint64_t access_fields_default(void)
{
    uint64_t fields = 0;
#define X(name, is_default, help) fields |= (uint64_t)(is_default) << ACCESS_FIELD_##name;
    ACCESS_FIELD_LIST(X)
#undef X
    return fields;
}

const char *access_field_name(enum access_field field)
{
    static const char *const names[] = {
#define X(name, is_default, help) #name,
        ACCESS_FIELD_LIST(X)
#undef X
    };
    ASSERT((unsigned)field < array_len(names));
    return names[field];
}

const char *access_field_help(enum access_field field)
{
    static const char *const helps[] = {
#define X(name, is_default, help) help,
        ACCESS_FIELD_LIST(X)
#undef X
    };
    ASSERT((unsigned)field < array_len(helps));
    return helps[field];
}

static bool find_field(struct slice name, uint64_t *ret_bit)
{
    for (unsigned i = 0; i < ACCESS_FIELDS; i++) {
        if (slice_eq(name, slice_of_str(access_field_name((enum access_field)i)))) {
            *ret_bit = 1ull << i;
            return true;
        }
    }
    return false;
}

bool access_fields_parse(const char *text, uint64_t *ret_fields)
{
    uint64_t fields = 0;
    for (;;) {
        uint64_t bit;
        size_t len = strcspn(text, ",");
        if (!find_field(slice_of(text, len), &bit))
            return false;
        fields |= bit;
        if (text[len] == '\0')
            break;
        text += len + 1;
    }
    *ret_fields = fields;
    return true;
}

static void put(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct line *l, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(l->bytes + l->len, ACCESS_LINE_BYTES_MAX - l->len, format, args);
    va_end(args);
    ASSERT(n >= 0 && (size_t)n < ACCESS_LINE_BYTES_MAX - l->len);
    l->len += (size_t)n;
}

/* How long the UTF-8 sequence at the front of `s` is; 0: it is none (RFC 3629, section 4). */
static size_t utf8_bytes(struct slice s)
{
    const uint8_t *b = s.ptr;
    size_t n = b[0] < 0x80 ? 1 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
    if (n == 0 || b[0] > 0xf4 || n > s.len)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    }
    bool is_overlong = (b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xf0 && b[1] < 0x90);
    bool is_surrogate = b[0] == 0xed && b[1] >= 0xa0;
    bool is_beyond = b[0] == 0xf4 && b[1] >= 0x90;
    return is_overlong || is_surrogate || is_beyond ? 0 : n;
}

static void put_raw(struct line *l, const void *bytes, size_t n)
{
    ASSERT(l->len + n < ACCESS_LINE_BYTES_MAX);
    memcpy(l->bytes + l->len, bytes, n);
    l->len += n;
}

/* A JSON string. */
static void put_text(struct line *l, struct slice s)
{
    put_raw(l, "\"", 1);
    while (s.len > 0) {
        uint8_t c = s.ptr[0];
        size_t n = utf8_bytes(s);
        if (n == 0)
            put_raw(l, "\\ufffd", 6);
        else if (c == '"' || c == '\\')
            put(l, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            put(l, "\\u%04x", c);
        else
            put_raw(l, s.ptr, n);
        s = slice_skip(s, n == 0 ? 1 : n);
    }
    put_raw(l, "\"", 1);
}

static void put_number(struct line *l, uint64_t n, bool is_there)
{
    if (is_there)
        put(l, "%llu", (unsigned long long)n);
    else
        put(l, "null");
}

/* What a line is made of. */
struct told {
    const struct access_record *r;
    const struct image_view *v; /* NULL: it is gone */
    uint64_t epoch_us;
};

/* A field that is a number, or null. */
#define NUMBER(field, n, is_there)                                                                 \
    static void put_##field(struct line *l, const struct told *t)                                  \
    {                                                                                              \
        put_number(l, n, is_there);                                                                \
    }

NUMBER(client_port, t->r->client_port, true)
NUMBER(local_port, t->r->local_port, true)
NUMBER(worker, t->r->head.worker, true)
NUMBER(status, t->r->status, t->r->status != 0)
NUMBER(generation, t->r->generation, t->r->generation != 0)
NUMBER(tries, t->r->tries, true)
NUMBER(request_bytes, t->r->request_bytes, true)
NUMBER(response_bytes, t->r->response_bytes, true)
NUMBER(total_us, t->r->total_us, true)
NUMBER(head_us, t->r->head_us, t->r->head_us != ACCESS_NO_TIME)
NUMBER(connect_us, t->r->connect_us, t->r->connect_us != ACCESS_NO_TIME)

static void put_time(struct line *l, const struct told *t)
{
    uint64_t unix_us = t->epoch_us + t->r->head.time_us - t->r->total_us;
    time_t s = (time_t)(unix_us / 1000000);
    struct tm tm;
    char text[32];
    gmtime_r(&s, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    put(l, "\"%s.%03uZ\"", text, (unsigned)(unix_us / 1000 % 1000));
}

static void put_address(struct line *l, const struct ip_addr *a)
{
    char text[IP_ADDR_TEXT_MAX];
    put(l, "\"%s\"", ip_addr_format(a, text));
}

static void put_client(struct line *l, const struct told *t)
{
    put_address(l, &t->r->client);
}

static void put_local(struct line *l, const struct told *t)
{
    put_address(l, &t->r->local);
}

static void put_endpoint(struct line *l, const struct told *t)
{
    char text[IP_ADDR_TEXT_MAX];
    const struct ip_addr *a = &t->r->endpoint;
    unsigned port = t->r->endpoint_port;
    if (ip_addr_is_zero(a))
        put(l, "null");
    else if (ip_addr_is_v4(a))
        put(l, "\"%s:%u\"", ip_addr_format(a, text), port);
    else
        put(l, "\"[%s]:%u\"", ip_addr_format(a, text), port);
}

/* One of the texts behind the record. */
static void put_kept(struct line *l, const struct access_record *r, enum access_text which)
{
    size_t at = 0;
    for (unsigned i = 0; i < which; i++)
        at += r->text_bytes[i];
    put_text(l, slice_of(r->text + at, r->text_bytes[which]));
}

static void put_method(struct line *l, const struct told *t)
{
    put_kept(l, t->r, ACCESS_METHOD);
}

static void put_host(struct line *l, const struct told *t)
{
    put_kept(l, t->r, ACCESS_HOST);
}

static void put_path(struct line *l, const struct told *t)
{
    put_kept(l, t->r, ACCESS_PATH);
}

static void put_query(struct line *l, const struct told *t)
{
    if (t->r->flags & ACCESS_HAS_QUERY)
        put_kept(l, t->r, ACCESS_QUERY);
    else
        put(l, "null");
}

static void put_is_cut(struct line *l, const struct told *t)
{
    put(l, t->r->flags & ACCESS_IS_CUT ? "true" : "false");
}

/* Was there no request, since its head was refused? */
static bool is_refused(const struct access_record *r)
{
    return r->end >= STAT_http_refused_bare_cr && r->end <= STAT_http_refused_content_long;
}

/* Was it a connection that was passed on, or should have been? */
static bool is_l4(const struct access_record *r)
{
    return r->end >= STAT_proxy_l4_end_complete && r->end <= STAT_proxy_l4_end_cut;
}

/* Was it a flow whose packets were forwarded? */
static bool is_flow(const struct access_record *r)
{
    return r->end >= STAT_l4_end_idle && r->end <= STAT_l4_end_gone;
}

/* What of the counter's name goes without saying. */
static const char *prefix_of(const struct access_record *r)
{
    if (is_flow(r))
        return "";
    return is_refused(r) ? REFUSED_PREFIX : is_l4(r) ? L4_PREFIX : END_PREFIX;
}

static void put_end(struct line *l, const struct told *t)
{
    put(l, "\"%s\"", stat_name((enum stat_id)t->r->end) + strlen(prefix_of(t->r)));
}

/* A name of the image; NULL: there is no such thing. */
static void put_name(struct line *l, const struct image_view *v, const struct image_string *name)
{
    if (name == NULL) {
        put(l, "null");
        return;
    }
    struct slice s = image_text(v, *name);
    put_text(l, slice_of(s.ptr, min64(s.len, ACCESS_NAME_BYTES_MAX)));
}

static void put_listener(struct line *l, const struct told *t)
{
    bool is_there = t->v != NULL && t->r->listener < t->v->n_listeners;
    put_name(l, t->v, is_there ? &t->v->listeners[t->r->listener].name : NULL);
}

static void put_protocol(struct line *l, const struct told *t)
{
    static const char *const names[] = {
        [IMAGE_PROTOCOL_HTTP] = "HTTP", [IMAGE_PROTOCOL_HTTPS] = "HTTPS",
        [IMAGE_PROTOCOL_TLS] = "TLS",   [IMAGE_PROTOCOL_TLS_TERMINATED] = "TLS",
        [IMAGE_PROTOCOL_TCP] = "TCP",   [IMAGE_PROTOCOL_UDP] = "UDP",
        [IMAGE_PROTOCOL_DNS] = "DNS",
    };
    bool is_there = t->v != NULL && t->r->listener < t->v->n_listeners;
    if (is_there)
        put(l, "\"%s\"", names[t->v->listeners[t->r->listener].protocol]);
    else
        put(l, "null");
}

static void put_is_h2(struct line *l, const struct told *t)
{
    put(l, t->r->flags & ACCESS_IS_H2 ? "true" : "false");
}

static void put_backend(struct line *l, const struct told *t)
{
    bool is_there = t->v != NULL && t->r->backend < t->v->n_backends;
    put_name(l, t->v, is_there ? &t->v->backends[t->r->backend].name : NULL);
}

/* NULL: no rule took it, or the image is gone. */
static const struct image_rule *rule_of(const struct told *t)
{
    return t->v != NULL && t->r->rule < t->v->n_rules ? &t->v->rules[t->r->rule] : NULL;
}

static void put_route(struct line *l, const struct told *t)
{
    const struct image_rule *rule = rule_of(t);
    put_name(l, t->v, rule != NULL ? &t->v->routes[rule->route].name : NULL);
}

static void put_rule(struct line *l, const struct told *t)
{
    const struct image_rule *rule = rule_of(t);
    put_number(l, rule != NULL ? rule->index : 0, rule != NULL);
}

size_t access_line_write(const struct access_record *r, const struct image_view *v,
                         uint64_t epoch_us, uint64_t fields, char line[ACCESS_LINE_BYTES_MAX])
{
    static void (*const puts[])(struct line * l, const struct told *t) = {
#define X(name, is_default, help) put_##name,
        ACCESS_FIELD_LIST(X)
#undef X
    };
    const struct told told = {.r = r, .v = v, .epoch_us = epoch_us};
    struct line l = {.bytes = line};
    bool is_request = r->end >= STAT_proxy_end_complete && r->end <= STAT_proxy_end_client_gone;
    ASSERT(fields != 0 && (is_request || is_refused(r) || is_l4(r) || is_flow(r)));
    for (unsigned i = 0; i < ACCESS_FIELDS; i++) {
        if ((fields >> i & 1) == 0)
            continue;
        put(&l, "%c\"%s\":", l.len == 0 ? '{' : ',', access_field_name((enum access_field)i));
        puts[i](&l, &told);
    }
    put(&l, "}\n");
    return l.len;
}
