/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, durations and times; see text.h. */
#include "model/text.h"

#include <stdio.h>
#include <string.h>

/* 1 to `digits` decimal digits at *text, which is moved behind them. */
static bool parse_number(const char **text, unsigned digits, uint64_t *ret)
{
    size_t n = strspn(*text, "0123456789");
    if (n == 0 || n > digits) {
        return false;
    }
    *ret = 0;
    for (size_t i = 0; i < n; i++) {
        *ret = *ret * 10 + (uint64_t)((*text)[i] - '0');
    }
    *text += n;
    return true;
}

bool text_parse_cidr(const char *text, struct ip_addr *ret_addr, unsigned *ret_length)
{
    char head[IP_ADDR_TEXT_MAX];
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof(head)) {
        return false;
    }
    memcpy(head, text, (size_t)(slash - text));
    head[slash - text] = '\0';
    const char *rest = slash + 1;
    uint64_t length;
    struct ip_addr addr;
    if (!ip_addr_parse(head, &addr) || !parse_number(&rest, 3, &length) || *rest != '\0' ||
        length > (ip_addr_is_v4(&addr) ? 32u : 128u)) {
        return false;
    }
    *ret_addr = addr;
    *ret_length = (unsigned)length;
    return true;
}

/* First and last address of a prefix, both with all its addresses between. */
static void prefix_range(const struct ip_addr *addr, unsigned length, struct ip_addr *ret_first,
                         struct ip_addr *ret_last)
{
    unsigned bits = ip_addr_is_v4(addr) ? length + 96 : length;
    *ret_first = *ret_last = *addr;
    for (unsigned i = bits; i < 128; i++) {
        uint8_t bit = (uint8_t)(0x80u >> (i % 8));
        ret_first->bytes[i / 8] &= (uint8_t)~bit;
        ret_last->bytes[i / 8] |= bit;
    }
}

bool text_parse_range(const char *text, struct ip_addr *ret_first, struct ip_addr *ret_last)
{
    struct ip_addr first;
    struct ip_addr last;
    unsigned length;
    const char *dash = strchr(text, '-');
    if (ip_addr_parse(text, &first)) {
        last = first;
    } else if (text_parse_cidr(text, &first, &length)) {
        struct ip_addr addr = first;
        prefix_range(&addr, length, &first, &last);
    } else {
        char head[IP_ADDR_TEXT_MAX];
        if (dash == NULL || (size_t)(dash - text) >= sizeof(head)) {
            return false;
        }
        memcpy(head, text, (size_t)(dash - text));
        head[dash - text] = '\0';
        if (!ip_addr_parse(head, &first) || !ip_addr_parse(dash + 1, &last) ||
            ip_addr_is_v4(&first) != ip_addr_is_v4(&last) ||
            memcmp(first.bytes, last.bytes, sizeof(first.bytes)) > 0) {
            return false;
        }
    }
    *ret_first = first;
    *ret_last = last;
    return true;
}

bool text_parse_duration(const char *text, uint64_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    uint64_t sum = 0;
    if (*text == '\0') {
        return false;
    }
    while (*text != '\0') {
        uint64_t number;
        if (!parse_number(&text, 5, &number)) {
            return false;
        }
        size_t letters = strspn(text, "hms");
        size_t i = 0;
        while (i < 4 &&
               !(strlen(units[i].unit) == letters && strncmp(units[i].unit, text, letters) == 0)) {
            i++;
        }
        if (i == 4) {
            return false;
        }
        sum += number * units[i].ms;
        text += letters;
    }
    *ret_ms = sum;
    return true;
}

/* Does `text` have the shape of `form`, where 0 stands for a digit? Moves behind it. */
static bool has_shape(const char **text, const char *form)
{
    size_t i = 0;
    for (; form[i] != '\0'; i++) {
        char c = (*text)[i];
        if (form[i] == '0' ? (c < '0' || c > '9') : c != form[i]) {
            return false;
        }
    }
    *text += i;
    return true;
}

bool text_is_date_time(const char *text)
{
    const char *p = text;
    if (!has_shape(&p, "0000-00-00T00:00:00")) {
        return false;
    }
    int month;
    int day;
    int hour;
    int minute;
    int second;
    if (sscanf(text + 5, "%2d-%2dT%2d:%2d:%2d", &month, &day, &hour, &minute, &second) != 5 ||
        month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
        return false;
    }
    if (*p == '.') {
        size_t digits = strspn(p + 1, "0123456789");
        if (digits == 0) {
            return false;
        }
        p += 1 + digits;
    }
    return strcmp(p, "Z") == 0 || ((has_shape(&p, "+00:00") || has_shape(&p, "-00:00")) && !*p);
}
