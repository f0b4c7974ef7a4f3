/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a client that begins TLS asks for, read out of its first bytes without taking them: where a
 * connection may be passed on as it is, the name in the ClientHello says where to, and the backend
 * has to get every byte (RFC 8446, sections 4.1.2 and 5.1; RFC 6066, section 3).
 *
 * The message may lie in any number of records, and they in any number of segments: the caller asks
 * again with all bytes since the first until the verdict is not `partial`. A verdict never depends
 * on how the bytes were cut. It is strict in what it reads, since whoever reads behind us must find
 * the same name: one server name at most, of host names only, every length exact, nothing behind
 * the message in its last record. What it does not read - versions, suites, other extensions - is
 * the backend's. Of Encrypted Client Hello it sees the outer name, as anybody does.
 *
 * Pure. Thread: any. Cost: records are looked at once, the message once when it is whole.
 */
#pragma once

#include "base/slice.h"

#include <stdbool.h>

/* Of the handshake message: with keys of post-quantum groups it has 2 KiB, with tickets of others
 * and padding some more; OpenSSL reads as much as 128 KiB, nobody sends it. */
#define CLIENT_HELLO_BYTES_MAX 16384u
/* With the heads of its records, which may be as short as a byte: 16 KiB in records of 5 bytes or
 * more, or any usual message in records of one. */
#define CLIENT_HELLO_WIRE_BYTES_MAX 32768u
/* Pieces of memory that the bytes may lie in. TCP copies small segments behind each other, so two
 * neighbours have more than 1 KiB. */
#define CLIENT_HELLO_PIECES_MAX 66u
/* Of a host name: RFC 1035, section 2.3.4. */
#define CLIENT_HELLO_NAME_BYTES_MAX 253u

/* What the bytes at the beginning of a connection are. One list: enum, names, help. */
#define CLIENT_HELLO_LIST(X)                                                                       \
    X(whole, "a ClientHello, and right")                                                           \
    X(partial, "the beginning of one: more bytes are needed")                                      \
    X(foreign, "no record of a TLS handshake")                                                     \
    X(record, "a record that is empty, too long, or of another type in the midst of the message")  \
    X(message, "a handshake message that is no ClientHello")                                       \
    X(long, "longer than a ClientHello may be")                                                    \
    X(behind, "more bytes in the record that it ends in")                                          \
    X(length, "a length within it that leads too far, or not far enough")                          \
    X(twice, "two extensions of server names, or two names in one")                                \
    X(name, "a server name that is no host name")

enum client_hello {
#define X(name, help) CLIENT_HELLO_##name,
    CLIENT_HELLO_LIST(X)
#undef X
};

/* How far the records were looked at. Zero at first; for client_hello_read() only. */
struct client_hello_progress {
    uint32_t at;            /* where the next record begins */
    uint32_t gathered;      /* bytes of the message in the records before */
    uint32_t message_bytes; /* with its head; 0: that has not come */
};

struct client_hello_told {
    char server_name[CLIENT_HELLO_NAME_BYTES_MAX + 1]; /* lower case; "" if it names none */
};

/* What the bytes of a connection, from the first on, in `n` pieces are. `progress` is of this
 * connection. *ret is set when they are `whole`. */
enum client_hello client_hello_read(struct client_hello_progress *progress, const struct slice *v,
                                    unsigned n, struct client_hello_told *ret);
