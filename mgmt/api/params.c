/* SPDX-License-Identifier: Apache-2.0 */
/* A query's parameters (application/x-www-form-urlencoded). */
#include "api/api_priv.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes `from` to `to`, which has room. False: a broken or zero escape. */
static bool decode(struct slice from, char **to)
{
    char *out = *to;
    for (size_t i = 0; i < from.len; i++) {
        uint8_t c = from.ptr[i];
        if (c == '%') {
            bool is_whole = from.len - i > 2;
            int high = is_whole ? hex_digit(from.ptr[i + 1]) : -1;
            int low = is_whole ? hex_digit(from.ptr[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return false;
            c = (uint8_t)(high * 16 + low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        *out++ = (char)c;
    }
    *out++ = '\0';
    *to = out;
    return true;
}

static bool parse_one(struct api_params *p, struct slice pair, char **to)
{
    const uint8_t *equals = memchr(pair.ptr, '=', pair.len);
    size_t name_len = equals != NULL ? (size_t)(equals - pair.ptr) : pair.len;
    struct slice name = slice_of(pair.ptr, name_len);
    struct slice value = slice_skip(pair, equals != NULL ? name_len + 1 : name_len);
    if (p->n == API_PARAMS_MAX)
        return false;
    p->names[p->n] = *to;
    if (!decode(name, to))
        return false;
    p->values[p->n] = *to;
    if (!decode(value, to))
        return false;
    p->n += 1;
    return true;
}

bool params_parse(struct api_params *p, struct slice query)
{
    *p = (struct api_params){0};
    if (query.len == 0)
        return true;
    p->text = malloc(query.len + 2 * API_PARAMS_MAX + 2);
    if (p->text == NULL)
        return false;
    char *to = p->text;
    while (query.len > 0) {
        const uint8_t *amp = memchr(query.ptr, '&', query.len);
        size_t len = amp != NULL ? (size_t)(amp - query.ptr) : query.len;
        if (len > 0 && !parse_one(p, slice_of(query.ptr, len), &to))
            return false;
        query = slice_skip(query, amp != NULL ? len + 1 : len);
    }
    return true;
}

void params_done(struct api_params *p)
{
    free(p->text);
    *p = (struct api_params){0};
}

const char *params_get(const struct api_params *p, const char *name)
{
    for (unsigned i = 0; i < p->n; i++) {
        if (strcmp(p->names[i], name) == 0)
            return p->values[i];
    }
    return NULL;
}

bool params_is_true(const struct api_params *p, const char *name)
{
    const char *value = params_get(p, name);
    return value != NULL && (strcmp(value, "true") == 0 || strcmp(value, "1") == 0);
}
