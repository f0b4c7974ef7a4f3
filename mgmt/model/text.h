/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small syntaxes that objects are made of: names, labels, addresses, durations, times. Pure.
 */
#pragma once

#include "base/ip_addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Kubernetes' bounds on names and labels. */
#define TEXT_DNS_LABEL_MAX 63
#define TEXT_DNS_SUBDOMAIN_MAX 253
#define TEXT_LABEL_VALUE_MAX 63

/* RFC 1123 label: lower case letters, digits, '-' inside; at most 63. */
bool text_is_dns_label(const char *text);
/* RFC 1035 label: the same, but begins with a letter (names of Services). */
bool text_is_dns_1035_label(const char *text);
/* RFC 1123 subdomain: labels with dots between, at most 253 in all. */
bool text_is_dns_subdomain(const char *text);
/* "example.com/name" or "name": keys of labels, annotations and finalizers. */
bool text_is_qualified_name(const char *text);
/* A label's value: empty, or letters and digits with '-', '_', '.' inside; at most 63. */
bool text_is_label_value(const char *text);
/* IANA service name: at most 15 of a-z, 0-9, '-', with a letter, no '-' at the ends or doubled. */
bool text_is_port_name(const char *text);

/* A hostname or "*." and one, as in Gateway API. */
bool text_is_hostname(const char *text);

/* "10.0.0.0/8": the address as written and its length within its own family. */
bool text_parse_cidr(const char *text, struct ip_addr *ret_addr, unsigned *ret_length);
/* An address, a prefix (all its addresses), or "from-to" of one family: first and last address. */
bool text_parse_range(const char *text, struct ip_addr *ret_first, struct ip_addr *ret_last);

#define TEXT_TIME_BYTES 32u

/* RFC 3339, UTC: "2026-11-28T13:04:00Z". */
void text_of_time(int64_t unix_s, char ret[TEXT_TIME_BYTES]);

/* GEP-2257: "1h30m", "500ms", "0s". */
bool text_parse_duration(const char *text, uint64_t *ret_ms);

/* RFC 3339 date and time, with 'Z' or an offset. */
bool text_is_date_time(const char *text);
/* Base64 (RFC 4648, section 4), with padding. */
bool text_is_base64(const char *text);
/* What the base64 text stands for, NUL-terminated, freed by the caller; NULL: not base64. */
char *text_base64_decode(const char *text);
/* Characters of a UTF-8 text. */
size_t text_characters(const char *text);
/* Takes away the beginning of a last character whose end was cut off: it stays valid UTF-8. */
void text_trim(char *text);

#define TEXT_DNS_PATH_BYTES 256u
#define TEXT_DNS_TYPE_BYTES 10u

/* A name of DNS, of 254 bytes at most, from its last label: "www.example.com" is
 * "/com/example/www", the root ("." or nothing) "/". */
void text_dns_path(const char *name, char ret[TEXT_DNS_PATH_BYTES]);
/* A type of records by its number: "AAAA" and "TYPE28" are "TYPE28". False: it is none. */
bool text_dns_type(const char *type, char ret[TEXT_DNS_TYPE_BYTES]);
