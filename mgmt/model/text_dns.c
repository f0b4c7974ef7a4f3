/* SPDX-License-Identifier: Apache-2.0 */
/* Names and types of DNS, as the dataplane matches them (dns/dns.h); see text.h. */
#include "model/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The types that DNSRoutes may call by name: those of IANA's list that people ask for. */
static const struct {
    const char *name;
    unsigned number;
} types[] = {
    {"A", 1},      {"NS", 2},      {"CNAME", 5}, {"SOA", 6},   {"PTR", 12},
    {"MX", 15},    {"TXT", 16},    {"AAAA", 28}, {"SRV", 33},  {"NAPTR", 35},
    {"DS", 43},    {"DNSKEY", 48}, {"TLSA", 52}, {"SVCB", 64}, {"HTTPS", 65},
    {"IXFR", 251}, {"AXFR", 252},  {"ANY", 255}, {"CAA", 257},
};

bool text_dns_type(const char *type, char ret[TEXT_DNS_TYPE_BYTES])
{
    unsigned long number = UINT16_MAX + 1ul;
    char *end = NULL;
    if (strncmp(type, "TYPE", 4) == 0 && type[4] >= '0' && type[4] <= '9') {
        number = strtoul(type + 4, &end, 10);
        number = *end == '\0' ? number : UINT16_MAX + 1ul;
    }
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        number = strcmp(types[i].name, type) == 0 ? types[i].number : number;
    }
    if (number > UINT16_MAX) {
        return false;
    }
    snprintf(ret, TEXT_DNS_TYPE_BYTES, "TYPE%u", (unsigned)number);
    return true;
}

void text_dns_path(const char *name, char ret[TEXT_DNS_PATH_BYTES])
{
    size_t left = strlen(name), to = 0;
    left -= left > 0 && name[left - 1] == '.'; /* the same name, said in full */
    if (left > TEXT_DNS_PATH_BYTES - 2) {
        left = TEXT_DNS_PATH_BYTES - 2;
    }
    while (left > 0) {
        size_t from = left;
        while (from > 0 && name[from - 1] != '.') {
            from--;
        }
        ret[to++] = '/';
        memcpy(ret + to, name + from, left - from);
        to += left - from;
        left = from > 0 ? from - 1 : 0;
    }
    if (to == 0) {
        ret[to++] = '/';
    }
    ret[to] = '\0';
}
