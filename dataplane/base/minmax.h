/* SPDX-License-Identifier: Apache-2.0 */
/* The lesser and the greater of two numbers, for code that knows no DPDK. Pure. */
#pragma once

#include <stdint.h>

/* The lesser. */
static inline uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The greater. */
static inline uint32_t max32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* The lesser. */
static inline uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The greater. */
static inline uint64_t max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}
