/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Cookie field as a stranger sends it: pairs lie within the field, one behind the other, as a
 * slow second reader finds them, and none is taken for a session of ours unless it is written as we
 * would write it.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "route/session.h"

#include <string.h>

static const struct image_persistence persistence = {.token_key = {1, 2}, .seal_key = {3, 4}};
static const struct ip_addr addr = {.bytes = {[15] = 1}};

/* Parts between semicolons that have something but blanks before their first equals sign. */
static unsigned count_pairs(const uint8_t *data, size_t size)
{
    unsigned n = 0;
    bool has_name = false, has_equals = false;
    for (size_t i = 0; i <= size; i++) {
        if (i == size || data[i] == ';') {
            n += has_name && has_equals;
            has_name = has_equals = false;
        } else if (data[i] == '=') {
            has_equals = true;
        } else if (!has_equals && data[i] != ' ' && data[i] != '\t') {
            has_name = true;
        }
    }
    return n;
}

static void read_value(struct slice value)
{
    struct route_session session;
    char again[ROUTE_SESSION_VALUE_BYTES];
    if (!route_session_read(&persistence, value, 1000, &session))
        return;
    ASSERT(value.len == sizeof(again));
    if (!route_session_is_at(&persistence, &session, &addr, 80))
        return;
    route_session_write(&persistence, session.salt, &addr, 80, again);
    ASSERT(memcmp(again, value.ptr, sizeof(again)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size), name, value;
    const uint8_t *end = data;
    unsigned n = 0;
    while (route_cookie_next(&rest, &name, &value)) {
        ASSERT(name.len > 0 && name.ptr >= end && name.ptr + name.len < data + size);
        ASSERT(value.ptr > name.ptr && value.ptr + value.len <= data + size);
        ASSERT(value.len == 0 || memchr(value.ptr, ';', value.len) == NULL);
        end = value.ptr + value.len;
        read_value(value);
        n++;
    }
    ASSERT(rest.len == 0 && n == count_pairs(data, size));
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    static const char *const seeds[] = {"a=1; sid=; b=\"c\"", "a=b=c;;d; =e;\tf = g ;", ";"};
    if (n > sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    if (n > 0) {
        size_t len = strlen(seeds[n - 1]);
        memcpy(ret, seeds[n - 1], len);
        return len;
    }
    memcpy(ret, "sid=", 4);
    route_session_write(&persistence, 7, &addr, 80, (char *)ret + 4);
    return 4 + ROUTE_SESSION_VALUE_BYTES;
}
