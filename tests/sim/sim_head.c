/* SPDX-License-Identifier: Apache-2.0 */
/* Heads as the simulated clients and backends read them. Owner: the connection that embeds it. */
#include "sim_body.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum sim_in_status sim_head_read(struct sim_head *h, struct stream *s, size_t *bytes_left)
{
    struct slice v;
    while (*bytes_left > 0 && stream_peek(s, &v, 1) > 0 && v.len > 0) {
        size_t n = 0;
        bool is_whole = false;
        while (n < v.len && n < *bytes_left && !is_whole) {
            if (h->len == sizeof(h->text) - 1)
                return SIM_IN_BAD;
            h->text[h->len++] = (char)v.ptr[n++];
            is_whole = h->len >= 4 && memcmp(&h->text[h->len - 4], "\r\n\r\n", 4) == 0;
        }
        *bytes_left -= n;
        stream_consume(s, n);
        if (is_whole) {
            h->text[h->len] = '\0';
            return SIM_IN_DONE;
        }
    }
    return SIM_IN_MORE;
}

const char *sim_head_field(const struct sim_head *h, const char *name, size_t *ret_len)
{
    size_t name_len = strlen(name);
    for (const char *line = strstr(h->text, "\r\n"); line != NULL && line[2] != '\r';
         line = strstr(line + 2, "\r\n")) {
        const char *field = line + 2;
        if (strncasecmp(field, name, name_len) != 0 || field[name_len] != ':')
            continue;
        const char *value = field + name_len + 1;
        while (*value == ' ')
            value++;
        *ret_len = strcspn(value, "\r");
        return value;
    }
    return NULL;
}

long long sim_head_number(const struct sim_head *h, const char *name)
{
    size_t len;
    const char *value = sim_head_field(h, name, &len);
    if (value == NULL || len == 0 || strspn(value, "0123456789") != len)
        return -1;
    return atoll(value);
}

bool sim_head_has(const struct sim_head *h, const char *name, const char *value)
{
    size_t len;
    const char *found = sim_head_field(h, name, &len);
    return found != NULL && len == strlen(value) && strncasecmp(found, value, len) == 0;
}
