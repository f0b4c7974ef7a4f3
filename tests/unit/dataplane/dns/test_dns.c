/* SPDX-License-Identifier: Apache-2.0 */
/* Questions byte by byte: what a name becomes, what is refused, how it is answered. */
#include "dns/dns.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

#define HEADER "\x12\x34\x01\x00\0\1\0\0\0\0\0\0"
#define MESSAGE(text) (const uint8_t *)(text), sizeof(text) - 1
#define TAIL "\0\1\0\1"

static enum dns_fault fault_of(const uint8_t *message, size_t len)
{
    struct dns_question q;
    return dns_question_read(message, len, &q);
}

static void check_path(const uint8_t *message, size_t len, const char *path, const char *method)
{
    struct dns_question q;
    CHECK_EQ(dns_question_read(message, len, &q), DNS_FAULT_OK);
    CHECK_STR(q.path, path);
    CHECK_STR(q.method, method);
    CHECK_EQ(q.bytes, len);
    CHECK_EQ(q.id, 0x1234);
}

TEST(a_name_becomes_a_path_from_its_last_label_in_lower_case)
{
    check_path(MESSAGE(HEADER "\3wWw\7Example\3com\0" TAIL), "/com/example/www", "TYPE1");
    check_path(MESSAGE(HEADER "\5_ldap\4_tcp\3lab\0\0\x21\0\1"), "/lab/_tcp/_ldap", "TYPE33");
    check_path(MESSAGE(HEADER "\0\xff\xff\0\1"), "/", "TYPE65535");
}

TEST(bytes_that_would_look_like_other_labels_do_not)
{
    check_path(MESSAGE(HEADER "\5a/b.c\3com\0" TAIL), "/com/a\1b.c", "TYPE1");
    check_path(MESSAGE(HEADER "\3a\0b\0" TAIL), "/a\1b", "TYPE1");
}

TEST(a_pointer_in_a_question_is_refused)
{
    CHECK_EQ(fault_of(MESSAGE(HEADER "\3www\xc0\x0c" TAIL)), DNS_FAULT_LABEL);
    CHECK_EQ(fault_of(MESSAGE(HEADER "\xc0\x0c" TAIL)), DNS_FAULT_LABEL);
    CHECK_EQ(fault_of(MESSAGE(HEADER "\x40" TAIL)), DNS_FAULT_LABEL);
}

/* Labels of 63 bytes, and one of `last`. */
static size_t long_name(uint8_t *to, unsigned last)
{
    size_t at = DNS_HEADER_BYTES;
    memcpy(to, HEADER, DNS_HEADER_BYTES);
    for (int i = 0; i < 3; i++) {
        to[at] = 63;
        memset(to + at + 1, 'a', 63);
        at += 64;
    }
    to[at] = (uint8_t)last;
    memset(to + at + 1, 'b', last);
    at += last + 1;
    memcpy(to + at, "\0" TAIL, 5);
    return at + 5;
}

TEST(a_name_has_255_bytes_at_most)
{
    uint8_t message[400];
    struct dns_question q;
    CHECK_EQ(dns_question_read(message, long_name(message, 61), &q), DNS_FAULT_OK);
    CHECK_EQ(q.path_bytes, 254);
    CHECK_EQ(dns_question_read(message, long_name(message, 62), &q), DNS_FAULT_LONG);
}

TEST(what_is_no_query_with_one_question_says_why)
{
    static const uint8_t question[] = "\1a\0" TAIL;
    uint8_t message[64] = HEADER;
    size_t len = DNS_HEADER_BYTES + sizeof(question) - 1;
    memcpy(message + DNS_HEADER_BYTES, question, sizeof(question));
    CHECK_EQ(fault_of(message, len), DNS_FAULT_OK);
    for (size_t n = 0; n < len; n++)
        CHECK_EQ(fault_of(message, n), n < DNS_HEADER_BYTES ? DNS_FAULT_SHORT : DNS_FAULT_CUT);
    message[2] = 0x80;
    CHECK_EQ(fault_of(message, len), DNS_FAULT_RESPONSE);
    message[2] = 0x28; /* an update */
    CHECK_EQ(fault_of(message, len), DNS_FAULT_OPCODE);
    CHECK_EQ(dns_fault_rcode(DNS_FAULT_OPCODE), DNS_RCODE_NOTIMP);
    message[2] = 0;
    message[5] = 2;
    CHECK_EQ(fault_of(message, len), DNS_FAULT_COUNT);
    message[5] = 1;
    message[7] = 1;
    CHECK_EQ(fault_of(message, len), DNS_FAULT_COUNT);
    CHECK_EQ(dns_fault_rcode(DNS_FAULT_COUNT), DNS_RCODE_FORMERR);
    CHECK_EQ(dns_fault_rcode(DNS_FAULT_RESPONSE), DNS_RCODE_NONE);
    CHECK_EQ(dns_fault_rcode(DNS_FAULT_SHORT), DNS_RCODE_NONE);
}

TEST(a_refusal_has_the_question_and_edns_where_the_query_had_it)
{
    static const uint8_t plain[] = HEADER "\1a\0" TAIL;
    static const uint8_t wanted[] = "\x12\x34\x81\x05\0\1\0\0\0\0\0\0\1a\0" TAIL;
    static const uint8_t edns[] =
        "\x12\x34\x01\x20\0\1\0\0\0\0\0\1\1a\0" TAIL "\0\0\x29\x10\0\0\0\x80\0\0\4\0\x0a\0\0";
    static const uint8_t edns_wanted[] =
        "\x12\x34\x81\x02\0\1\0\0\0\0\0\1\1a\0" TAIL "\0\0\x29\x04\xd0\0\0\x80\0\0\0";
    uint8_t message[64];
    struct dns_question q;
    memcpy(message, plain, sizeof(plain));
    REQUIRE(dns_question_read(message, sizeof(plain) - 1, &q) == DNS_FAULT_OK);
    CHECK_EQ(dns_refuse(message, &q, DNS_RCODE_REFUSED), sizeof(wanted) - 1);
    CHECK(memcmp(message, wanted, sizeof(wanted) - 1) == 0);
    memcpy(message, edns, sizeof(edns));
    REQUIRE(dns_question_read(message, sizeof(edns) - 1, &q) == DNS_FAULT_OK);
    CHECK(q.has_edns && q.is_dnssec_ok);
    CHECK_EQ(dns_refuse(message, &q, DNS_RCODE_SERVFAIL), sizeof(edns_wanted) - 1);
    CHECK(memcmp(message, edns_wanted, sizeof(edns_wanted) - 1) == 0);
}

TEST(what_has_no_sound_question_is_answered_by_a_header_alone)
{
    uint8_t message[] = HEADER "\xc0\x0c" TAIL;
    struct dns_question q;
    REQUIRE(dns_question_read(message, sizeof(message) - 1, &q) == DNS_FAULT_LABEL);
    CHECK_EQ(dns_refuse(message, &q, DNS_RCODE_FORMERR), DNS_HEADER_BYTES);
    CHECK(memcmp(message, "\x12\x34\x81\x01\0\0\0\0\0\0\0\0", DNS_HEADER_BYTES) == 0);
}

UNIT_MAIN("dataplane/dns", T(a_name_becomes_a_path_from_its_last_label_in_lower_case),
          T(bytes_that_would_look_like_other_labels_do_not), T(a_pointer_in_a_question_is_refused),
          T(a_name_has_255_bytes_at_most), T(what_is_no_query_with_one_question_says_why),
          T(a_refusal_has_the_question_and_edns_where_the_query_had_it),
          T(what_has_no_sound_question_is_answered_by_a_header_alone))
