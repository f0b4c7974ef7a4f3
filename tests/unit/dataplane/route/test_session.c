/* SPDX-License-Identifier: Apache-2.0 */
/* What clients carry: read back, tied to its endpoint, not to be forged, and over in time. */
#include "base/container.h"
#include "compile/image_builder.h"
#include "route/session.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const struct image_persistence one = {.token_key = {1, 2}, .seal_key = {3, 4}},
                                      other = {.token_key = {1, 2}, .seal_key = {3, 5}},
                                      hour = {
                                          .token_key = {1, 2},
                                          .seal_key = {3, 4},
                                          .lifetime_s = 3600,
};
static const struct ip_addr addr = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 7}};

static struct slice value_of(const struct image_persistence *p, uint64_t salt)
{
    static char value[ROUTE_SESSION_VALUE_BYTES];
    route_session_write(p, salt, &addr, 8080, value);
    return slice_of(value, sizeof(value));
}

TEST(a_value_leads_to_its_endpoint_and_to_no_other)
{
    struct route_session session;
    struct slice value = value_of(&one, route_session_salt(1000, UINT64_MAX));
    REQUIRE(route_session_read(&one, value, 2000, &session));
    CHECK(route_session_is_at(&one, &session, &addr, 8080));
    CHECK(!route_session_is_at(&one, &session, &addr, 8081));
    for (unsigned bit = 0; bit < 128; bit++) {
        struct ip_addr near = addr;
        near.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(!route_session_is_at(&one, &session, &near, 8080));
    }
}

/* The same on any machine, in any release: clients carry it. Computed apart from us. */
TEST(a_value_is_the_same_wherever_it_is_made)
{
    char text[ROUTE_SESSION_VALUE_BYTES + 1] = "";
    memcpy(text, value_of(&one, route_session_salt(0x65000000, 0xabcdefULL << 40)).ptr,
           ROUTE_SESSION_VALUE_BYTES);
    CHECK_STR(text, "0065000000abcdef1afa3f07313bca3be97a797af1625484");
}

TEST(a_value_that_is_changed_anywhere_is_not_ours)
{
    struct route_session session;
    char text[ROUTE_SESSION_VALUE_BYTES];
    memcpy(text, value_of(&one, 5).ptr, sizeof(text));
    for (unsigned i = 0; i < sizeof(text); i++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char before = text[i];
            text[i] = (char)byte;
            CHECK_EQ(route_session_read(&one, slice_of(text, sizeof(text)), 0, &session),
                     text[i] == before);
            text[i] = before;
        }
    }
    for (unsigned len = 0; len < sizeof(text); len++)
        CHECK(!route_session_read(&one, slice_of(text, len), 0, &session));
    CHECK(!route_session_read(&other, slice_of(text, sizeof(text)), 0, &session));
}

TEST(two_sessions_at_one_endpoint_have_nothing_in_common)
{
    char a[ROUTE_SESSION_VALUE_BYTES], b[ROUTE_SESSION_VALUE_BYTES];
    memcpy(a, value_of(&one, route_session_salt(1000, 1ULL << 40)).ptr, sizeof(a));
    memcpy(b, value_of(&one, route_session_salt(1000, 2ULL << 40)).ptr, sizeof(b));
    CHECK(memcmp(a, b, 10) == 0); /* the second in which they began */
    CHECK(memcmp(a + 16, b + 16, 8) != 0);
    CHECK(memcmp(a + 32, b + 32, 8) != 0);
}

TEST(a_session_is_over_after_its_lifetime_and_not_before)
{
    static const struct {
        uint64_t now_s;
        bool is_good;
    } rows[] = {{1000, true}, {4599, true}, {4600, false}, {1ULL << 39, false},
                {999, true},  {1, true},    {0, true}}; /* no clock; or one that was put back */
    struct route_session session;
    for (size_t i = 0; i < array_len(rows); i++) {
        struct slice value = value_of(&hour, route_session_salt(1000, 0));
        CHECK_EQ(route_session_read(&hour, value, rows[i].now_s, &session), rows[i].is_good);
        CHECK(route_session_read(&one, value, rows[i].now_s, &session)); /* has none */
    }
}

TEST(pairs_of_a_cookie_field_are_told_apart)
{
    static const struct {
        const char *field, *pairs; /* "name|value " each */
    } rows[] = {
        {"", ""},
        {"a=1", "a|1 "},
        {"a=1; b=2;c=3", "a|1 b|2 c|3 "},
        {" a = 1 ;\tb=", "a|1 b| "},
        {"a=b=c; d", "a|b=c "},
        {"=x; ; ;;e=\"f\"", "e|\"f\" "},
        {";", ""},
        {"=", ""},
        {"a", ""},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        char text[64] = "";
        struct slice rest = slice_of_str(rows[i].field), name, value;
        while (route_cookie_next(&rest, &name, &value)) {
            strncat(text, (const char *)name.ptr, name.len);
            strcat(text, "|");
            strncat(text, (const char *)value.ptr, value.len);
            strcat(text, " ");
        }
        CHECK_STR(text, rows[i].pairs);
        CHECK_EQ(rest.len, 0);
    }
}

/* The longest of everything fits. */
static void check_cookie(const struct image_persistence_spec *spec, const char *wanted)
{
    struct image_builder *b = image_builder_new();
    void *data;
    size_t len;
    struct image_view v;
    REQUIRE(image_builder_route(b, "n/r", 1) == 0 && image_builder_rule(b, 0) == 0);
    REQUIRE(image_builder_persistence(b, spec) == 0);
    REQUIRE(image_builder_finish(b, 1, &data, &len) == 0);
    REQUIRE(image_check(data, len, NULL) == IMAGE_FAULT_OK);
    image_view_init(&v, data);
    char value[ROUTE_SESSION_VALUE_BYTES], text[ROUTE_SESSION_COOKIE_BYTES_MAX];
    memset(value, '7', sizeof(value));
    size_t n = route_session_cookie(&v, &v.persistence[0], value, false, text);
    CHECK(wanted == NULL || (n == strlen(wanted) && memcmp(text, wanted, n) == 0));
    free(data);
    image_builder_free(b);
}

TEST(the_cookie_says_where_and_for_how_long)
{
    static char name[IMAGE_SESSION_NAME_BYTES_MAX + 1], path[IMAGE_COOKIE_PATH_BYTES_MAX + 1];
    struct image_persistence_spec spec = {.kind = IMAGE_SESSION_COOKIE,
                                          .name = "sid",
                                          .path = "/",
                                          .token_key = {1},
                                          .seal_key = {1}};
    check_cookie(&spec, "sid=777777777777777777777777777777777777777777777777; Path=/; HttpOnly; "
                        "SameSite=Lax");
    spec.is_permanent = true;
    spec.lifetime_s = 3600;
    spec.path = "/shop";
    check_cookie(&spec, "sid=777777777777777777777777777777777777777777777777; Path=/shop; "
                        "Max-Age=3600; HttpOnly; SameSite=Lax");
    memset(name, 'n', sizeof(name) - 1);
    memset(path, '/', sizeof(path) - 1);
    spec.name = name;
    spec.path = path;
    spec.lifetime_s = UINT32_MAX;
    check_cookie(&spec, NULL);
}

UNIT_MAIN("route/session", T(a_value_leads_to_its_endpoint_and_to_no_other),
          T(a_value_is_the_same_wherever_it_is_made),
          T(a_value_that_is_changed_anywhere_is_not_ours),
          T(two_sessions_at_one_endpoint_have_nothing_in_common),
          T(a_session_is_over_after_its_lifetime_and_not_before),
          T(pairs_of_a_cookie_field_are_told_apart), T(the_cookie_says_where_and_for_how_long))
