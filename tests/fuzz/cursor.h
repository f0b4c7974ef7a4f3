/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzzer's bytes read as numbers and pieces; past the end there are zeros and nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    const uint8_t *at;
    size_t left;
};

/* Is there no more? */
static inline bool cursor_is_done(const struct cursor *c)
{
    return c->left == 0;
}

/* The next byte. */
static inline uint8_t take8(struct cursor *c)
{
    if (c->left == 0)
        return 0;
    c->left--;
    return *c->at++;
}

/* The next two. */
static inline uint16_t take16(struct cursor *c)
{
    uint16_t high = take8(c);
    return (uint16_t)(high << 8 | take8(c));
}

/* A piece of at most `max` bytes; *ret_len: how many it has. */
static inline const uint8_t *take_piece(struct cursor *c, size_t max, size_t *ret_len)
{
    const uint8_t *piece = c->at;
    *ret_len = max < c->left ? max : c->left;
    c->at += *ret_len;
    c->left -= *ret_len;
    return piece;
}
