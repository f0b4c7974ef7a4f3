/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contract 1b, endpoints: which addresses stand behind a backend group now. Apart from the route
 * image, because they change a thousand times as often. mgmtd sends one record a group over the
 * control socket; the dataplane's housekeeping core checks it, keeps it on disk, and publishes it
 * to the workers by RCU, without touching the image. A record replaces the group's whole list.
 *
 * Group ids are given out by mgmtd, kept in its store and never given to another backend while any
 * image that names them may be in use: so an update can never send traffic to a stranger.
 *
 *   OFFSET  SIZE         DESCRIPTION
 *   0       24           struct endpoint_record
 *   24      count * 32   struct endpoint
 */
#pragma once

#include "base/ip_addr.h"

#include <stddef.h>
#include <stdint.h>

#define ENDPOINT_GROUPS_MAX 65536u
#define ENDPOINTS_PER_GROUP_MAX                                                                    \
    1000u /* what one EndpointSlice may hold; a record fits one message */

/* Groups that have a table for hashes (base/maglev.h), of 128 KiB, which takes a millisecond to
 * fill. Reason: 32 MiB, and a quarter of a second of a restart; a list that waits for workers to
 * let go has its table still. Beyond: the group has none, see upstream_get(). */
#define MAGLEV_GROUPS_MAX 256u

enum endpoint_flags {
    ENDPOINT_READY = 1u << 0,   /* gets new requests */
    ENDPOINT_SERVING = 1u << 1, /* still answers */
    ENDPOINT_TERMINATING =
        1u << 2, /* going away: finish, start nothing new unless nobody is ready */
};

struct endpoint {
    struct ip_addr addr;
    uint16_t port;
    uint16_t weight; /* within the group; 1 unless said otherwise */
    uint32_t flags;  /* enum endpoint_flags */
    uint64_t reserved;
};

enum endpoint_record_flags {
    ENDPOINT_RECORD_HASHED = 1u << 0, /* a hash tells who gets a request: wants a table */
};

struct endpoint_record {
    uint32_t group;    /* < ENDPOINT_GROUPS_MAX */
    uint16_t count;    /* <= ENDPOINTS_PER_GROUP_MAX */
    uint16_t flags;    /* enum endpoint_record_flags */
    uint64_t version;  /* grows with each record of the group on one manager's connection, where a
                          lower or equal one is refused as stale; every HELLO as manager starts
                          anew, so that no restart or restored backup of mgmtd can shut itself out;
                          not 0 */
    uint64_t checksum; /* siphash with an all-zero key of the endpoints */
    struct endpoint endpoints[];
};

/* Why a record was refused. */
#define ENDPOINTS_FAULT_LIST(X)                                                                    \
    X(OK, "accepted")                                                                              \
    X(LENGTH, "the record's length does not fit its count")                                        \
    X(GROUP, "no such group number")                                                               \
    X(COUNT, "too many endpoints")                                                                 \
    X(CHECKSUM, "the checksum does not fit")                                                       \
    X(FLAGS, "the record has unknown flags")                                                       \
    X(ENDPOINT, "an endpoint has port 0, a zero address, unknown flags or a reserved field set")   \
    X(STALE, "an older version than the one in use")                                               \
    X(BUSY, "the workers have not let go of older lists yet: try again")

enum endpoints_fault {
#define X(name, help) ENDPOINTS_FAULT_##name,
    ENDPOINTS_FAULT_LIST(X)
#undef X
};

_Static_assert(sizeof(struct endpoint) == 32, "the table above says 32");
_Static_assert(sizeof(struct endpoint_record) == 24, "the table above says 24");

/* Checks a record of `len` bytes alone (STALE is the table's business). Pure; never reads past len.
 */
enum endpoints_fault endpoints_check(const void *record, size_t len);

/* The checksum that the record should carry. */
uint64_t endpoints_checksum(const struct endpoint *endpoints, uint32_t count);

/* "STALE" and so on; pure. */
const char *endpoints_fault_name(enum endpoints_fault fault);

/* The sentence that explains the fault; pure. */
const char *endpoints_fault_help(enum endpoints_fault fault);
