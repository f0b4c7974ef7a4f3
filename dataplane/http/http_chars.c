/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of character classes, computed by the compiler from the grammar's own sentences.
 *
 * Paths and queries: RFC 3986 allows less than browsers send (the URL standard leaves '|', '^',
 * '[', ']' unencoded in paths, and also '{', '}', '`', '\' in queries). We take what they send,
 * except for what could end a path or hide a separator: '\' in a path, '#', quotes, '<', '>'.
 */
#include "http/http_chars.h"

#define IS_DIGIT(c) ((c) >= '0' && (c) <= '9')
#define IS_ALPHA(c) (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z'))
#define IS_UNRESERVED(c)                                                                           \
    (IS_DIGIT(c) || IS_ALPHA(c) || (c) == '-' || (c) == '.' || (c) == '_' || (c) == '~')
#define IS_TOKEN(c)                                                                                \
    (IS_DIGIT(c) || IS_ALPHA(c) || (c) == '!' || (c) == '#' || (c) == '$' || (c) == '%' ||         \
     (c) == '&' || (c) == '\'' || (c) == '*' || (c) == '+' || (c) == '-' || (c) == '.' ||          \
     (c) == '^' || (c) == '_' || (c) == '`' || (c) == '|' || (c) == '~')
#define IS_SUB_DELIM(c)                                                                            \
    ((c) == '!' || (c) == '$' || (c) == '&' || (c) == '\'' || (c) == '(' || (c) == ')' ||          \
     (c) == '*' || (c) == '+' || (c) == ',' || (c) == ';' || (c) == '=')
#define IS_PATH(c)                                                                                 \
    (IS_UNRESERVED(c) || IS_SUB_DELIM(c) || (c) == ':' || (c) == '@' || (c) == '/' ||              \
     (c) == '%' || (c) == '|' || (c) == '^' || (c) == '[' || (c) == ']')
#define IS_QUERY(c)                                                                                \
    (IS_PATH(c) || (c) == '?' || (c) == '{' || (c) == '}' || (c) == '`' || (c) == '\\')
#define IS_HOST(c) (IS_DIGIT(c) || IS_ALPHA(c) || (c) == '-' || (c) == '_' || (c) == '.')
#define IS_SPACE(c) ((c) == ' ' || (c) == '\t')
#define IS_VALUE(c) (IS_SPACE(c) || ((c) > 0x20 && (c) != 0x7f))

#define CLASSES(c)                                                                                 \
    (IS_TOKEN(c) ? HTTP_CHAR_TOKEN : 0) | (IS_VALUE(c) ? HTTP_CHAR_VALUE : 0) |                    \
        (IS_PATH(c) ? HTTP_CHAR_PATH : 0) | (IS_QUERY(c) ? HTTP_CHAR_QUERY : 0) |                  \
        (IS_HOST(c) ? HTTP_CHAR_HOST : 0) | (IS_UNRESERVED(c) ? HTTP_CHAR_UNRESERVED : 0) |        \
        (IS_SPACE(c) ? HTTP_CHAR_SPACE : 0)
#define ROW4(c) CLASSES(c), CLASSES((c) + 1), CLASSES((c) + 2), CLASSES((c) + 3)
#define ROW16(c) ROW4(c), ROW4((c) + 4), ROW4((c) + 8), ROW4((c) + 12)
#define ROW64(c) ROW16(c), ROW16((c) + 16), ROW16((c) + 32), ROW16((c) + 48)

const uint8_t http_chars[256] = {ROW64(0), ROW64(64), ROW64(128), ROW64(192)};
