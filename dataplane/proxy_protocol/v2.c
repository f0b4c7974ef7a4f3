/* SPDX-License-Identifier: Apache-2.0 */
/* Version 2: binary (section 2.2); and which version it is. */
#include "base/assert.h"
#include "base/minmax.h"
#include "proxy_protocol/proxy_protocol_priv.h"

const uint8_t proxy_protocol_signature[V2_SIGNATURE_BYTES] = {'\r', '\n', '\r', '\n', 0,   '\r',
                                                              '\n', 'Q',  'U',  'I',  'T', '\n'};

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* The command was PROXY: how many bytes of addresses has this family and transport? */
static bool addresses_of(uint8_t family, uint32_t *ret_bytes)
{
    static const uint8_t bytes[] = {0, V2_IP4_BYTES, V2_IP6_BYTES, V2_UNIX_BYTES};
    if (family >> 4 >= sizeof(bytes) || (family & 15) > 2)
        return false;
    *ret_bytes = (family & 15) == 0 ? 0 : bytes[family >> 4];
    return true;
}

/* The first 16 bytes, as far as they are there, so that nonsense is found at once. Only of PROXY
 * does the family mean anything. *ret_addresses: how many bytes of them follow. */
static enum proxy_protocol read_fixed(const uint8_t *bytes, size_t len, uint32_t *ret_addresses)
{
    uint32_t addresses = 0;
    if (memcmp(bytes, proxy_protocol_signature, min64(len, V2_SIGNATURE_BYTES)) != 0)
        return PROXY_PROTOCOL_foreign;
    if (len > 12 && bytes[12] >> 4 != 2)
        return PROXY_PROTOCOL_version;
    if (len > 12 && (bytes[12] & 15) > V2_COMMAND_PROXY)
        return PROXY_PROTOCOL_command;
    bool is_proxy = len > 12 && (bytes[12] & 15) == V2_COMMAND_PROXY;
    if (is_proxy && len > 13 && !addresses_of(bytes[13], &addresses))
        return PROXY_PROTOCOL_family;
    if (len < V2_FIXED_BYTES)
        return PROXY_PROTOCOL_partial;
    if (get16(bytes + 14) > PROXY_PROTOCOL_BYTES_MAX - V2_FIXED_BYTES)
        return PROXY_PROTOCOL_long;
    if (get16(bytes + 14) < addresses)
        return PROXY_PROTOCOL_short;
    *ret_addresses = addresses;
    return PROXY_PROTOCOL_whole;
}

/* The checksum is of the header with zeros in the checksum's place (section 2.2.3). */
static bool has_checksum(const uint8_t *bytes, uint32_t len, uint32_t at)
{
    static const uint8_t zeros[4];
    uint32_t crc = proxy_protocol_crc32c(0, bytes, at);
    crc = proxy_protocol_crc32c(crc, zeros, sizeof(zeros));
    crc = proxy_protocol_crc32c(crc, bytes + at + 4, len - at - 4);
    return crc == get32(bytes + at);
}

/* Walks what follows the addresses: type, length and value, one behind the other to the end. */
static enum proxy_protocol check_tlvs(const uint8_t *bytes, uint32_t len, uint32_t at)
{
    while (at < len) {
        if (len - at < 3 || get16(bytes + at + 1) > len - at - 3)
            return PROXY_PROTOCOL_tlv;
        uint32_t value_len = get16(bytes + at + 1);
        bool is_checksum = bytes[at] == V2_TLV_CRC32C;
        if (is_checksum && value_len != 4)
            return PROXY_PROTOCOL_tlv;
        if (is_checksum && !has_checksum(bytes, len, at + 3))
            return PROXY_PROTOCOL_checksum;
        at += 3 + value_len;
    }
    return PROXY_PROTOCOL_whole;
}

static void read_ends(const uint8_t *p, bool is_v6, struct proxy_protocol_ends *ret)
{
    uint32_t n = is_v6 ? 16 : 4;
    ret->source = is_v6 ? ip_addr_from_v6(p) : ip_addr_from_v4(p);
    ret->destination = is_v6 ? ip_addr_from_v6(p + n) : ip_addr_from_v4(p + n);
    ret->source_port = get16(p + 2 * n);
    ret->destination_port = get16(p + 2 * n + 2);
}

enum proxy_protocol proxy_protocol_read_v2(const uint8_t *bytes, size_t len,
                                           struct proxy_protocol_header *ret)
{
    uint32_t addresses;
    enum proxy_protocol r = read_fixed(bytes, len, &addresses);
    if (r != PROXY_PROTOCOL_whole)
        return r;
    struct proxy_protocol_header header = {.bytes = V2_FIXED_BYTES + get16(bytes + 14)};
    ASSERT(header.bytes <= PROXY_PROTOCOL_BYTES_MAX);
    if (len < header.bytes)
        return PROXY_PROTOCOL_partial;
    /* Of a family that we do not know what follows is not known either. */
    if (addresses > 0)
        r = check_tlvs(bytes, header.bytes, V2_FIXED_BYTES + addresses);
    bool is_tcp = addresses > 0 && (bytes[13] == V2_TCP4 || bytes[13] == V2_TCP6);
    header.is_local = !is_tcp;
    if (is_tcp)
        read_ends(bytes + V2_FIXED_BYTES, bytes[13] == V2_TCP6, &header.ends);
    if (r == PROXY_PROTOCOL_whole)
        *ret = header;
    return r;
}

enum proxy_protocol proxy_protocol_read(const uint8_t *bytes, size_t len,
                                        struct proxy_protocol_header *ret)
{
    if (len == 0)
        return PROXY_PROTOCOL_partial;
    return bytes[0] == 'P' ? proxy_protocol_read_v1(bytes, len, ret)
                           : proxy_protocol_read_v2(bytes, len, ret);
}
