/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See pattern_way.h. The rest of a pattern must not look back at what was taken off its front, and
 * must not be one of several alternatives. So only what is known to do neither is let through:
 * literals, classes, groups, repeats, escapes of single characters. Flags, assertions and comments
 * are not, so a pattern with one of them stays whole.
 */
#include "compile/pattern_way.h"

#include "abi/image_format.h"

#include <stdbool.h>
#include <string.h>

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Does the byte stand for itself wherever it is, outside of a class? */
static bool is_literal(uint8_t c)
{
    return is_alnum(c) || (c != 0 && strchr("-_~%!&,;=:@", c) != NULL);
}

/* What is behind a slash would repeat it. */
static bool is_repeat(uint8_t c)
{
    return c == '*' || c == '+' || c == '?' || c == '{';
}

/* Length of an escape that stands for one byte: \d and the like, or a sign; 0: it may be another.
 */
static size_t escape_bytes(struct slice rest)
{
    if (rest.len < 2)
        return 0;
    uint8_t c = rest.ptr[1];
    bool is_known = is_alnum(c) ? strchr("dDwWsS", c) != NULL : c > ' ' && c < 0x7f;
    return is_known ? 2 : 0;
}

/* Length of a class like [^a-z\d]; 0: it is not as simple as that. */
static size_t class_bytes(struct slice rest)
{
    size_t i = rest.len > 1 && rest.ptr[1] == '^' ? 2 : 1;
    size_t first = i;
    while (i < rest.len && rest.ptr[i] != ']') {
        size_t step = rest.ptr[i] == '\\' ? escape_bytes(slice_skip(rest, i)) : 1;
        if (step == 0 || rest.ptr[i] == '[') {
            return 0;
        }
        i += step;
    }
    return i < rest.len && i > first ? i + 1 : 0;
}

/* Length of the beginning of a group that does nothing but hold together; 0: it does more. */
static size_t group_bytes(struct slice rest)
{
    if (rest.len < 2 || rest.ptr[1] == '*') {
        return 0;
    }
    if (rest.ptr[1] != '?') {
        return 1;
    }
    return rest.len > 2 && rest.ptr[2] == ':' ? 3 : 0;
}

/* Can it be cut off what is before it? */
static bool is_plain(struct slice rest)
{
    unsigned depth = 0;
    while (rest.len != 0) {
        uint8_t c = rest.ptr[0];
        size_t step = 1;
        if (c == '\\') {
            step = escape_bytes(rest);
        } else if (c == '[') {
            step = class_bytes(rest);
        } else if (c == '(') {
            step = group_bytes(rest);
            depth++;
        } else if (c == ')') {
            step = depth == 0 ? 0 : 1;
            depth--;
        } else if (c == '^' || (c == '|' && depth == 0)) {
            step = 0;
        }
        if (step == 0) {
            return false;
        }
        rest = slice_skip(rest, step);
    }
    return depth == 0;
}

size_t pattern_way(struct slice pattern)
{
    size_t way = 0;
    unsigned slashes = 0;
    for (size_t i = 0; i + 1 < pattern.len; i++) {
        uint8_t c = pattern.ptr[i];
        if (c != '/' && (i == 0 || !is_literal(c))) {
            break;
        }
        if (c != '/') {
            continue;
        }
        if (is_repeat(pattern.ptr[i + 1]) || slashes > IMAGE_PATTERN_DEPTH_MAX) {
            break;
        }
        slashes++;
        way = slashes == 1 ? 0 : i + 1; /* "/" alone is no segment */
    }
    return way != 0 && is_plain(slice_skip(pattern, way)) ? way : 0;
}
