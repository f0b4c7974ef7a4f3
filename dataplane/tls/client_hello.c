/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ClientHello read where it lies. Two layers: a message is the bytes of its records one behind
 * the other, and within it every vector is a part of the one around it, which has to end exactly
 * where that says. What leads out of its part marks it as wrong and reads as zeros, so one look at
 * the end is enough.
 */
#include "tls/client_hello.h"

#include "base/assert.h"

#define RECORD_HEAD_BYTES 5u
#define RECORD_BYTES_MAX 16384u /* of what a record holds: RFC 8446, section 5.1 */
#define MESSAGE_HEAD_BYTES 4u
#define LABEL_BYTES_MAX 63u /* of a host name: RFC 1035, section 2.3.4 */

enum {
    RECORD_HANDSHAKE = 22,
    MESSAGE_CLIENT_HELLO = 1,
    EXTENSION_SERVER_NAME = 0,
    NAME_HOST = 0,
};

/* The bytes of the connection. */
struct wire {
    const struct slice *v;
    unsigned n;
    unsigned piece;
    size_t at; /* within the piece */
};

/* Of a message what is left of the record that is being read. */
struct message {
    struct wire wire;
    uint32_t record_left;
};

/* A vector, or all of the message. */
struct part {
    struct message *message;
    uint32_t left;
    bool is_wrong; /* something led out of it */
};

static size_t total(const struct slice *v, unsigned n)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < n; i++)
        bytes += v[i].len;
    return bytes;
}

static void wire_skip(struct wire *w, size_t bytes)
{
    while (w->piece < w->n && bytes >= w->v[w->piece].len - w->at) {
        bytes -= w->v[w->piece].len - w->at;
        w->at = 0;
        w->piece++;
    }
    w->at += bytes;
}

static uint8_t wire_take(struct wire *w)
{
    while (w->piece < w->n && w->at == w->v[w->piece].len) {
        w->at = 0;
        w->piece++;
    }
    ASSERT(w->piece < w->n);
    return w->v[w->piece].ptr[w->at++];
}

static uint32_t wire_take16(struct wire *w)
{
    uint32_t high = wire_take(w);
    return high << 8 | wire_take(w);
}

/* All its records are there. */
static uint8_t message_take(struct message *m)
{
    if (m->record_left == 0) {
        wire_skip(&m->wire, RECORD_HEAD_BYTES - 2);
        m->record_left = wire_take16(&m->wire);
    }
    ASSERT(m->record_left > 0);
    m->record_left--;
    return wire_take(&m->wire);
}

static uint32_t take8(struct part *p)
{
    if (p->left == 0) {
        p->is_wrong = true;
        return 0;
    }
    p->left--;
    return message_take(p->message);
}

static uint32_t take16(struct part *p)
{
    uint32_t high = take8(p);
    return high << 8 | take8(p);
}

static void skip(struct part *p, uint32_t bytes)
{
    if (bytes > p->left) {
        p->is_wrong = true;
        bytes = p->left;
    }
    for (uint32_t i = 0; i < bytes; i++)
        take8(p);
}

/* The next `bytes` of it, to be read to their end before the rest is. */
static struct part part_of(struct part *p, uint32_t bytes)
{
    if (bytes > p->left) {
        p->is_wrong = true;
        bytes = 0;
    }
    p->left -= bytes;
    return (struct part){.message = p->message, .left = bytes};
}

/* Labels of letters, digits, hyphens and, as some write them, underscores; no dot at the end. */
static bool is_host_name(const char *name, uint32_t len)
{
    uint32_t label = 0;
    for (uint32_t i = 0; i < len; i++) {
        char c = name[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (c == '.' ? label == 0 : !is_letter && c != '-' && c != '_')
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > LABEL_BYTES_MAX)
            return false;
    }
    return label > 0;
}

/* RFC 6066, section 3: a list, in which no two are of one type; there is one type. */
static enum client_hello read_server_name(struct part *extension, struct client_hello_told *ret)
{
    struct part list = part_of(extension, take16(extension));
    if (extension->is_wrong || extension->left > 0)
        return CLIENT_HELLO_length;
    uint32_t type = take8(&list);
    struct part name = part_of(&list, take16(&list));
    if (list.is_wrong)
        return CLIENT_HELLO_length;
    if (list.left > 0)
        return CLIENT_HELLO_twice;
    if (type != NAME_HOST || name.left > CLIENT_HELLO_NAME_BYTES_MAX)
        return CLIENT_HELLO_name;
    uint32_t len = name.left;
    for (uint32_t i = 0; i < len; i++)
        ret->server_name[i] = (char)ascii_lower((uint8_t)take8(&name));
    return is_host_name(ret->server_name, len) ? CLIENT_HELLO_whole : CLIENT_HELLO_name;
}

static enum client_hello read_extensions(struct part *block, struct client_hello_told *ret)
{
    bool has_name = false;
    while (block->left > 0) {
        uint32_t type = take16(block);
        struct part extension = part_of(block, take16(block));
        if (block->is_wrong)
            return CLIENT_HELLO_length;
        if (type != EXTENSION_SERVER_NAME) {
            skip(&extension, extension.left);
            continue;
        }
        if (has_name)
            return CLIENT_HELLO_twice;
        has_name = true;
        enum client_hello r = read_server_name(&extension, ret);
        if (r != CLIENT_HELLO_whole)
            return r;
    }
    return CLIENT_HELLO_whole;
}

/* RFC 8446, section 4.1.2. */
static enum client_hello read_body(struct part *body, struct client_hello_told *ret)
{
    skip(body, 2 + 32); /* version, random */
    uint32_t session = take8(body);
    skip(body, session);
    uint32_t suites = take16(body);
    skip(body, suites);
    uint32_t compressions = take8(body);
    skip(body, compressions);
    bool is_right = session <= 32 && suites >= 2 && suites % 2 == 0 && compressions >= 1;
    if (body->is_wrong || !is_right)
        return CLIENT_HELLO_length;
    if (body->left == 0) /* as before there were extensions */
        return CLIENT_HELLO_whole;
    struct part block = part_of(body, take16(body));
    if (body->is_wrong || body->left > 0)
        return CLIENT_HELLO_length;
    return read_extensions(&block, ret);
}

/* The record at progress->at: its head, as far as it is there, and whether all of it is. */
static enum client_hello take_record(struct client_hello_progress *p, struct wire w, size_t left)
{
    enum client_hello otherwise = p->at == 0 ? CLIENT_HELLO_foreign : CLIENT_HELLO_record;
    if (left >= 1 && wire_take(&w) != RECORD_HANDSHAKE)
        return otherwise;
    if (left >= 2 && wire_take(&w) != 3) /* of all versions from SSL 3 to TLS 1.3 */
        return otherwise;
    if (left < RECORD_HEAD_BYTES)
        return CLIENT_HELLO_partial;
    wire_take(&w);
    uint32_t bytes = wire_take16(&w);
    if (bytes == 0 || bytes > RECORD_BYTES_MAX)
        return CLIENT_HELLO_record;
    if (p->at + RECORD_HEAD_BYTES + bytes > CLIENT_HELLO_WIRE_BYTES_MAX)
        return CLIENT_HELLO_long;
    if (left < RECORD_HEAD_BYTES + bytes)
        return CLIENT_HELLO_partial;
    p->at += RECORD_HEAD_BYTES + bytes;
    p->gathered += bytes;
    return CLIENT_HELLO_whole;
}

/* There are `bytes_there` of the message: its head, if it has not been read. */
static enum client_hello read_head(struct client_hello_progress *p, const struct slice *v,
                                   unsigned n, size_t bytes_there)
{
    struct message m = {.wire = {.v = v, .n = n}};
    if (p->message_bytes > 0 || bytes_there < MESSAGE_HEAD_BYTES)
        return CLIENT_HELLO_whole;
    if (message_take(&m) != MESSAGE_CLIENT_HELLO)
        return CLIENT_HELLO_message;
    uint32_t bytes = MESSAGE_HEAD_BYTES;
    bytes += (uint32_t)message_take(&m) << 16;
    bytes += (uint32_t)message_take(&m) << 8;
    bytes += message_take(&m);
    if (bytes > CLIENT_HELLO_BYTES_MAX)
        return CLIENT_HELLO_long;
    p->message_bytes = bytes;
    return CLIENT_HELLO_whole;
}

/* What is there of a record's content, which is not all of it. */
static size_t begun(enum client_hello record, size_t left)
{
    return record == CLIENT_HELLO_partial && left > RECORD_HEAD_BYTES ? left - RECORD_HEAD_BYTES
                                                                      : 0;
}

/* Records up to the message's end. */
static enum client_hello gather(struct client_hello_progress *p, const struct slice *v, unsigned n)
{
    struct wire w = {.v = v, .n = n};
    size_t bytes = total(v, n);
    ASSERT(bytes >= p->at);
    wire_skip(&w, p->at);
    while (p->message_bytes == 0 || p->gathered < p->message_bytes) {
        uint32_t from = p->at;
        enum client_hello record = take_record(p, w, bytes - p->at);
        if (record != CLIENT_HELLO_whole && record != CLIENT_HELLO_partial)
            return record;
        enum client_hello r = read_head(p, v, n, p->gathered + begun(record, bytes - p->at));
        if (r != CLIENT_HELLO_whole || record != CLIENT_HELLO_whole)
            return r != CLIENT_HELLO_whole ? r : record;
        wire_skip(&w, p->at - from);
    }
    return p->gathered == p->message_bytes ? CLIENT_HELLO_whole : CLIENT_HELLO_behind;
}

enum client_hello client_hello_read(struct client_hello_progress *progress, const struct slice *v,
                                    unsigned n, struct client_hello_told *ret)
{
    struct client_hello_told told = {.server_name = ""};
    enum client_hello r = gather(progress, v, n);
    if (r != CLIENT_HELLO_whole)
        return r;
    struct message m = {.wire = {.v = v, .n = n}};
    struct part body = {.message = &m, .left = progress->message_bytes};
    skip(&body, MESSAGE_HEAD_BYTES);
    r = read_body(&body, &told);
    if (r == CLIENT_HELLO_whole)
        *ret = told;
    return r;
}
