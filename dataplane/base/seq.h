/* SPDX-License-Identifier: Apache-2.0 */
/* TCP sequence numbers: modulo-2^32 arithmetic (RFC 9293, section 3.4). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t v;
} seq_t;

/* a + n */
static inline seq_t seq_add(seq_t a, uint32_t n)
{
    return (seq_t){a.v + n};
}

/* a - b as a signed distance; right while the two are within 2^31 of each other. */
static inline int32_t seq_diff(seq_t a, seq_t b)
{
    return (int32_t)(a.v - b.v);
}

/* a < b */
static inline bool seq_lt(seq_t a, seq_t b)
{
    return seq_diff(a, b) < 0;
}

/* a <= b */
static inline bool seq_le(seq_t a, seq_t b)
{
    return seq_diff(a, b) <= 0;
}

/* a > b */
static inline bool seq_gt(seq_t a, seq_t b)
{
    return seq_diff(a, b) > 0;
}

/* a >= b */
static inline bool seq_ge(seq_t a, seq_t b)
{
    return seq_diff(a, b) >= 0;
}

/* a == b */
static inline bool seq_eq(seq_t a, seq_t b)
{
    return a.v == b.v;
}

/* The later of the two. */
static inline seq_t seq_max(seq_t a, seq_t b)
{
    return seq_gt(a, b) ? a : b;
}
