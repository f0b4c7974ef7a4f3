/* SPDX-License-Identifier: Apache-2.0 */
/* Basic credentials as they stand in a request (RFC 7617, section 2; RFC 9110, section 11.4). */
#include "base/base64.h"
#include "proxy/proxy_priv.h"

#define CREDENTIAL_BYTES_MAX (2u * IMAGE_USER_BYTES_MAX + 1u) /* name, colon, password */

/* To `ret` with a NUL behind. False: too long, or it has control characters. */
static bool take_text(struct slice text, char ret[IMAGE_USER_BYTES_MAX + 1])
{
    if (text.len > IMAGE_USER_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return false;
        ret[i] = (char)text.ptr[i];
    }
    ret[text.len] = '\0';
    return true;
}

bool basic_read(struct slice value, struct basic_credentials *ret)
{
    static const struct slice scheme = {(const uint8_t *)"Basic ", 6};
    uint8_t buf[CREDENTIAL_BYTES_MAX];
    size_t len;
    if (value.len < scheme.len || !slice_eq_nocase(slice_of(value.ptr, scheme.len), scheme))
        return false;
    value = slice_skip(value, scheme.len);
    while (value.len > 0 && value.ptr[0] == ' ')
        value = slice_skip(value, 1);
    if (!base64_decode(value, buf, sizeof(buf), &len))
        return false;
    const uint8_t *colon = len == 0 ? NULL : memchr(buf, ':', len);
    size_t name_len = colon == NULL ? 0 : (size_t)(colon - buf);
    bool is_good = colon != NULL && take_text(slice_of(buf, name_len), ret->user) &&
                   take_text(slice_of(colon + 1, len - name_len - 1), ret->password);
    explicit_bzero(buf, sizeof(buf));
    return is_good;
}
