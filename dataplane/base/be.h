/* SPDX-License-Identifier: Apache-2.0 */
/* Integers in network byte order as types of their own: a forgotten byte swap does not compile. */
#pragma once

#include <assert.h>
#include <stdint.h>

typedef struct {
    uint16_t wire;
} be16_t;

typedef struct {
    uint32_t wire;
} be32_t;

/* Host to network. */
static inline be16_t be16(uint16_t host)
{
    return (be16_t){__builtin_bswap16(host)};
}

/* Network to host. */
static inline uint16_t be16_host(be16_t v)
{
    return __builtin_bswap16(v.wire);
}

/* Host to network. */
static inline be32_t be32(uint32_t host)
{
    return (be32_t){__builtin_bswap32(host)};
}

/* Network to host. */
static inline uint32_t be32_host(be32_t v)
{
    return __builtin_bswap32(v.wire);
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the swaps above assume little endian");
