/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of strings: that they lie in their section and have only the bytes that their use allows.
 * So nothing that the proxy writes into a message can hold a line break.
 */
#include "abi/image_check.h"

static bool is_alnum_lower(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 9110, section 5.6.2: tchar. */
static bool is_token_byte(uint8_t c)
{
    return is_alnum_lower(ascii_lower(c)) || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_byte(uint8_t c, enum image_text_kind kind)
{
    switch (kind) {
    case IMAGE_TEXT_NAME:
        return c >= 0x20 && c != 0x7f;
    case IMAGE_TEXT_TOKEN:
        return is_token_byte(c);
    case IMAGE_TEXT_TOKEN_LOWER:
        return is_token_byte(c) && ascii_lower(c) == c;
    case IMAGE_TEXT_VALUE:
        return (c >= 0x20 && c != 0x7f) || c == '\t';
    case IMAGE_TEXT_HOST:
        return is_alnum_lower(c) || (c != 0 && strchr("-._:[]*", c) != NULL);
    case IMAGE_TEXT_PATH:
        return c > 0x20 && c < 0x7f && c != '?' && c != '#';
    case IMAGE_TEXT_TARGET:
        return c > 0x20 && c < 0x7f && c != '#';
    case IMAGE_TEXT_LABEL:
        return c > 0x20 && c < 0x7f && c != '/';
    case IMAGE_TEXT_PATTERN:
        return c != 0;
    case IMAGE_TEXT_ANY:
        return true;
    }
    return false;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* What holds of the string as a whole. */
static bool is_shape(struct slice s, enum image_text_kind kind)
{
    switch (kind) {
    case IMAGE_TEXT_VALUE:
        return !is_blank(s.ptr[0]) && !is_blank(s.ptr[s.len - 1]);
    case IMAGE_TEXT_HOST: /* a star is the first label or none */
        return memchr(s.ptr + 1, '*', s.len - 1) == NULL &&
               (s.ptr[0] != '*' || (s.len > 2 && s.ptr[1] == '.'));
    case IMAGE_TEXT_PATH:
    case IMAGE_TEXT_TARGET:
        return s.ptr[0] == '/';
    default:
        return true;
    }
}

bool image_is_text(struct slice text, enum image_text_kind kind)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_byte(text.ptr[i], kind))
            return false;
    }
    return text.len == 0 || is_shape(text, kind);
}

enum image_fault image_check_text(const struct image_view *v, struct image_string s,
                                  enum image_text_kind kind)
{
    if (s.length > IMAGE_STRING_BYTES_MAX || !image_is_range(s.offset, s.length, v->n_strings))
        return IMAGE_FAULT_STRING;
    if (s.length == 0 && s.offset != 0)
        return IMAGE_FAULT_STRING;
    return image_is_text(image_text(v, s), kind) ? IMAGE_FAULT_OK : IMAGE_FAULT_TEXT;
}
