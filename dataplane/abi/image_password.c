/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What AccessPolicies say of passwords: names, realms, and hashes of crypt(3). A hash tells how
 * much work it is to ask it, so whoever writes hashes could keep a core busy for days: what is
 * above a limit is no hash. Older kinds (MD5, SHA-1, DES) are none, either: they are found in no
 * time.
 */
#include "abi/image.h"

#include "base/container.h"

bool image_is_realm(struct slice realm)
{
    if (realm.len == 0 || realm.len > IMAGE_REALM_BYTES_MAX)
        return false;
    for (size_t i = 0; i < realm.len; i++) {
        uint8_t c = realm.ptr[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\')
            return false;
    }
    return true;
}

bool image_is_user_name(struct slice name)
{
    if (name.len == 0 || name.len > IMAGE_USER_BYTES_MAX)
        return false;
    return memchr(name.ptr, ':', name.len) == NULL && image_is_text(name, IMAGE_TEXT_NAME);
}

int image_user_order(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Are there just so many characters of crypt's base64? */
static bool is_base64(struct slice text, size_t least, size_t most)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_letter && !is_digit(c) && c != '.' && c != '/')
            return false;
    }
    return text.len >= least && text.len <= most;
}

/* The part before the next '$'; `*rest` is what is behind it. False: there is none. */
static bool take_part(struct slice *rest, struct slice *ret)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->ptr, '$', rest->len);
    if (end == NULL)
        return false;
    *ret = slice_of(rest->ptr, (size_t)(end - rest->ptr));
    *rest = slice_skip(*rest, ret->len + 1);
    return true;
}

static bool take_prefix(struct slice *rest, struct slice prefix)
{
    if (!slice_has_prefix(*rest, prefix))
        return false;
    *rest = slice_skip(*rest, prefix.len);
    return true;
}

/* A decimal number up to `most`. */
static bool is_number(struct slice text, uint32_t least, uint32_t most)
{
    uint32_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.ptr[i]) || n > most / 10)
            return false;
        n = n * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    return text.len > 0 && n >= least && n <= most;
}

/* "10$" and 22 characters of salt and 31 of the hash. */
static bool is_bcrypt(struct slice rest)
{
    struct slice cost;
    return take_part(&rest, &cost) && cost.len == 2 && is_number(cost, 4, IMAGE_BCRYPT_COST_MAX) &&
           is_base64(rest, 53, 53);
}

/* "rounds=5000$" or nothing, "salt$", and the hash. */
static bool is_sha(struct slice rest, size_t hash_len)
{
    struct slice salt, rounds;
    if (take_prefix(&rest, SLICE_LIT("rounds=")) &&
        (!take_part(&rest, &rounds) || !is_number(rounds, 1000, IMAGE_SHA_ROUNDS_MAX)))
        return false;
    return take_part(&rest, &salt) && is_base64(salt, 1, 16) && is_base64(rest, hash_len, hash_len);
}

/* "j9T$salt$" and the hash: `9` is the logarithm of memory and time; B is 64 MiB. */
static bool is_yescrypt(struct slice rest)
{
    struct slice params, salt;
    if (!take_part(&rest, &params) || params.len != 3 || params.ptr[0] != 'j' ||
        memchr("56789AB", params.ptr[1], 7) == NULL || memchr("5T", params.ptr[2], 2) == NULL)
        return false;
    return take_part(&rest, &salt) && is_base64(salt, 1, 86) && is_base64(rest, 43, 43);
}

bool image_is_password_hash(struct slice hash)
{
    if (hash.len > IMAGE_PASSWORD_HASH_BYTES_MAX)
        return false;
    if (take_prefix(&hash, SLICE_LIT("$2y$")) || take_prefix(&hash, SLICE_LIT("$2b$")) ||
        take_prefix(&hash, SLICE_LIT("$2a$")))
        return is_bcrypt(hash);
    if (take_prefix(&hash, SLICE_LIT("$5$")))
        return is_sha(hash, 43);
    if (take_prefix(&hash, SLICE_LIT("$6$")))
        return is_sha(hash, 86);
    return take_prefix(&hash, SLICE_LIT("$y$")) && is_yescrypt(hash);
}
