/* SPDX-License-Identifier: Apache-2.0 */
/* Digests as others make them, of one piece or of several. */
#include "tls/digest.h"
#include "unit.h"

#include <string.h>

TEST(sha1_is_as_the_standard_has_it)
{
    static const uint8_t abc[DIGEST_SHA1_BYTES] = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81,
                                                   0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50,
                                                   0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
    uint8_t sum[DIGEST_SHA1_BYTES];
    struct slice whole = SLICE_LIT("abc");
    struct slice pieces[] = {SLICE_LIT("a"), SLICE_LIT(""), SLICE_LIT("bc")};
    CHECK(digest_sha1(&whole, 1, sum) && memcmp(sum, abc, sizeof(abc)) == 0);
    memset(sum, 0, sizeof(sum));
    CHECK(digest_sha1(pieces, 3, sum) && memcmp(sum, abc, sizeof(abc)) == 0);
}

UNIT_MAIN("tls/digest", T(sha1_is_as_the_standard_has_it))
