/* SPDX-License-Identifier: Apache-2.0 */
/* Basic credentials: what is read of an Authorization field. */
#include "base/container.h"
#include "proxy/proxy_priv.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

TEST(credentials_are_a_name_and_a_password)
{
    static const struct {
        const char *value, *user, *password;
    } rows[] = {
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"}, /* RFC 7617, section 2 */
        {"Basic dGVzdDoxMjPCow==", "test", "123\xc2\xa3"},                /* section 2.1 */
        {"basic   QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Aladdin", "open sesame"},
        {"BASIC YTpiOmM=", "a", "b:c"},
        {"Basic Og==", "", ""},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        struct basic_credentials c;
        REQUIRE(basic_read(slice_of_str(rows[i].value), &c));
        CHECK_STR(c.user, rows[i].user);
        CHECK_STR(c.password, rows[i].password);
    }
}

TEST(what_is_malformed_is_none)
{
    static const char *const rows[] = {
        "",
        "Basic",
        "Basic ",
        "BasicYTpi",
        "Basic YTpi=",
        "Basic A",
        "Basic YTp*",
        "Basic YWI=",
        "Basic YTpi YTpi",
        "Basic Y===",
        "Basic YTo=YTo=",
        "Bearer YTpi",
        "Basic YTpiAA==", /* a NUL */
        "Basic YQo6Yg==", /* a newline */
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        struct basic_credentials c;
        CHECK(!basic_read(slice_of_str(rows[i]), &c));
    }
}

/* The value with a name and a password of so many letters. */
static bool reads(size_t name, size_t password)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char plain[1200], value[1700] = "Basic ";
    struct basic_credentials c;
    size_t len = name + 1 + password, out = 6;
    memset(plain, 'x', sizeof(plain));
    plain[name] = ':';
    for (size_t i = 0; i < len * 8; i += 6) {
        unsigned bits = 0;
        for (size_t k = i; k < i + 6; k++)
            bits = bits << 1 | (k < len * 8 ? (unsigned)plain[k / 8] >> (7 - k % 8) & 1 : 0);
        value[out++] = digits[bits];
    }
    bool is_read = basic_read(slice_of(value, out), &c);
    return is_read && strlen(c.user) == name && strlen(c.password) == password;
}

TEST(long_ones_are_read_up_to_the_limit)
{
    for (size_t n = 0; n <= IMAGE_USER_BYTES_MAX; n++)
        CHECK(reads(n, IMAGE_USER_BYTES_MAX - n));
    CHECK(reads(IMAGE_USER_BYTES_MAX, IMAGE_USER_BYTES_MAX));
    CHECK(!reads(IMAGE_USER_BYTES_MAX + 1, 1));
    CHECK(!reads(1, IMAGE_USER_BYTES_MAX + 1));
    CHECK(!reads(500, 500));
}

UNIT_MAIN("proxy/basic", T(credentials_are_a_name_and_a_password), T(what_is_malformed_is_none),
          T(long_ones_are_read_up_to_the_limit))
