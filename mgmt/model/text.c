/* SPDX-License-Identifier: Apache-2.0 */
/* Names and labels; see text.h. */
#include "model/text.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* One label of `n` characters: [a-z0-9]([-a-z0-9]*[a-z0-9])? */
static bool is_label(const char *text, size_t n)
{
    if (n == 0 || !is_lower_alnum(text[0]) || !is_lower_alnum(text[n - 1])) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_lower_alnum(text[i]) && text[i] != '-') {
            return false;
        }
    }
    return true;
}

bool text_is_dns_label(const char *text)
{
    size_t n = strlen(text);
    return n <= TEXT_DNS_LABEL_MAX && is_label(text, n);
}

bool text_is_dns_1035_label(const char *text)
{
    return text_is_dns_label(text) && text[0] >= 'a';
}

/* `n` characters: labels with dots between. */
static bool is_subdomain(const char *text, size_t n)
{
    if (n > TEXT_DNS_SUBDOMAIN_MAX) {
        return false;
    }
    size_t start = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i == n || text[i] == '.') {
            if (!is_label(text + start, i - start)) {
                return false;
            }
            start = i + 1;
        }
    }
    return true;
}

bool text_is_dns_subdomain(const char *text)
{
    return is_subdomain(text, strlen(text));
}

bool text_is_hostname(const char *text)
{
    return text_is_dns_subdomain(strncmp(text, "*.", 2) == 0 ? text + 2 : text);
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9], at most 63 */
static bool is_name_segment(const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n > TEXT_LABEL_VALUE_MAX || !is_alnum(text[0]) || !is_alnum(text[n - 1])) {
        return false;
    }
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == n;
}

bool text_is_qualified_name(const char *text)
{
    const char *slash = strchr(text, '/');
    if (slash == NULL) {
        return is_name_segment(text);
    }
    return is_subdomain(text, (size_t)(slash - text)) && is_name_segment(slash + 1);
}

bool text_is_label_value(const char *text)
{
    return text[0] == '\0' || is_name_segment(text);
}

bool text_is_port_name(const char *text)
{
    size_t n = strlen(text);
    return n <= 15 && is_label(text, n) && strstr(text, "--") == NULL &&
           strpbrk(text, "abcdefghijklmnopqrstuvwxyz") != NULL;
}

size_t text_characters(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

bool text_is_base64(const char *text)
{
    size_t n = strlen(text);
    size_t body = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    return n % 4 == 0 && n - body <= 2 && strspn(text + body, "=") == n - body;
}

/* The six bits of a digit of base64. */
static unsigned base64_bits(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = strchr(digits, c);
    return found != NULL && c != '\0' ? (unsigned)(found - digits) : 0;
}

char *text_base64_decode(const char *text)
{
    if (!text_is_base64(text)) {
        return NULL;
    }
    size_t n = strlen(text);
    unsigned char *out = malloc(n / 4 * 3 + 1);
    if (out == NULL) {
        return NULL;
    }
    size_t at = 0;
    for (size_t i = 0; i < n; i += 4) {
        unsigned b = base64_bits(text[i]) << 18 | base64_bits(text[i + 1]) << 12 |
                     base64_bits(text[i + 2]) << 6 | base64_bits(text[i + 3]);
        out[at++] = (unsigned char)(b >> 16);
        out[at++] = (unsigned char)(b >> 8);
        out[at++] = (unsigned char)b;
    }
    out[at] = '\0';
    return (char *)out;
}

void text_trim(char *text)
{
    size_t n = strlen(text);
    size_t start = n;
    while (start > 0 && n - start < 4 && ((unsigned char)text[start - 1] & 0xc0) == 0x80) {
        start--;
    }
    if (start == 0) {
        return;
    }
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (n - start + 1 < need) {
        text[start - 1] = '\0';
    }
}

void text_of_time(int64_t unix_s, char ret[TEXT_TIME_BYTES])
{
    time_t seconds = (time_t)unix_s;
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(ret, TEXT_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
