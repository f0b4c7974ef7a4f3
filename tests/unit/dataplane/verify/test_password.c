/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords against hashes that htpasswd(1), mkpasswd(1) and others write. */
#include "base/container.h"
#include "unit.h"
#include "verify/verify_password.h"

TEST(each_kind_of_hash_knows_its_password_and_no_other)
{
    static const struct {
        const char *password, *hash;
    } rows[] = {
        {"secret", "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"},
        {"secret", "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"},
        {"\xc3\xbcn\xc3\xaf",
         "$5$rounds=1000$saltsalt$sLGUp8luFKe9hdONcg3wHolsGxI/oSVrUtsYNpk8Z.2"},
        {"pass:word", "$6$rounds=1000$saltsalt$kF2jhmjjaYMFwyvHjGPaaYIXzg6he1ejETHRovgPV"
                      ".NWWVvadW85.fyrVpYCuxrzvLPelwDHs8BD4NdLZSR1E0"},
        {"yes", "$y$j75$saltsaltsaltsalt$y8NvwSuofBxRDzo16TBB.VMfL5IiXEBXrrg.PrP9MA8"},
    };
    struct verify_password_scratch *s = verify_password_scratch_new();
    for (size_t i = 0; i < array_len(rows); i++) {
        CHECK(verify_password(s, rows[i].password, rows[i].hash));
        CHECK(!verify_password(s, "wrong", rows[i].hash));
        CHECK(!verify_password(s, "", rows[i].hash));
    }
    verify_password_scratch_free(s);
}

TEST(what_is_no_hash_knows_nobody)
{
    static const char *const rows[] = {"", "*0", "*1", "secret", "$9$x$y", "$2b$10$"};
    struct verify_password_scratch *s = verify_password_scratch_new();
    for (size_t i = 0; i < array_len(rows); i++) {
        CHECK(!verify_password(s, "secret", rows[i]));
        CHECK(!verify_password(s, "", rows[i]));
    }
    verify_password_scratch_free(s);
}

UNIT_MAIN("verify/password", T(each_kind_of_hash_knows_its_password_and_no_other),
          T(what_is_no_hash_knows_nobody))
