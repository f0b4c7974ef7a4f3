/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of proxy_protocol share. */
#pragma once

#include "proxy_protocol/proxy_protocol.h"

/* Version 2, section 2.2: signature, version and command, family and transport, length. */
enum {
    V2_SIGNATURE_BYTES = 12,
    V2_FIXED_BYTES = 16,
    V2_IP4_BYTES = 12,
    V2_IP6_BYTES = 36,
    V2_UNIX_BYTES = 216,
    V2_COMMAND_LOCAL = 0,
    V2_COMMAND_PROXY = 1,
    V2_TCP4 = 0x11,
    V2_TCP6 = 0x21,
    V2_TLV_CRC32C = 3,
};
extern const uint8_t proxy_protocol_signature[V2_SIGNATURE_BYTES];

/* The header is of version 1: its first byte was. */
enum proxy_protocol proxy_protocol_read_v1(const uint8_t *bytes, size_t len,
                                           struct proxy_protocol_header *ret);

/* The same for version 2. */
enum proxy_protocol proxy_protocol_read_v2(const uint8_t *bytes, size_t len,
                                           struct proxy_protocol_header *ret);

/* CRC32C (RFC 4960, appendix B) goes on over more bytes; begin with 0. Cost: eight steps a byte,
 * once a connection. */
uint32_t proxy_protocol_crc32c(uint32_t crc, const uint8_t *bytes, size_t len);
