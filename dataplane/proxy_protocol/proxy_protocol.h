/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of the PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): what a proxy
 * puts before the first byte of a connection, so that the next one knows the client's address.
 *
 * Read strictly: what two programs could read in two ways is a fault, for whoever writes a header
 * chooses the address that limits and logs believe in. The receiver's side asks again with more
 * bytes until the verdict is not `partial`; a verdict never depends on how the bytes were cut.
 *
 * Pure. Thread: any. Cost: linear in the header.
 */
#pragma once

#include "base/ip_addr.h"

#include <stddef.h>

/* The longest header that is read. The specification wants one to fit in any TCP segment (536
 * bytes); twice that leaves room for senders that put certificates' names and hostnames in. */
#define PROXY_PROTOCOL_BYTES_MAX 1024u

/* A line of version 1 with its CR LF (section 2.1). Nothing that is written is longer. */
#define PROXY_PROTOCOL_LINE_BYTES_MAX 107u

/* What the bytes at the beginning of a connection are. One list: enum, names, help. */
#define PROXY_PROTOCOL_LIST(X)                                                                     \
    X(whole, "a header, and right")                                                                \
    X(partial, "the beginning of one: more bytes are needed")                                      \
    X(foreign, "no header of the PROXY protocol")                                                  \
    X(line_end, "version 1: a CR or LF by itself")                                                 \
    X(long, "longer than a header may be")                                                         \
    X(fields, "version 1: a field is missing, too many or of no known protocol")                   \
    X(address, "version 1: an address that is none, or of the other family")                       \
    X(port, "version 1: a port that is none")                                                      \
    X(version, "neither version 1 nor 2")                                                          \
    X(command, "version 2: an unassigned command")                                                 \
    X(family, "version 2: an unassigned family or transport")                                      \
    X(short, "version 2: its length leaves no room for its addresses")                             \
    X(tlv, "version 2: what follows the addresses is cut, or a checksum of another size")          \
    X(checksum, "version 2: its CRC32C does not fit")

enum proxy_protocol {
#define X(name, help) PROXY_PROTOCOL_##name,
    PROXY_PROTOCOL_LIST(X)
#undef X
};

/* Who connected to what. */
struct proxy_protocol_ends {
    struct ip_addr source;
    struct ip_addr destination;
    uint16_t source_port;
    uint16_t destination_port;
};

struct proxy_protocol_header {
    uint32_t bytes; /* of the header: what follows is the connection's own */
    bool is_local;  /* it tells nothing, or nothing that we use: the connection's own ends count */
    struct proxy_protocol_ends ends; /* unless is_local */
};

/* What the first `len` bytes of a connection are. *ret is set when it is `whole`. */
enum proxy_protocol proxy_protocol_read(const uint8_t *bytes, size_t len,
                                        struct proxy_protocol_header *ret);

/* Writes a header of version 1; returns its length. */
size_t proxy_protocol_write_v1(const struct proxy_protocol_ends *ends,
                               uint8_t ret[PROXY_PROTOCOL_LINE_BYTES_MAX]);
/* The same of version 2. */
size_t proxy_protocol_write_v2(const struct proxy_protocol_ends *ends,
                               uint8_t ret[PROXY_PROTOCOL_LINE_BYTES_MAX]);

/* Version 2's header of a connection that is for nobody, such as a check. Version 1 has none that
 * all receivers take: there such a connection tells its own ends (section 2.1). */
size_t proxy_protocol_write_v2_local(uint8_t ret[PROXY_PROTOCOL_LINE_BYTES_MAX]);
