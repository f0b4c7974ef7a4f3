/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contract 1d, keys: the certificates and private keys that listeners need, and the CA certificates
 * that they verify clients by, apart from the route image so that no private key is ever in one.
 * mgmtd writes a segment of all that an image names, seals it and sends it over the control socket
 * before that image; the dataplane checks it, loads it, and keeps a copy on its disk that only root
 * may read. An image names an identity or a bundle of CAs by its id.
 *
 *   OFFSET       SIZE         DESCRIPTION
 *   0            32           struct keys_header
 *   32           count * 32   struct keys_entry, by growing id, none twice
 *   after that   tickets * 80 struct keys_ticket: the one that new tickets are sealed with, then
 *                             those that are still, or already, opened
 *   after that   ...          certificates and keys as PEM, in any order
 *
 * An id is the beginning of the SHA-256 of the certificate chain, or of KEYS_BUNDLE_PREFIX and the
 * bundle: the same certificate has the same id at all times and nobody can make another one that
 * has it, so what was loaded once need not be loaded again. (One that signed itself may be both.)
 */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KEYS_MAGIC 0x594b4c53u /* "SLKY" */
#define KEYS_VERSION 1u
#define KEYS_MAX 65536u               /* as many as listeners of an image */
#define KEYS_BYTES_MAX (512u << 20)   /* 8 KiB each: a chain of four certificates has 6 */
#define KEYS_TICKETS_MAX 3u           /* last, current, next */
#define KEYS_PEM_BYTES_MAX (1u << 20) /* of one: as large as a Secret can be */
#define KEYS_BUNDLE_PREFIX "CA bundle\n"

struct keys_header {
    uint32_t magic;
    uint32_t version;
    uint32_t count;
    uint32_t tickets;  /* 0: sessions are not resumed; at most KEYS_TICKETS_MAX */
    uint64_t length;   /* of the whole segment in bytes */
    uint64_t checksum; /* siphash with an all-zero key of what follows the header */
};

struct keys_id {
    uint8_t bytes[16];
};

/* An identity: who somebody is, and the proof. Or a bundle: the CA certificates that one verifies
 * by, without a key. Offsets are from the beginning of the segment. */
struct keys_entry {
    struct keys_id id;
    uint32_t certificate_offset;
    uint32_t certificate_length; /* 1..KEYS_PEM_BYTES_MAX */
    uint32_t key_offset;
    uint32_t key_length; /* likewise; 0, and so is its offset: a bundle */
};

/* What session tickets are sealed with (RFC 5077, section 4); the same for all workers, and for
 * every box that has the same secret. */
struct keys_ticket {
    uint8_t name[16]; /* goes in the clear with each ticket */
    uint8_t cipher[32];
    uint8_t mac[32];
};

/* Why a segment was refused. */
#define KEYS_FAULT_LIST(X)                                                                         \
    X(OK, "accepted")                                                                              \
    X(LENGTH, "it is shorter or longer than it says, or than is allowed")                          \
    X(MAGIC, "it is no segment of keys")                                                           \
    X(VERSION, "another version of the format")                                                    \
    X(CHECKSUM, "the checksum does not fit")                                                       \
    X(ENTRY, "an entry is out of order or leads out of the segment")                               \
    X(ID, "an entry's id is not that of its certificates")                                         \
    X(IDENTITY, "a certificate or key is no PEM, is unusable, or the two do not fit")              \
    X(BUNDLE, "CA certificates are no PEM, or there are none")                                     \
    X(MEMORY, "there is no memory for it")

enum keys_fault {
#define X(name, help) KEYS_FAULT_##name,
    KEYS_FAULT_LIST(X)
#undef X
};

_Static_assert(sizeof(struct keys_header) == 32, "the table above says 32");
_Static_assert(sizeof(struct keys_entry) == 32, "the table above says 32");
_Static_assert(sizeof(struct keys_ticket) == 80, "the table above says 80");

/* Checks all but what the PEM says (ID and IDENTITY are the loader's business). Pure; never reads
 * past `len`. *ret_index is the entry at fault, 0 if it is none's. */
enum keys_fault keys_check(const void *data, size_t len, uint32_t *ret_index);

/* The entries of a checked segment. */
static inline const struct keys_entry *keys_entries(const void *data)
{
    return (const struct keys_entry *)((const uint8_t *)data + sizeof(struct keys_header));
}

/* The ticket keys of a checked segment. */
static inline const struct keys_ticket *keys_tickets(const void *data)
{
    return (const struct keys_ticket *)(keys_entries(data) +
                                        ((const struct keys_header *)data)->count);
}

/* Where PEM may begin. */
static inline size_t keys_tables_end(const struct keys_header *header)
{
    return sizeof(*header) + header->count * sizeof(struct keys_entry) +
           header->tickets * sizeof(struct keys_ticket);
}

/* The certificate chain of an entry, and its key. */
static inline struct slice keys_certificate(const void *data, const struct keys_entry *e)
{
    return slice_of((const uint8_t *)data + e->certificate_offset, e->certificate_length);
}

static inline struct slice keys_key(const void *data, const struct keys_entry *e)
{
    return slice_of((const uint8_t *)data + e->key_offset, e->key_length);
}

/* Is it a bundle of CAs (else an identity)? */
static inline bool keys_is_bundle(const struct keys_entry *e)
{
    return e->key_length == 0;
}

/* Order of entries: below 0 when a comes before b, 0 only for the same. */
static inline int keys_id_order(const struct keys_id *a, const struct keys_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* The checksum that the header of a segment of `len` bytes should carry. */
uint64_t keys_checksum(const void *data, size_t len);

/* "CHECKSUM" and so on; pure. */
const char *keys_fault_name(enum keys_fault fault);

/* The sentence that explains the fault; pure. */
const char *keys_fault_help(enum keys_fault fault);
