/* SPDX-License-Identifier: Apache-2.0 */
/* See base64url.h. */
#include "base/base64url.h"

static int digit_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(struct slice text, uint8_t *ret, size_t cap, size_t *ret_len)
{
    size_t len = text.len / 4 * 3 + (text.len % 4 == 0 ? 0 : text.len % 4 - 1);
    uint32_t bits = 0;
    if (text.len % 4 == 1 || len > cap)
        return false;
    for (size_t i = 0, n = 0; i < text.len; i++) {
        int digit = digit_of(text.ptr[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            ret[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    uint32_t over = text.len % 4 == 2 ? 0xf : text.len % 4 == 3 ? 0x3 : 0;
    if ((bits & over) != 0)
        return false;
    *ret_len = len;
    return true;
}
