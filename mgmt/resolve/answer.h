/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What DNS says of a name, for one family of addresses: values, without a word of how they were
 * come by. attach reads them, resolve finds them out.
 */
#pragma once

#include "base/ip_addr.h"

#include <stdint.h>

enum resolve_family {
    RESOLVE_IPV4,
    RESOLVE_IPV6,
    RESOLVE_FAMILIES, /* how many there are */
};

#define RESOLVE_ADDRS_MAX 64u /* of a name, in one family: the first ones of the answer */

#define RESOLVE_FAULT_LIST(X)                                                                      \
    X(NONE, "")                                                                                    \
    X(TIMEOUT, "no name server answers in time")                                                   \
    X(UNREACHABLE, "no name server can be reached, or all of them fail")                           \
    X(SERVER, "the name server fails")                                                             \
    X(REFUSED, "the name server refuses to answer")                                                \
    X(MALFORMED, "the name server's answer cannot be read")                                        \
    X(NAME, "it is not a name that can be asked for")                                              \
    X(FULL, "more names are to be asked for than the box has room for")                            \
    X(OTHER, "the question could not be asked")

/* Why there is no answer; the texts end a sentence. */
enum resolve_fault {
#define X(name, text) RESOLVE_FAULT_##name,
    RESOLVE_FAULT_LIST(X)
#undef X
        RESOLVE_FAULTS
};

enum resolve_state {
    RESOLVE_PENDING, /* there was no answer yet */
    RESOLVE_GOOD,    /* the name has these addresses */
    RESOLVE_ABSENT,  /* there is no such name, or it has no addresses of the family */
    RESOLVE_STALE,   /* it had these, and now nobody answers */
};

/* The addresses are sorted, each is there once, and others can be reached by them. */
struct resolve_answer {
    enum resolve_state state;
    enum resolve_fault fault; /* of the latest attempt; NONE: it had an answer */
    uint32_t n_unfit;         /* addresses of the answer that no backend can have */
    uint32_t n;
    const struct ip_addr *addrs; /* borrowed */
};

/* The fault as the end of a sentence; "" for NONE. */
const char *resolve_fault_text(enum resolve_fault fault);
