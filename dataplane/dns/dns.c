/* SPDX-License-Identifier: Apache-2.0 */
/* Questions of DNS. See dns.h. */
#include "dns/dns.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"

#include <stdio.h>
#include <string.h>

#define FLAG_RESPONSE 0x8000u
#define FLAGS_OPCODE 0x7800u
#define FLAG_RECURSION_DESIRED 0x0100u
#define TYPE_OPT 41u       /* RFC 6891, section 6.1.2 */
#define DNSSEC_OK 0x8000u  /* RFC 3225, section 3 */
#define NOT_IN_A_NAME 0x01 /* in a path for a byte that would look like something else there */

const char *dns_fault_name(enum dns_fault fault)
{
    static const char *const names[] = {DNS_FAULT_LIST(X_NAME)};
    ASSERT((size_t)fault < array_len(names));
    return names[fault];
}

static uint16_t number_at(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put_number(uint8_t *at, unsigned number)
{
    at[0] = (uint8_t)(number >> 8);
    at[1] = (uint8_t)number;
}

static char lower(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (char)(byte + 'a' - 'A');
    return byte == '/' || byte == '\0' ? NOT_IN_A_NAME : (char)byte;
}

/* Where the labels of a name begin, and where it ends. */
struct labels {
    uint16_t at[DNS_NAME_BYTES_MAX / 2 + 1];
    unsigned n;
    size_t end; /* behind the root */
};

static enum dns_fault find_labels(const uint8_t *message, size_t len, struct labels *ret)
{
    size_t at = DNS_HEADER_BYTES;
    ret->n = 0;
    for (;;) {
        if (at >= len)
            return DNS_FAULT_CUT;
        uint8_t bytes = message[at];
        if (bytes > DNS_LABEL_BYTES_MAX)
            return DNS_FAULT_LABEL;
        if (at + bytes + 1 - DNS_HEADER_BYTES > DNS_NAME_BYTES_MAX - (bytes > 0))
            return DNS_FAULT_LONG;
        if (bytes == 0)
            break;
        ASSERT(ret->n < array_len(ret->at));
        ret->at[ret->n++] = (uint16_t)at;
        at += bytes + 1u;
    }
    ret->end = at + 1;
    return DNS_FAULT_OK;
}

/* The name as a path. All labels are within the message: a longer one follows each but the last. */
static void write_path(const uint8_t *message, const struct labels *labels,
                       struct dns_question *ret)
{
    uint32_t to = 0;
    for (unsigned i = labels->n; i > 0; i--) {
        const uint8_t *label = message + labels->at[i - 1];
        ret->path[to++] = '/';
        for (unsigned k = 1; k <= label[0]; k++)
            ret->path[to++] = lower(label[k]);
    }
    if (labels->n == 0)
        ret->path[to++] = '/';
    ASSERT(to < sizeof(ret->path));
    ret->path[to] = '\0';
    ret->path_bytes = to;
}

/* EDNS where every query has it: right behind the question. What is elsewhere is the endpoint's. */
static void find_edns(const uint8_t *message, size_t len, struct dns_question *ret)
{
    const uint8_t *record = message + ret->bytes;
    bool has_more = number_at(message + 10) > 0 && len >= ret->bytes + DNS_OPT_BYTES;
    ret->has_edns = has_more && record[0] == 0 && number_at(record + 1) == TYPE_OPT;
    ret->is_dnssec_ok = ret->has_edns && (number_at(record + 7) & DNSSEC_OK) != 0;
}

/* The header: is it one of a query with one question and nothing answered? */
static enum dns_fault judge_header(const uint8_t *message, const struct dns_question *q)
{
    if ((q->flags & FLAG_RESPONSE) != 0)
        return DNS_FAULT_RESPONSE;
    if ((q->flags & FLAGS_OPCODE) != 0)
        return DNS_FAULT_OPCODE;
    bool is_one = number_at(message + 4) == 1 && number_at(message + 6) == 0;
    return is_one ? DNS_FAULT_OK : DNS_FAULT_COUNT;
}

enum dns_fault dns_question_read(const uint8_t *message, size_t len, struct dns_question *ret)
{
    struct labels labels;
    *ret = (struct dns_question){.bytes = 0};
    if (len < DNS_HEADER_BYTES)
        return DNS_FAULT_SHORT;
    ret->id = number_at(message);
    ret->flags = number_at(message + 2);
    ret->bytes = DNS_HEADER_BYTES;
    enum dns_fault fault = judge_header(message, ret);
    if (fault == DNS_FAULT_OK)
        fault = find_labels(message, len, &labels);
    if (fault == DNS_FAULT_OK && labels.end + 4 > len)
        fault = DNS_FAULT_CUT;
    if (fault != DNS_FAULT_OK)
        return fault;
    ret->bytes = (uint32_t)labels.end + 4;
    ret->type = number_at(message + labels.end);
    snprintf(ret->method, sizeof(ret->method), "TYPE%u", ret->type);
    write_path(message, &labels, ret);
    find_edns(message, len, ret);
    return DNS_FAULT_OK;
}

enum dns_rcode dns_fault_rcode(enum dns_fault fault)
{
    switch (fault) {
    case DNS_FAULT_SHORT:
    case DNS_FAULT_RESPONSE:
        return DNS_RCODE_NONE;
    case DNS_FAULT_OPCODE:
        return DNS_RCODE_NOTIMP;
    default:
        return DNS_RCODE_FORMERR;
    }
}

size_t dns_refusal_bytes(const struct dns_question *q)
{
    return q->has_edns ? DNS_OPT_BYTES : 0;
}

size_t dns_refuse(uint8_t *message, const struct dns_question *q, enum dns_rcode rcode)
{
    bool has_question = q->bytes > DNS_HEADER_BYTES;
    unsigned kept = q->flags & (FLAGS_OPCODE | FLAG_RECURSION_DESIRED);
    ASSERT(q->bytes >= DNS_HEADER_BYTES);
    put_number(message + 2, FLAG_RESPONSE | kept | (unsigned)rcode);
    put_number(message + 4, has_question);
    put_number(message + 6, 0);
    put_number(message + 8, 0);
    put_number(message + 10, q->has_edns);
    if (!q->has_edns)
        return q->bytes;
    uint8_t *record = message + q->bytes;
    memset(record, 0, DNS_OPT_BYTES);
    put_number(record + 1, TYPE_OPT);
    put_number(record + 3, DNS_UDP_ANSWER_BYTES);
    put_number(record + 7, q->is_dnssec_ok ? DNSSEC_OK : 0);
    return q->bytes + DNS_OPT_BYTES;
}
