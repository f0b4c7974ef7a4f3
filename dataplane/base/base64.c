/* SPDX-License-Identifier: Apache-2.0 */
/* See base64.h. */
#include "base/base64.h"

/* `last` are the two digits in which the alphabets differ. */
static int digit_of(uint8_t c, const char last[2])
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

/* A text without padding. *ret_over: the bits that are left over. */
static bool decode(struct slice text, const char last[2], uint8_t *ret, size_t cap, size_t *ret_len,
                   uint32_t *ret_over)
{
    size_t len = text.len / 4 * 3 + (text.len % 4 == 0 ? 0 : text.len % 4 - 1);
    uint32_t bits = 0;
    if (text.len % 4 == 1 || len > cap)
        return false;
    for (size_t i = 0, n = 0; i < text.len; i++) {
        int digit = digit_of(text.ptr[i], last);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4 != 0)
            ret[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *ret_over = bits & (text.len % 4 == 2 ? 0xf : text.len % 4 == 3 ? 0x3 : 0);
    *ret_len = len;
    return true;
}

bool base64_decode(struct slice text, uint8_t *ret, size_t cap, size_t *ret_len)
{
    uint32_t over;
    size_t padding = 0;
    while (padding < 2 && text.len > 0 && text.ptr[text.len - 1] == '=') {
        text.len--;
        padding++;
    }
    if (padding > 0 && (text.len + padding) % 4 != 0)
        return false;
    return decode(text, "+/", ret, cap, ret_len, &over);
}

bool base64url_decode(struct slice text, uint8_t *ret, size_t cap, size_t *ret_len)
{
    uint32_t over;
    return decode(text, "-_", ret, cap, ret_len, &over) && over == 0;
}

void base64_encode(struct slice v, char *ret)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < v.len; i += 3, ret += 4) {
        uint32_t bits = (uint32_t)v.ptr[i] << 16;
        bits |= i + 1 < v.len ? (uint32_t)v.ptr[i + 1] << 8 : 0;
        bits |= i + 2 < v.len ? v.ptr[i + 2] : 0;
        for (unsigned k = 0; k < 4; k++)
            ret[k] = i + k <= v.len ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
}
