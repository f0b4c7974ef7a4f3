/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of the access log: what each field says, and that nothing that a stranger sends breaks out
 * of its line or its string. */
#include "abi/stats.h"
#include "access/access_line.h"
#include "base/container.h"
#include "compile/image_builder.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static union {
    struct access_record r;
    uint8_t bytes[sizeof(struct access_record) + ACCESS_TEXT_BYTES_MAX];
} record;
static char line[ACCESS_LINE_BYTES_MAX];

/* A record of a request for this path, that nothing is known of. */
static struct access_record *make(const void *path, size_t len)
{
    struct access_record *r = &record.r;
    memset(&record, 0, sizeof(record));
    r->end = STAT_proxy_end_no_image;
    r->listener = r->rule = r->backend = ACCESS_NONE;
    r->head_us = r->connect_us = ACCESS_NO_TIME;
    r->text_bytes[ACCESS_METHOD] = 3;
    r->text_bytes[ACCESS_HOST] = 1;
    r->text_bytes[ACCESS_PATH] = (uint16_t)len;
    memcpy(r->text, "GETh", 4);
    memcpy(r->text + 4, path, len);
    return r;
}

static uint64_t fields_of(const char *names)
{
    uint64_t fields = 0;
    CHECK(access_fields_parse(names, &fields));
    return fields;
}

static const char *written(const struct access_record *r, const struct image_view *v,
                           const char *names)
{
    size_t len = access_line_write(r, v, 1700000000000000ull, fields_of(names), line);
    REQUIRE(len > 0 && len < sizeof(line) && line[len - 1] == '\n');
    line[len - 1] = '\0';
    return line;
}

/* The path as it is written. */
static const char *path_of(const void *path, size_t len)
{
    return written(make(path, len), NULL, "path");
}

TEST(what_there_is_not_is_null_and_all_chosen_fields_are_there)
{
    struct access_record *r = make("/", 1);
    CHECK_STR(
        written(r, NULL, "status,query,listener,route,rule,backend,generation,endpoint,head_us"),
        "{\"query\":null,\"status\":null,\"listener\":null,\"route\":null,\"rule\":null,"
        "\"backend\":null,\"generation\":null,\"endpoint\":null,\"head_us\":null}");
    r->end = STAT_http_refused_head_long;
    CHECK_STR(written(r, NULL, "end"), "{\"end\":\"refused_head_long\"}");
    r->end = STAT_proxy_l4_end_no_route;
    CHECK_STR(written(r, NULL, "end,protocol"), "{\"end\":\"l4_end_no_route\",\"protocol\":null}");
    r->end = STAT_proxy_end_no_image;
    CHECK_STR(written(r, NULL, "connect_us,end,is_cut,method,host,path"),
              "{\"method\":\"GET\",\"host\":\"h\",\"path\":\"/\",\"is_cut\":false,"
              "\"end\":\"no_image\",\"connect_us\":null}");
}

TEST(numbers_addresses_and_times_are_written_as_people_write_them)
{
    struct access_record *r = make("/", 1);
    r->client = ip_addr_from_v4("\xc0\0\2\7");
    r->client_port = 4711;
    CHECK(ip_addr_parse("2001:db8::1", &r->local));
    r->local_port = 80;
    r->endpoint = ip_addr_from_v4("\x0a\0\0\1");
    r->endpoint_port = 8080;
    r->head.time_us = 5123456;
    r->total_us = 1000000;
    r->head.worker = 3;
    r->status = 503;
    CHECK_STR(written(r, NULL, "time,client,client_port,local,local_port,worker,status,endpoint"),
              "{\"time\":\"2023-11-14T22:13:24.123Z\",\"client\":\"192.0.2.7\","
              "\"client_port\":4711,\"local\":\"2001:db8::1\",\"local_port\":80,\"worker\":3,"
              "\"status\":503,\"endpoint\":\"10.0.0.1:8080\"}");
    r->endpoint = r->local;
    CHECK_STR(written(r, NULL, "endpoint"), "{\"endpoint\":\"[2001:db8::1]:8080\"}");
}

TEST(quotes_and_control_characters_are_escaped)
{
    CHECK_STR(path_of("/a\"b\\c", 6), "{\"path\":\"/a\\\"b\\\\c\"}");
    CHECK_STR(path_of("\n\r\t\0\x1f\x7f ~", 8),
              "{\"path\":\"\\u000a\\u000d\\u0009\\u0000\\u001f\\u007f ~\"}");
}

TEST(utf8_stays_and_what_is_none_is_replaced_byte_by_byte)
{
    static const struct {
        const char *in;
        const char *out;
    } rows[] = {
        {"\xc3\xa4", "\xc3\xa4"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xff", "\\ufffd"},
        {"\x80", "\\ufffd"},
        {"\xc3", "\\ufffd"},                                  /* cut off at the end */
        {"\xc3\"", "\\ufffd\\\""},                            /* a quote does not hide behind it */
        {"\xc0\xaf", "\\ufffd\\ufffd"},                       /* overlong */
        {"\xe0\x80\x80", "\\ufffd\\ufffd\\ufffd"},            /* overlong */
        {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},            /* a surrogate */
        {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* beyond U+10FFFF */
        {"\xf0\x80\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"}, /* overlong */
    };
    for (unsigned i = 0; i < array_len(rows); i++) {
        char wanted[64] = "{\"path\":\"";
        strcat(strcat(wanted, rows[i].out), "\"}");
        CHECK_STR(path_of(rows[i].in, strlen(rows[i].in)), wanted);
    }
}

TEST(the_longest_texts_and_names_fit_into_a_line)
{
    static char path[ACCESS_TEXT_BYTES_MAX - 4];
    struct access_record *r = make(path, sizeof(path)); /* all of them zeros */
    uint64_t all = (1ull << ACCESS_FIELDS) - 1;
    size_t len = access_line_write(r, NULL, UINT32_MAX, all, line);
    CHECK(len > 6 * sizeof(path) && len < sizeof(line));
}

TEST(names_come_from_the_image_of_the_record)
{
    struct image_view v;
    void *image;
    size_t length;
    struct ip_addr vip = ip_addr_from_v4("\xc6\x12\0\1");
    struct image_builder *b = image_builder_new();
    uint32_t listener = image_builder_listener(b, "ns/gw/http", "", IMAGE_PROTOCOL_HTTP, 80);
    image_builder_bind(b, &vip, 80, listener);
    image_builder_route(b, "ns/shop", 1);
    image_builder_rule(b, 0);
    image_builder_backend(b, "ns/cart:80", 1, 1);
    REQUIRE(image_builder_match(
                b, &(struct image_match_spec){.path_kind = IMAGE_PATH_PREFIX, .path = "/"}) == 0);
    REQUIRE(image_builder_attach(b, listener, NULL) == 0);
    REQUIRE(image_builder_finish(b, 7, &image, &length) == 0);
    image_builder_free(b);
    image_view_init(&v, image);
    struct access_record *r = make("/", 1);
    r->listener = r->rule = r->backend = 0;
    r->generation = 7;
    CHECK_STR(written(r, &v, "listener,protocol,route,rule,backend,generation"),
              "{\"listener\":\"ns/gw/http\",\"protocol\":\"HTTP\",\"route\":\"ns/shop\",\"rule\":0,"
              "\"backend\":\"ns/cart:80\",\"generation\":7}");
    CHECK_STR(written(r, NULL, "route,generation"), "{\"route\":null,\"generation\":7}");
    free(image);
}

TEST(fields_are_chosen_by_name_and_the_query_has_to_be_asked_for)
{
    uint64_t fields = 42;
    CHECK(!access_fields_parse("", &fields));
    CHECK(!access_fields_parse("time,", &fields));
    CHECK(!access_fields_parse("time,nothing", &fields));
    CHECK(!access_fields_parse("tim", &fields));
    CHECK_EQ(fields, 42);
    CHECK_EQ(access_fields_default() >> ACCESS_FIELD_query & 1, 0);
    CHECK_EQ(access_fields_default() | 1ull << ACCESS_FIELD_query, (1ull << ACCESS_FIELDS) - 1);
    struct access_record *r = make("/", 1);
    r->flags = ACCESS_HAS_QUERY;
    CHECK_STR(written(r, NULL, "query"), "{\"query\":\"\"}");
}

UNIT_MAIN("access/line", T(what_there_is_not_is_null_and_all_chosen_fields_are_there),
          T(numbers_addresses_and_times_are_written_as_people_write_them),
          T(quotes_and_control_characters_are_escaped),
          T(utf8_stays_and_what_is_none_is_replaced_byte_by_byte),
          T(the_longest_texts_and_names_fit_into_a_line),
          T(names_come_from_the_image_of_the_record),
          T(fields_are_chosen_by_name_and_the_query_has_to_be_asked_for))
