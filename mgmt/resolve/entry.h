/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One name and what is known of it: when it is asked for again, and what stays while nobody answers
 * (RFC 8767: an answer that there is no such name counts, a name server that fails does not). Pure:
 * replies in, waiting times out.
 *
 * Owner: resolve. Bound: RESOLVE_ADDRS_MAX addresses.
 */
#pragma once

#include "resolve/answer.h"

#include <stdbool.h>

#define RESOLVE_TTL_S_MIN 5u        /* so that an answer of "0" does not mean a question a packet */
#define RESOLVE_TTL_S_MAX 3600u     /* so that a mistake in a zone is not kept for days */
#define RESOLVE_ABSENT_S 10u        /* a name that is not there may come */
#define RESOLVE_RETRY_S 1u          /* after the first failure; then twice as long each time ... */
#define RESOLVE_RETRY_S_MAX 60u     /* ... up to this */
#define RESOLVE_NAME_BYTES_MAX 254u /* with its NUL (RFC 1035, section 3.1) */

/* What came of a question. */
struct resolve_reply {
    enum resolve_fault fault; /* NONE: there was an answer, */
    uint32_t ttl_s;           /* with this, */
    uint32_t n;               /* of so many addresses; none: the name has none */
    struct ip_addr addrs[RESOLVE_ADDRS_MAX];
};

struct resolve_entry {
    char name[RESOLVE_NAME_BYTES_MAX]; /* lower case */
    enum resolve_family family;
    enum resolve_state state;
    enum resolve_fault fault;
    uint32_t n_faults; /* one after the other */
    uint32_t n_unfit;
    uint32_t n;
    struct ip_addr addrs[RESOLVE_ADDRS_MAX]; /* sorted, each once */
};

/* Takes in a reply. True: what is said of the name is another thing now. *ret_wait_s: until it is
 * asked for again. */
bool resolve_entry_take(struct resolve_entry *e, const struct resolve_reply *reply,
                        uint32_t *ret_wait_s);

/* By name, then family; 0: the same question. */
int resolve_entry_compare(const struct resolve_entry *e, const char *name,
                          enum resolve_family family);
