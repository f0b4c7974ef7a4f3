/* SPDX-License-Identifier: Apache-2.0 */
/* See ctl/match.h. */
#include "ctl/match.h"

#include "base/ip_addr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MATCH_TEXT_BYTES 160u /* two ends with the longest addresses there are */

/* A decimal number up to `max` and nothing else. */
static bool parse_number(const char *text, unsigned long max, unsigned long *ret)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    unsigned long value = strtoul(text, &end, 10);
    if (*end != '\0' || value > max)
        return false;
    *ret = value;
    return true;
}

/* Cuts `text` at its port, which is behind the last colon; NULL: there is none. Without brackets
 * more than one colon is an IPv6 address. */
static char *cut_port(char *text)
{
    char *from = text[0] == '[' ? strchr(text, ']') : text;
    char *colon = from != NULL ? strchr(from, ':') : NULL;
    if (colon == NULL || (text[0] != '[' && strchr(colon + 1, ':') != NULL))
        return NULL;
    *colon = '\0';
    return colon + 1;
}

/* Takes the brackets off, if there are any. NULL: they do not fit. */
static const char *without_brackets(char *text)
{
    size_t len = strlen(text);
    if (text[0] != '[')
        return text;
    if (len < 2 || text[len - 1] != ']')
        return NULL;
    text[len - 1] = '\0';
    return text + 1;
}

/* An address with the length of its prefix; "" and "*": any. */
static bool parse_address(char *text, struct observe_end *ret)
{
    unsigned long length = 0;
    char *slash = strchr(text, '/');
    if (slash != NULL)
        *slash = '\0';
    const char *address = without_brackets(text);
    if (address == NULL)
        return false;
    if (address[0] == '\0' || strcmp(address, "*") == 0)
        return slash == NULL;
    if (!ip_addr_parse(address, &ret->address))
        return false;
    bool is_v4 = ip_addr_is_v4(&ret->address);
    if (slash == NULL)
        length = is_v4 ? 32 : 128;
    else if (!parse_number(slash + 1, is_v4 ? 32 : 128, &length))
        return false;
    ret->prefix_len = (uint8_t)(is_v4 ? 96 + length : length);
    return true;
}

static bool parse_end(char *text, struct observe_end *ret)
{
    struct observe_end end = {.port = 0};
    unsigned long port = 0;
    if (text[0] == '\0')
        return false;
    char *port_text = cut_port(text);
    if (port_text != NULL && strcmp(port_text, "*") != 0 &&
        !parse_number(port_text, UINT16_MAX, &port))
        return false;
    if (!parse_address(text, &end))
        return false;
    end.port = (uint16_t)port;
    *ret = end;
    return true;
}

bool match_parse(const char *text, struct observe_match *ret)
{
    char copy[MATCH_TEXT_BYTES];
    struct observe_match match = {.a = {.port = 0}};
    int len = snprintf(copy, sizeof(copy), "%s", text);
    if (len <= 0 || (size_t)len >= sizeof(copy))
        return false;
    char *comma = strchr(copy, ',');
    if (comma != NULL)
        *comma = '\0';
    if (!parse_end(copy, &match.a) || (comma != NULL && !parse_end(comma + 1, &match.b)))
        return false;
    *ret = match;
    return true;
}

const char *match_end_format(const struct ip_addr *address, uint16_t port,
                             char buf[MATCH_END_TEXT_BYTES])
{
    char text[IP_ADDR_TEXT_MAX];
    ip_addr_format(address, text);
    if (ip_addr_is_v4(address))
        snprintf(buf, MATCH_END_TEXT_BYTES, "%s:%u", text, port);
    else
        snprintf(buf, MATCH_END_TEXT_BYTES, "[%s]:%u", text, port);
    return buf;
}
