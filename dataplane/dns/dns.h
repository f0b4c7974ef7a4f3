/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions of DNS (RFC 1035, section 4.1), as far as a DNSRoute goes by them: a query's one name
 * and type, and the answer of somebody who has none. Pure: bytes and values. What stands behind the
 * question (EDNS, RFC 6891) is not ours to read but for one thing: whether it is there.
 *
 * A name becomes a path, its labels from the last to the first: "www.Example.com" is
 * "/com/example/www", the root "/". So names are matched as paths are (route/match.c): a name by
 * itself is an exact path, a name with all below it a prefix of whole segments.
 *
 * Strict: exactly one question, no pointers of compression in it (section 4.1.4 has them point to
 * what came before, and before it there is nothing), labels and names within their bounds.
 *
 * Thread: any. Cost: the question's bytes.
 */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_HEADER_BYTES 12u
#define DNS_NAME_BYTES_MAX                                                                         \
    255u /* RFC 1035, section 2.3.4: on the wire, lengths and root included */
#define DNS_LABEL_BYTES_MAX 63u
#define DNS_OPT_BYTES 11u /* of a record of EDNS without options */
/* Of a question with all before it, and of what tells whether EDNS is behind it. */
#define DNS_QUESTION_BYTES_MAX (DNS_HEADER_BYTES + DNS_NAME_BYTES_MAX + 4u + DNS_OPT_BYTES)
#define DNS_METHOD_BYTES 10u       /* "TYPE65535" */
#define DNS_UDP_ANSWER_BYTES 1232u /* what we say that we take by UDP */

/* What is wrong with a message: X(NAME, help). */
#define DNS_FAULT_LIST(X)                                                                          \
    X(OK, "it is a query with one question")                                                       \
    X(SHORT, "it has no whole header")                                                             \
    X(RESPONSE, "it is an answer")                                                                 \
    X(OPCODE, "it is no query")                                                                    \
    X(COUNT, "it has not just one question, or answers")                                           \
    X(LABEL, "a label of its name is a pointer, or of a kind that is not known")                   \
    X(LONG, "its name is longer than 255 bytes")                                                   \
    X(CUT, "it ends within its question")

enum dns_fault {
#define X(name, help) DNS_FAULT_##name,
    DNS_FAULT_LIST(X)
#undef X
        DNS_FAULTS
};

/* RFC 1035, section 4.1.1: RCODE. */
enum dns_rcode {
    DNS_RCODE_NONE = 0, /* no answer */
    DNS_RCODE_FORMERR = 1,
    DNS_RCODE_SERVFAIL = 2,
    DNS_RCODE_NOTIMP = 4,
    DNS_RCODE_REFUSED = 5,
};

struct dns_question {
    uint16_t id;
    uint16_t flags;
    uint16_t type;
    bool has_edns;
    bool is_dnssec_ok;   /* RFC 3225: the bit goes back */
    uint32_t bytes;      /* of header and question; of a fault, of what is told back: the header */
    uint32_t path_bytes; /* of `path` */
    char path[DNS_NAME_BYTES_MAX + 1];
    char method[DNS_METHOD_BYTES]; /* "TYPE1": what a match by type asks for */
};

/* Reads a message of which the first `len` bytes are there, all of it or DNS_QUESTION_BYTES_MAX at
 * least. With a fault, `ret` has what of the header could be read. */
enum dns_fault dns_question_read(const uint8_t *message, size_t len, struct dns_question *ret);

/* How we answer such a message; NONE: not at all. */
enum dns_rcode dns_fault_rcode(enum dns_fault fault);

/* "POINTER" and so on. */
const char *dns_fault_name(enum dns_fault fault);

/* What an answer without records adds behind the question's `bytes`. */
size_t dns_refusal_bytes(const struct dns_question *q);

/* Makes the answer of a query in place: the first q->bytes of `message`, which has room for
 * dns_refusal_bytes() more. Returns its length. */
size_t dns_refuse(uint8_t *message, const struct dns_question *q, enum dns_rcode rcode);
