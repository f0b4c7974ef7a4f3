/* SPDX-License-Identifier: Apache-2.0 */
/* See session.h. Bytes are hashed and written with the highest first, so that a value means the
 * same on any machine. */
#include "route/session.h"

#include "base/siphash.h"

#include <stdio.h>

enum { CHANCE_BITS = 24, WORD_DIGITS = 16 };

static_assert(3 * WORD_DIGITS == ROUTE_SESSION_VALUE_BYTES, "three words");

static void put_word(uint8_t *to, uint64_t word)
{
    for (unsigned i = 0; i < 8; i++)
        to[i] = (uint8_t)(word >> (56 - 8 * i));
}

static void put_digits(char *to, uint64_t word)
{
    for (unsigned i = 0; i < WORD_DIGITS; i++)
        to[i] = "0123456789abcdef"[word >> (60 - 4 * i) & 15];
}

/* False: not all are digits as we write them. */
static bool take_digits(const uint8_t *from, uint64_t *ret)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < WORD_DIGITS; i++) {
        uint8_t c = from[i];
        bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && (c < 'a' || c > 'f'))
            return false;
        word = word << 4 | (uint64_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    *ret = word;
    return true;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = slice_skip(s, 1);
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool route_cookie_next(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
    while (rest->len > 0) {
        const uint8_t *end = memchr(rest->ptr, ';', rest->len);
        size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr);
        struct slice pair = slice_of(rest->ptr, len);
        *rest = slice_skip(*rest, end == NULL ? len : len + 1);
        const uint8_t *equals = len == 0 ? NULL : memchr(pair.ptr, '=', len);
        if (equals == NULL)
            continue;
        size_t before = (size_t)(equals - pair.ptr);
        struct slice name = trim(slice_of(pair.ptr, before));
        if (name.len == 0)
            continue;
        *ret_name = name;
        *ret_value = trim(slice_skip(pair, before + 1));
        return true;
    }
    return false;
}

static uint64_t keyed(const uint64_t key[2], const uint8_t *bytes, size_t n)
{
    return siphash(&(struct siphash_key){key[0], key[1]}, bytes, n);
}

static uint64_t token_of(const struct image_persistence *p, uint64_t salt,
                         const struct ip_addr *addr, uint16_t port)
{
    uint8_t bytes[8 + sizeof(addr->bytes) + 2];
    put_word(bytes, salt);
    memcpy(bytes + 8, addr->bytes, sizeof(addr->bytes));
    bytes[24] = (uint8_t)(port >> 8);
    bytes[25] = (uint8_t)port;
    return keyed(p->token_key, bytes, sizeof(bytes));
}

static uint64_t seal_of(const struct image_persistence *p, const struct route_session *session)
{
    uint8_t bytes[16];
    put_word(bytes, session->salt);
    put_word(bytes + 8, session->token);
    return keyed(p->seal_key, bytes, sizeof(bytes));
}

/* One that begins tomorrow began when the clock was wrong: it has all of its time. */
static bool is_over(const struct image_persistence *p, uint64_t salt, uint64_t unix_s)
{
    uint64_t began_s = salt >> CHANCE_BITS;
    return p->lifetime_s != 0 && unix_s > began_s && unix_s - began_s >= p->lifetime_s;
}

bool route_session_read(const struct image_persistence *p, struct slice value, uint64_t unix_s,
                        struct route_session *ret)
{
    struct route_session session;
    uint64_t seal;
    if (value.len != ROUTE_SESSION_VALUE_BYTES || !take_digits(value.ptr, &session.salt) ||
        !take_digits(value.ptr + WORD_DIGITS, &session.token) ||
        !take_digits(value.ptr + 2 * (size_t)WORD_DIGITS, &seal))
        return false;
    if (seal != seal_of(p, &session) || is_over(p, session.salt, unix_s))
        return false;
    *ret = session;
    return true;
}

bool route_session_is_at(const struct image_persistence *p, const struct route_session *session,
                         const struct ip_addr *addr, uint16_t port)
{
    return token_of(p, session->salt, addr, port) == session->token;
}

uint64_t route_session_salt(uint64_t unix_s, uint64_t chance)
{
    ASSERT(unix_s >> (64 - CHANCE_BITS) == 0);
    return unix_s << CHANCE_BITS | chance >> (64 - CHANCE_BITS);
}

void route_session_write(const struct image_persistence *p, uint64_t salt,
                         const struct ip_addr *addr, uint16_t port,
                         char ret[ROUTE_SESSION_VALUE_BYTES])
{
    struct route_session session = {salt, token_of(p, salt, addr, port)};
    put_digits(ret, session.salt);
    put_digits(ret + WORD_DIGITS, session.token);
    put_digits(ret + 2 * (size_t)WORD_DIGITS, seal_of(p, &session));
}

/* RFC 6265, section 4.1.1. Scripts need not see it, and other sites' forms need not send it. Not
 * Secure unless it goes over TLS: browsers would not send it back over anything else. */
size_t route_session_cookie(const struct image_view *v, const struct image_persistence *p,
                            const char value[ROUTE_SESSION_VALUE_BYTES], bool is_secure,
                            char ret[ROUTE_SESSION_COOKIE_BYTES_MAX])
{
    char age[32] = "";
    struct slice name = image_text(v, p->name), path = image_text(v, p->path);
    ASSERT(p->kind == IMAGE_SESSION_COOKIE && name.len > 0 && path.len > 0);
    if (p->is_permanent)
        snprintf(age, sizeof(age), "; Max-Age=%u", (unsigned)p->lifetime_s);
    int n = snprintf(ret, ROUTE_SESSION_COOKIE_BYTES_MAX,
                     "%.*s=%.*s; Path=%.*s%s; HttpOnly; SameSite=Lax%s", (int)name.len,
                     (const char *)name.ptr, (int)ROUTE_SESSION_VALUE_BYTES, value, (int)path.len,
                     (const char *)path.ptr, age, is_secure ? "; Secure" : "");
    ASSERT(n > 0 && (unsigned)n < ROUTE_SESSION_COOKIE_BYTES_MAX);
    return (size_t)n;
}
