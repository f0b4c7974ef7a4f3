/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 for URLs: the vectors of RFC 4648, and what is none. The other: proxy/test_basic.c. */
#include "base/base64.h"
#include "base/container.h"
#include "unit.h"

static bool decode(const char *text, uint8_t *ret, size_t cap, size_t *ret_len)
{
    return base64url_decode(slice_of_str(text), ret, cap, ret_len);
}

TEST(texts_stand_for_bytes)
{
    static const struct {
        const char *text, *bytes;
    } rows[] = {{"", ""},
                {"Zg", "f"},
                {"Zm8", "fo"},
                {"Zm9v", "foo"},
                {"Zm9vYg", "foob"},
                {"Zm9vYmFy", "foobar"},
                {"-_-_", "\xfb\xff\xbf"}};
    for (size_t i = 0; i < array_len(rows); i++) {
        uint8_t buf[8];
        size_t len, wanted = strlen(rows[i].bytes);
        REQUIRE(decode(rows[i].text, buf, wanted, &len));
        CHECK(len == wanted && memcmp(buf, rows[i].bytes, len) == 0);
        CHECK(wanted == 0 || !decode(rows[i].text, buf, wanted - 1, &len));
    }
}

TEST(what_is_no_text_of_bytes_or_a_second_one_of_the_same_is_refused)
{
    static const char *const rows[] = {"Z",    "Zg==", "Zh",    "Zm9",   "Zm9vY",   "Zm+v",
                                       "Zm/v", "Zm9 ", "Zm9\n", "Zm9v=", "\xc3\xbc"};
    uint8_t buf[16];
    size_t len;
    for (size_t i = 0; i < array_len(rows); i++)
        CHECK(!decode(rows[i], buf, sizeof(buf), &len));
}

UNIT_MAIN("base64url", T(texts_stand_for_bytes),
          T(what_is_no_text_of_bytes_or_a_second_one_of_the_same_is_refused))
