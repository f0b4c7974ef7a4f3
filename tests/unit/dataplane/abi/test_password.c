/* SPDX-License-Identifier: Apache-2.0 */
/* Which hashes, names and realms an image may have. */
#include "abi/image.h"
#include "base/container.h"
#include "unit.h"

#include <string.h>

#define SALT22 "abcdefghijklmnopqrstuu"
#define HASH31 "qflPDzB6gcMhKa1rZqKiun2YGL5sa2u"
#define HASH43 "sLGUp8luFKe9hdONcg3wHolsGxI/oSVrUtsYNpk8Z.2"
#define HASH86                                                                                     \
    "kF2jhmjjaYMFwyvHjGPaaYIXzg6he1ejETHRovgPV.NWWVvadW85.fyrVpYCuxrzvLPelwDHs8BD4NdLZSR1E0"

TEST(hashes_that_keep_a_password_and_take_a_second_at_most_are_taken)
{
    static const char *const good[] = {
        "$2y$10$" SALT22 HASH31,
        "$2b$04$" SALT22 HASH31,
        "$2a$14$" SALT22 HASH31,
        "$5$s$" HASH43,
        "$5$saltsaltsaltsalt$" HASH43,
        "$6$rounds=1000000$saltsalt$" HASH86,
        "$6$rounds=1000$./Az09$" HASH86,
        "$y$j9T$saltsalt$" HASH43,
        "$y$jB5$s$" HASH43,
    };
    for (size_t i = 0; i < array_len(good); i++)
        CHECK(image_is_password_hash(slice_of_str(good[i])));
}

TEST(hashes_that_are_weak_or_too_much_work_or_none_are_not)
{
    static const char *const bad[] = {
        "",
        "secret",
        "$apr1$saltsalt$xxxxxxxxxxxxxxxxxxxxxx",
        "$1$saltsalt$xxxxxxxxxxxxxxxxxxxxxx",
        "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
        "abJnggxhB/yWI", /* DES */
        "$2y$15$" SALT22 HASH31,
        "$2y$31$" SALT22 HASH31,
        "$2y$03$" SALT22 HASH31,
        "$2y$1$" SALT22 HASH31,
        "$2y$-1$" SALT22 HASH31,
        "$2x$10$" SALT22 HASH31, /* a bug of its own */
        "$2y$10$" SALT22 HASH31 "x",
        "$2y$10$" SALT22,
        "$2y$10$" SALT22 "qflPDzB6gcMhKa1rZqKiun2YGL5sa2:",
        "$5$" HASH43,
        "$5$$" HASH43,
        "$5$saltsaltsaltsalts$" HASH43,
        "$6$rounds=1000001$saltsalt$" HASH86,
        "$6$rounds=999$saltsalt$" HASH86,
        "$6$rounds=4294968296$saltsalt$" HASH86, /* 1000 in 32 bits */
        "$6$rounds=$saltsalt$" HASH86,
        "$6$saltsalt$" HASH43,
        "$y$jC5$saltsalt$" HASH43, /* 128 MiB */
        "$y$jFT$saltsalt$" HASH43,
        "$y$/9T$saltsalt$" HASH43,
        "$y$j9T.1$saltsalt$" HASH43,
        "$7$saltsalt$" HASH43,
    };
    for (size_t i = 0; i < array_len(bad); i++)
        CHECK(!image_is_password_hash(slice_of_str(bad[i])));
}

TEST(every_hash_that_was_cut_off_is_none)
{
    static const char *const rows[] = {"$2y$10$" SALT22 HASH31, "$5$saltsalt$" HASH43,
                                       "$6$rounds=1000$saltsalt$" HASH86, "$y$j9T$salt$" HASH43};
    for (size_t i = 0; i < array_len(rows); i++) {
        for (size_t len = 0; len < strlen(rows[i]); len++)
            CHECK(!image_is_password_hash(slice_of(rows[i], len)));
    }
}

TEST(names_have_no_colon_and_realms_no_quotes)
{
    char longest[IMAGE_USER_BYTES_MAX + 2];
    memset(longest, 'x', sizeof(longest));
    CHECK(image_is_user_name(SLICE_LIT("a b")));
    CHECK(image_is_user_name(SLICE_LIT("\xc3\xbc")));
    CHECK(!image_is_user_name(SLICE_LIT("")));
    CHECK(!image_is_user_name(SLICE_LIT("a:b")));
    CHECK(!image_is_user_name(SLICE_LIT("a\tb")));
    CHECK(image_is_user_name(slice_of(longest, IMAGE_USER_BYTES_MAX)));
    CHECK(!image_is_user_name(slice_of(longest, IMAGE_USER_BYTES_MAX + 1)));
    CHECK(image_is_realm(SLICE_LIT("the office's door")));
    CHECK(!image_is_realm(SLICE_LIT("")));
    CHECK(!image_is_realm(SLICE_LIT("a\"b")));
    CHECK(!image_is_realm(SLICE_LIT("a\\b")));
    CHECK(!image_is_realm(SLICE_LIT("\xc3\xbc")));
    CHECK(image_is_realm(slice_of(longest, IMAGE_REALM_BYTES_MAX)));
    CHECK(!image_is_realm(slice_of(longest, IMAGE_REALM_BYTES_MAX + 1)));
}

UNIT_MAIN("abi/password", T(hashes_that_keep_a_password_and_take_a_second_at_most_are_taken),
          T(hashes_that_are_weak_or_too_much_work_or_none_are_not),
          T(every_hash_that_was_cut_off_is_none), T(names_have_no_colon_and_realms_no_quotes))
