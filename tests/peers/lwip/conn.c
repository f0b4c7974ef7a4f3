/* SPDX-License-Identifier: Apache-2.0 */
/* See conn.h. */
#include "conn.h"

#include <lwip/api.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATTERN_BYTES 65536u
#define PATTERN_FACTOR 2654435761u

static uint8_t pattern_at(uint64_t i)
{
    uint32_t word = (uint32_t)(i % PATTERN_BYTES / 4) * PATTERN_FACTOR;
    return (uint8_t)(word >> (8 * (3 - i % 4)));
}

/* What can be read without waiting, after waiting for the first byte. False: nothing will come. */
static bool peek(struct conn *c, const uint8_t **ret_bytes, size_t *ret_n)
{
    while (c->pbuf != NULL && c->offset == c->pbuf->len) {
        struct pbuf *rest = c->pbuf->next;
        if (rest != NULL)
            pbuf_ref(rest); /* else it would go with the first of the chain */
        pbuf_free(c->pbuf);
        c->pbuf = rest;
        c->offset = 0;
    }
    if (c->pbuf == NULL) {
        c->offset = 0;
        if (netconn_recv_tcp_pbuf(c->netconn, &c->pbuf) != ERR_OK)
            return false;
    }
    *ret_bytes = (const uint8_t *)c->pbuf->payload + c->offset;
    *ret_n = c->pbuf->len - c->offset;
    return true;
}

/* A line without its end; false: none came, or it is too long. */
static bool read_line(struct conn *c, char line[CONN_LINE_BYTES])
{
    size_t n = 0;
    const uint8_t *bytes;
    size_t n_bytes;
    while (n < CONN_LINE_BYTES - 1 && peek(c, &bytes, &n_bytes)) {
        c->offset++;
        if (bytes[0] == '\n') {
            line[n > 0 && line[n - 1] == '\r' ? n - 1 : n] = '\0';
            return true;
        }
        line[n++] = (char)bytes[0];
    }
    return false;
}

bool conn_read_head(struct conn *c, struct head *ret)
{
    static const char length[] = "content-length:";
    static const char expect[] = "expect:";
    char line[CONN_LINE_BYTES];
    *ret = (struct head){0};
    if (!read_line(c, ret->start))
        return false;
    while (read_line(c, line)) {
        if (line[0] == '\0')
            return true;
        if (strncasecmp(line, length, sizeof(length) - 1) == 0)
            ret->length = strtoull(line + sizeof(length) - 1, NULL, 10);
        if (strncasecmp(line, expect, sizeof(expect) - 1) == 0)
            ret->expects_continue = true;
    }
    return false;
}

uint64_t conn_read_pattern(struct conn *c, uint64_t length, bool *ret_is_intact)
{
    uint64_t at = 0;
    bool is_intact = true;
    const uint8_t *bytes;
    size_t n;
    while (at < length && peek(c, &bytes, &n)) {
        for (size_t i = 0; i < n && at < length; i++, at++, c->offset++)
            is_intact = is_intact && bytes[i] == pattern_at(at);
    }
    *ret_is_intact = is_intact && at == length;
    return at;
}

size_t conn_read_text(struct conn *c, char *into, size_t max)
{
    size_t at = 0;
    const uint8_t *bytes;
    size_t n;
    while (at < max && peek(c, &bytes, &n)) {
        n = n < max - at ? n : max - at;
        memcpy(into + at, bytes, n);
        at += n;
        c->offset += n;
    }
    return at;
}

bool conn_write_text(struct conn *c, const char *text)
{
    return netconn_write(c->netconn, text, strlen(text), NETCONN_COPY) == ERR_OK;
}

bool conn_write_pattern(struct conn *c, uint64_t length)
{
    uint8_t piece[4096];
    for (uint64_t at = 0; at < length;) {
        size_t n = length - at < sizeof(piece) ? (size_t)(length - at) : sizeof(piece);
        for (size_t i = 0; i < n; i++)
            piece[i] = pattern_at(at + i);
        if (netconn_write(c->netconn, piece, n, NETCONN_COPY) != ERR_OK)
            return false;
        at += n;
    }
    return true;
}

void conn_done(struct conn *c)
{
    if (c->pbuf != NULL)
        pbuf_free(c->pbuf);
    netconn_close(c->netconn);
    netconn_delete(c->netconn);
}
