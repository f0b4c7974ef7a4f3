/* SPDX-License-Identifier: Apache-2.0 */
/* Client hellos: what they ask for, what is none, and that neither depends on how bytes come. */
#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"
#include "tls/client_hello.h"
#include "unit.h"

#include <openssl/ssl.h>
#include <stdio.h>

#define BYTES_MAX 65536u
#define EXTENSION_BYTES_MAX 40000u

/* A message that is put together, and the records that it is cut into. */
struct hello {
    uint8_t message[BYTES_MAX];
    size_t message_len;
    uint8_t wire[BYTES_MAX];
    size_t len;
};

static const char *name_of(enum client_hello r)
{
#define NAME(name, help) #name,
    static const char *const names[] = {CLIENT_HELLO_LIST(NAME)};
#undef NAME
    return names[r];
}

/* Reads the bytes as they come, so many more each time, all of them in pieces of that size. */
static enum client_hello read_cut(const uint8_t *bytes, size_t len, size_t step,
                                  struct client_hello_told *ret)
{
    static struct slice pieces[BYTES_MAX];
    struct client_hello_progress progress = {0};
    enum client_hello r = CLIENT_HELLO_partial;
    unsigned n = 0;
    for (size_t at = 0; at < len && r == CLIENT_HELLO_partial; at += step) {
        pieces[n++] = slice_of(bytes + at, len - at < step ? len - at : step);
        r = client_hello_read(&progress, pieces, n, ret);
    }
    return r;
}

/* The verdict, which is the same however the bytes are cut. */
static enum client_hello read_all(const uint8_t *bytes, size_t len, struct client_hello_told *ret)
{
    static const size_t steps[] = {1, 2, 3, 7, 100, 1460};
    enum client_hello whole = read_cut(bytes, len, len, ret);
    for (size_t i = 0; i < array_len(steps); i++) {
        struct client_hello_told told = {.server_name = "?"};
        if (steps[i] < 100 && len > 4096)
            continue;
        CHECK_STR(name_of(read_cut(bytes, len, steps[i], &told)), name_of(whole));
        if (whole == CLIENT_HELLO_whole)
            CHECK_STR(told.server_name, ret->server_name);
    }
    return whole;
}

static void put(struct hello *h, const void *bytes, size_t len)
{
    ASSERT(h->message_len + len <= BYTES_MAX);
    memcpy(h->message + h->message_len, bytes, len);
    h->message_len += len;
}

static void put16(struct hello *h, size_t v)
{
    uint8_t bytes[] = {(uint8_t)(v >> 8), (uint8_t)v};
    put(h, bytes, sizeof(bytes));
}

/* A hello with this block of extensions. */
static void make(struct hello *h, const void *extensions, size_t len)
{
    static const uint8_t random[32] = {0};
    size_t bytes = 2 + 32 + 1 + 2 + 2 + 2 + 2 + len;
    uint8_t head[] = {1, (uint8_t)(bytes >> 16), (uint8_t)(bytes >> 8), (uint8_t)bytes};
    h->message_len = 0;
    put(h, head, sizeof(head));
    put16(h, 0x0303);
    put(h, random, sizeof(random));
    put(h, "\0\0\x02\x13\x01\x01\0", 7);
    put16(h, len);
    put(h, extensions, len);
}

/* In records of so many bytes. */
static void cut(struct hello *h, size_t record)
{
    h->len = 0;
    for (size_t at = 0; at < h->message_len; at += record) {
        size_t n = h->message_len - at < record ? h->message_len - at : record;
        uint8_t head[] = {22, 3, 1, (uint8_t)(n >> 8), (uint8_t)n};
        ASSERT(h->len + sizeof(head) + n <= BYTES_MAX);
        memcpy(h->wire + h->len, head, sizeof(head));
        memcpy(h->wire + h->len + sizeof(head), h->message + at, n);
        h->len += sizeof(head) + n;
    }
}

/* An extension of server names that holds just this name. */
static size_t name_extension(const char *name, size_t len, uint8_t *ret)
{
    const uint8_t head[] = {0,
                            0,
                            (uint8_t)((len + 5) >> 8),
                            (uint8_t)(len + 5),
                            (uint8_t)((len + 3) >> 8),
                            (uint8_t)(len + 3),
                            0,
                            (uint8_t)(len >> 8),
                            (uint8_t)len};
    memcpy(ret, head, sizeof(head));
    memcpy(ret + sizeof(head), name, len);
    return sizeof(head) + len;
}

static struct hello hello;

/* What a hello with these extensions is, in one record. */
static const char *verdict(const void *extensions, size_t len, struct client_hello_told *ret)
{
    make(&hello, extensions, len);
    cut(&hello, 16384);
    return name_of(read_all(hello.wire, hello.len, ret));
}

static const char *verdict_of_name(const char *name, size_t len, struct client_hello_told *ret)
{
    static uint8_t extension[EXTENSION_BYTES_MAX];
    return verdict(extension, name_extension(name, len, extension), ret);
}

TEST(a_hello_tells_the_name_in_lower_case)
{
    struct client_hello_told told;
    CHECK_STR(verdict_of_name("Www.Example.COM", 15, &told), "whole");
    CHECK_STR(told.server_name, "www.example.com");
    CHECK_STR(verdict_of_name("a_b.c-d.0", 9, &told), "whole");
    CHECK_STR(told.server_name, "a_b.c-d.0");
}

TEST(a_hello_need_not_name_anybody)
{
    struct client_hello_told told;
    CHECK_STR(verdict("", 0, &told), "whole");
    CHECK_STR(told.server_name, "");
    CHECK_STR(verdict("\0\x17\0\0\xfe\x0d\0\x03\0\0\x01", 11, &told), "whole");
    CHECK_STR(told.server_name, "");
    make(&hello, "", 0); /* no block of extensions at all */
    hello.message_len -= 2;
    hello.message[3] -= 2;
    cut(&hello, 16384);
    CHECK_STR(name_of(read_all(hello.wire, hello.len, &told)), "whole");
    CHECK_STR(told.server_name, "");
}

TEST(a_hello_may_lie_in_any_number_of_records)
{
    uint8_t extension[64];
    make(&hello, extension, name_extension("a.example", 9, extension));
    for (size_t record = 1; record <= hello.message_len; record++) {
        struct client_hello_told told = {.server_name = ""};
        cut(&hello, record);
        CHECK_STR(name_of(read_all(hello.wire, hello.len, &told)), "whole");
        CHECK_STR(told.server_name, "a.example");
    }
}

TEST(bytes_that_follow_in_records_of_their_own_are_not_the_hellos)
{
    uint8_t extension[64];
    struct client_hello_told told;
    make(&hello, extension, name_extension("a.example", 9, extension));
    cut(&hello, 16384);
    memcpy(hello.wire + hello.len, "\x14\3\3\0\1\1\x17\3\3", 9);
    hello.len += 9;
    CHECK_STR(name_of(read_all(hello.wire, hello.len, &told)), "whole");
    CHECK_STR(told.server_name, "a.example");
}

TEST(names_that_are_no_host_names_are_refused)
{
    static const struct {
        const char *name;
        size_t len;
    } rows[] = {{"", 0},     {".", 1},   {"a.", 2},  {".a", 2},    {"a..b", 4},       {"a b", 3},
                {"a\0b", 3}, {"*.a", 3}, {"a/b", 3}, {"[::1]", 5}, {"\xc3\xa4.a", 4}, {"a\0", 2}};
    struct client_hello_told told;
    for (size_t i = 0; i < array_len(rows); i++)
        CHECK_STR(verdict_of_name(rows[i].name, rows[i].len, &told), "name");
}

TEST(a_name_has_253_bytes_and_its_labels_63_at_most)
{
    char name[300];
    struct client_hello_told told;
    memset(name, 'a', sizeof(name));
    CHECK_STR(verdict_of_name(name, 63, &told), "whole");
    CHECK_STR(verdict_of_name(name, 64, &told), "name");
    for (size_t i = 50; i < sizeof(name); i += 50)
        name[i] = '.';
    CHECK_STR(verdict_of_name(name, CLIENT_HELLO_NAME_BYTES_MAX, &told), "whole");
    CHECK_EQ(strlen(told.server_name), CLIENT_HELLO_NAME_BYTES_MAX);
    CHECK_STR(verdict_of_name(name, CLIENT_HELLO_NAME_BYTES_MAX + 1, &told), "name");
}

TEST(two_names_are_refused_as_is_a_second_list_of_them)
{
    struct client_hello_told told;
    static const char two_names[] = "\0\0\0\x0a\0\x08\0\0\1a\0\0\1b";
    static const char two_lists[] = "\0\0\0\6\0\4\0\0\1a\0\0\0\6\0\4\0\0\1a";
    static const char other_type[] = "\0\0\0\6\0\4\1\0\1a";
    CHECK_STR(verdict(two_names, sizeof(two_names) - 1, &told), "twice");
    CHECK_STR(verdict(two_lists, sizeof(two_lists) - 1, &told), "twice");
    CHECK_STR(verdict(other_type, sizeof(other_type) - 1, &told), "name");
}

TEST(lengths_within_have_to_fit_exactly)
{
    static const struct {
        const char *extensions;
        size_t len;
    } rows[] = {
        {"\0", 1},                     /* no whole head of an extension */
        {"\0\x17\0", 3},               /* nor here */
        {"\0\x17\0\1", 4},             /* leads beyond the block */
        {"\0\0\0\0", 4},               /* no list of names */
        {"\0\0\0\2\0\0", 6},           /* an empty one */
        {"\0\0\0\6\0\5\0\0\1a", 10},   /* leads beyond the extension */
        {"\0\0\0\6\0\3\0\0\1a", 10},   /* ends before it does */
        {"\0\0\0\6\0\4\0\0\2a", 10},   /* a name that leads beyond the list */
        {"\0\0\0\7\0\4\0\0\1a\0", 11}, /* something behind the list */
    };
    struct client_hello_told told;
    for (size_t i = 0; i < array_len(rows); i++)
        CHECK_STR(verdict(rows[i].extensions, rows[i].len, &told), "length");
}

/* Of a right hello, with one byte of its message made another. */
static const char *damaged(size_t at, uint8_t value)
{
    struct client_hello_told told;
    make(&hello, "\0\x17\0\0", 4);
    ASSERT(at < hello.message_len && hello.message[at] != value);
    hello.message[at] = value;
    cut(&hello, 16384);
    return name_of(read_all(hello.wire, hello.len, &told));
}

TEST(what_stands_before_the_extensions_has_to_fit_too)
{
    CHECK_STR(damaged(0, 2), "message");
    CHECK_STR(damaged(1, 1), "long");
    CHECK_STR(damaged(3, 1), "behind");
    CHECK_STR(damaged(3, 200), "partial");
    CHECK_STR(damaged(38, 33), "length"); /* session */
    CHECK_STR(damaged(40, 3), "length");  /* an odd number of bytes of suites */
    CHECK_STR(damaged(40, 0), "length");
    CHECK_STR(damaged(39, 0xff), "length");
    CHECK_STR(damaged(43, 0), "length"); /* no compression, not even none */
    CHECK_STR(damaged(46, 3), "length"); /* the block */
    CHECK_STR(damaged(46, 5), "length");
    CHECK_STR(damaged(10, 0xff), "whole"); /* the random: not ours */
}

TEST(what_is_no_tls_is_known_by_its_first_bytes)
{
    static const char *const rows[] = {"GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n", "\x80\x2e\1\3\1",
                                       "\x17\3\3\0\1", "\x16\2\0\0\1"};
    for (size_t i = 0; i < array_len(rows); i++) {
        struct client_hello_told told;
        CHECK_STR(name_of(read_all((const uint8_t *)rows[i], 4, &told)), "foreign");
        CHECK_STR(name_of(read_all((const uint8_t *)rows[i], 2, &told)), "foreign");
    }
}

TEST(nothing_else_comes_between_the_records_of_a_hello)
{
    struct client_hello_told told;
    make(&hello, "", 0);
    cut(&hello, 20);
    hello.wire[25] = 21; /* an alert */
    CHECK_STR(name_of(read_all(hello.wire, hello.len, &told)), "record");
    hello.wire[25] = 22;
    hello.wire[26] = 4;
    CHECK_STR(name_of(read_all(hello.wire, hello.len, &told)), "record");
    hello.wire[26] = 3;
    hello.wire[29] = 0; /* empty: RFC 8446, section 5.1 */
    CHECK_STR(name_of(read_all(hello.wire, hello.len, &told)), "record");
    hello.wire[28] = 0x40; /* 16384 and one */
    hello.wire[29] = 1;
    CHECK_STR(name_of(read_all(hello.wire, hello.len, &told)), "record");
}

TEST(a_hello_is_as_long_as_it_may_be_and_no_longer)
{
    static uint8_t extensions[EXTENSION_BYTES_MAX];
    struct client_hello_told told;
    size_t most = CLIENT_HELLO_BYTES_MAX - 4 - 43;
    for (size_t len = most; len <= most + 1; len++) {
        uint8_t head[] = {0, 0x15, (uint8_t)((len - 4) >> 8), (uint8_t)(len - 4)};
        memcpy(extensions, head, sizeof(head));
        make(&hello, extensions, len);
        cut(&hello, 1000);
        CHECK_STR(name_of(read_all(hello.wire, hello.len, &told)), len == most ? "whole" : "long");
        cut(&hello, 5);
        CHECK_STR(name_of(read_all(hello.wire, hello.len, &told)), "long");
    }
}

TEST(openssl_writes_such_hellos)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    struct client_hello_told told = {.server_name = "?"};
    uint8_t *bytes = NULL;
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    SSL_set_tlsext_host_name(ssl, "Foo.example.com");
    SSL_do_handshake(ssl);
    long len = BIO_get_mem_data(out, &bytes);
    REQUIRE(len > 100);
    CHECK_STR(name_of(read_all(bytes, (size_t)len, &told)), "whole");
    CHECK_STR(told.server_name, "foo.example.com");
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

UNIT_MAIN("tls/client_hello", T(a_hello_tells_the_name_in_lower_case),
          T(a_hello_need_not_name_anybody), T(a_hello_may_lie_in_any_number_of_records),
          T(bytes_that_follow_in_records_of_their_own_are_not_the_hellos),
          T(names_that_are_no_host_names_are_refused),
          T(a_name_has_253_bytes_and_its_labels_63_at_most),
          T(two_names_are_refused_as_is_a_second_list_of_them),
          T(lengths_within_have_to_fit_exactly),
          T(what_stands_before_the_extensions_has_to_fit_too),
          T(what_is_no_tls_is_known_by_its_first_bytes),
          T(nothing_else_comes_between_the_records_of_a_hello),
          T(a_hello_is_as_long_as_it_may_be_and_no_longer), T(openssl_writes_such_hellos))
