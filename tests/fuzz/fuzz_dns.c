/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as strangers send them to a name server: what is read lies within the message, says the
 * same however much of it is there, and its answer is one that never is longer than what was asked.
 */
#include "base/assert.h"
#include "dns/dns.h"
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

/* A path of labels: begins with a slash, has no empty one but the root's, and no longer ones. */
static void check_path(const struct dns_question *q)
{
    uint32_t label = 0;
    ASSERT(q->path_bytes >= 1 && q->path_bytes < DNS_NAME_BYTES_MAX);
    ASSERT(q->path[0] == '/' && strlen(q->path) == q->path_bytes);
    for (uint32_t i = 1; i < q->path_bytes; i++) {
        ASSERT(q->path[i] < 'A' || q->path[i] > 'Z');
        ASSERT(q->path[i] != '/' || label > 0);
        label = q->path[i] == '/' ? 0 : label + 1;
        ASSERT(label <= DNS_LABEL_BYTES_MAX);
    }
    ASSERT(q->path_bytes == 1 || label > 0);
}

/* The answer, read as a query again: it is one to the same question. */
static void check_answer(const uint8_t *data, size_t size, const struct dns_question *q,
                         enum dns_rcode rcode)
{
    uint8_t answer[DNS_QUESTION_BYTES_MAX];
    struct dns_question again;
    ASSERT(q->bytes + dns_refusal_bytes(q) <= sizeof(answer));
    memcpy(answer, data, q->bytes);
    size_t len = dns_refuse(answer, q, rcode);
    ASSERT(len <= size && len == q->bytes + dns_refusal_bytes(q));
    ASSERT((answer[2] & 0x80) != 0 && (answer[3] & 0x0f) == rcode);
    ASSERT(dns_question_read(answer, len, &again) == DNS_FAULT_RESPONSE && again.id == q->id);
    answer[2] &= 0x07;
    enum dns_fault fault = dns_question_read(answer, len, &again);
    if (q->bytes == DNS_HEADER_BYTES) {
        ASSERT(fault == DNS_FAULT_COUNT);
        return;
    }
    ASSERT(fault == DNS_FAULT_OK && again.type == q->type && again.has_edns == q->has_edns);
    ASSERT(strcmp(again.path, q->path) == 0 && again.is_dnssec_ok == q->is_dnssec_ok);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_question q, part;
    char method[DNS_METHOD_BYTES];
    enum dns_fault fault = dns_question_read(data, size, &q);
    ASSERT(fault < DNS_FAULTS && q.bytes <= size);
    if (fault == DNS_FAULT_OK) {
        size_t enough = size < DNS_QUESTION_BYTES_MAX ? size : DNS_QUESTION_BYTES_MAX;
        check_path(&q);
        snprintf(method, sizeof(method), "TYPE%u", q.type);
        ASSERT(strcmp(q.method, method) == 0);
        ASSERT(dns_question_read(data, enough, &part) == DNS_FAULT_OK);
        ASSERT(memcmp(&part, &q, sizeof(q)) == 0);
        for (size_t n = 0; n < q.bytes; n++)
            ASSERT(dns_question_read(data, n, &part) != DNS_FAULT_OK);
    }
    enum dns_rcode rcode = fault == DNS_FAULT_OK ? DNS_RCODE_REFUSED : dns_fault_rcode(fault);
    if (rcode != DNS_RCODE_NONE)
        check_answer(data, size, &q, rcode);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
#define SEED(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define HEAD "\x12\x34\x01\x20\0\1\0\0\0\0"
    static const struct {
        const char *bytes;
        size_t len;
    } seeds[] = {
        SEED(HEAD "\0\0\3www\7Example\3com\0\0\1\0\1"),
        SEED(HEAD "\0\1\3www\7example\3com\0\0\x1c\0\1\0\0\x29\x04\xd0\0\0\x80\0\0\0"),
        SEED(HEAD "\0\0\0\0\2\0\1"),
        SEED(HEAD "\0\0\3www\xc0\x0c\0\1\0\1"),
        SEED("\x12\x34\x28\0\0\1\0\0\0\0\0\0\7example\0\0\6\0\1"),
        SEED(HEAD "\0\0\4a/.\0\xff\xff\0\3"),
    };
#undef SEED
#undef HEAD
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    memcpy(ret, seeds[n].bytes, seeds[n].len);
    return seeds[n].len;
}
