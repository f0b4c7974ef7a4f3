/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One address type for both families: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d (RFC 4291,
 * section 2.5.5.2). Tables, the route image and flow keys use this form only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct ip_addr {
    uint8_t bytes[16];
};

/* Longest text of an address with its NUL. */
#define IP_ADDR_TEXT_MAX 46

/* An IPv4 address from four bytes in network order. */
static inline struct ip_addr ip_addr_from_v4(const void *four)
{
    struct ip_addr a = {.bytes = {[10] = 0xff, [11] = 0xff}};
    memcpy(&a.bytes[12], four, 4);
    return a;
}

/* An IPv6 address from sixteen bytes in network order. */
static inline struct ip_addr ip_addr_from_v6(const void *sixteen)
{
    struct ip_addr a;
    memcpy(a.bytes, sixteen, 16);
    return a;
}

/* Is it ::ffff:a.b.c.d? */
static inline bool ip_addr_is_v4(const struct ip_addr *a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(a->bytes, prefix, sizeof(prefix)) == 0;
}

/* Same address? */
static inline bool ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b)
{
    return memcmp(a->bytes, b->bytes, 16) == 0;
}

/* All zero (::)? */
static inline bool ip_addr_is_zero(const struct ip_addr *a)
{
    static const uint8_t zero[16];
    return memcmp(a->bytes, zero, 16) == 0;
}

/* Could another host have it? Not if it is unspecified, of loopback or of one link, multicast, or
 * reserved (RFC 6890). */
bool ip_addr_is_reachable(const struct ip_addr *a);

/* Text to address. Accepts dotted IPv4 and RFC 4291 IPv6, nothing around it. False: not an address.
 */
bool ip_addr_parse(const char *text, struct ip_addr *ret);

/* Address to text (RFC 5952; IPv4 dotted). `buf` has IP_ADDR_TEXT_MAX bytes. Returns buf. */
const char *ip_addr_format(const struct ip_addr *a, char buf[IP_ADDR_TEXT_MAX]);

/* Are the first `prefix_len` bits the same? For IPv4 in mapped form count from 96: 96 + len. */
bool ip_addr_in_prefix(const struct ip_addr *a, const struct ip_addr *prefix, unsigned prefix_len);
