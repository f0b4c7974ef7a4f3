/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to listeners of DNS (RFC 1035, section 4.2.2): the name in the first message tells
 * where the whole connection goes, and until then nobody has taken a byte. So whoever asks for
 * names of several endpoints on one connection has all answered by the first one's. A first message
 * that no rule has is answered REFUSED, and one that cannot be read FORMERR; then the connection
 * ends.
 */
#include "dns/dns.h"

#include "base/assert.h"
#include "base/minmax.h"
#include "proxy/l4.h"
#include "route/route.h"

#include <string.h>

#define FRAME_BYTES 2u /* the length before each message */
#define PIECES_MAX 8u  /* a question is short, and TCP puts short segments behind each other */

/* The first bytes of the connection, as far as they matter. */
struct first {
    uint8_t bytes[FRAME_BYTES + DNS_QUESTION_BYTES_MAX];
    size_t len;
};

static void refuse(struct proxy_conn *c, enum stat_id why)
{
    stat_inc(c->proxy->core, why);
    proxy_conn_abort(c, STAT_proxy_conn_end_dns);
}

void dns_timeout(struct proxy_conn *c)
{
    refuse(c, STAT_proxy_dns_late);
}

static void read_first(struct stream *s, struct first *ret)
{
    struct slice pieces[PIECES_MAX];
    unsigned n = stream_peek(s, pieces, PIECES_MAX);
    ret->len = 0;
    for (unsigned i = 0; i < n; i++) {
        size_t bytes = (size_t)min64(pieces[i].len, sizeof(ret->bytes) - ret->len);
        memcpy(ret->bytes + ret->len, pieces[i].ptr, bytes);
        ret->len += bytes;
    }
}

/* As much of the first message as tells its question; 0: that is not here yet. */
static size_t message_bytes(const struct first *f)
{
    if (f->len < FRAME_BYTES)
        return 0;
    size_t whole = (size_t)(f->bytes[0] << 8 | f->bytes[1]);
    size_t wanted = whole < DNS_QUESTION_BYTES_MAX ? whole : DNS_QUESTION_BYTES_MAX;
    return f->len >= FRAME_BYTES + wanted ? wanted : 0;
}

/* Tells the client, and lets it go in good order. */
static void answer(struct proxy_conn *c, struct first *f, const struct dns_question *q,
                   enum dns_rcode rcode)
{
    struct stream *s = c->unheaded;
    size_t len = dns_refuse(f->bytes + FRAME_BYTES, q, rcode);
    f->bytes[0] = (uint8_t)(len >> 8);
    f->bytes[1] = (uint8_t)len;
    struct slice frame = slice_of(f->bytes, FRAME_BYTES + len);
    stream_consume(s, stream_readable(s)); /* else what was written would be lost in a reset */
    stream_write(s, &frame, 1);
    proxy_conn_let_go(c, STAT_proxy_conn_end_dns);
}

/* A query: it decides of the connection. */
static void go_on(struct proxy_conn *c, struct first *f, const struct dns_question *q)
{
    struct stream *s = c->unheaded;
    const struct image_view *v = c->proxy->image.view;
    struct route_result to;
    uint32_t bind;
    if (v == NULL || !proxy_conn_find_bind(c, v, &bind)) {
        refuse(c, STAT_proxy_dns_refused);
        return;
    }
    route_match_name(v, c->proxy->image.reader, bind, slice_of(q->path, q->path_bytes), q->method,
                     &to);
    if (to.outcome != ROUTE_OUTCOME_RULE) {
        stat_inc(c->proxy->core, STAT_proxy_dns_refused);
        answer(c, f, q, DNS_RCODE_REFUSED);
        return;
    }
    stat_inc(c->proxy->core, STAT_proxy_dns_whole);
    c->unheaded = NULL;
    c->is_dns = false;
    l4_begin(c, s, &to, "");
}

static void on_bytes(struct proxy_conn *c)
{
    struct first first;
    struct dns_question question;
    read_first(c->unheaded, &first);
    size_t len = message_bytes(&first);
    bool is_short =
        first.len >= FRAME_BYTES && first.bytes[0] == 0 && first.bytes[1] < DNS_HEADER_BYTES;
    if (len == 0 && !is_short) {
        if (stream_is_ended(c->unheaded)) /* what is unread is all that comes */
            refuse(c, STAT_proxy_dns_cut);
        return;
    }
    enum dns_fault fault = dns_question_read(first.bytes + FRAME_BYTES, len, &question);
    if (fault == DNS_FAULT_OK) {
        go_on(c, &first, &question);
    } else if (dns_fault_rcode(fault) != DNS_RCODE_NONE) {
        stat_inc(c->proxy->core, STAT_proxy_dns_malformed);
        answer(c, &first, &question, dns_fault_rcode(fault));
    } else {
        refuse(c, STAT_proxy_dns_malformed);
    }
}

static void on_stream(struct stream *s, unsigned events)
{
    struct proxy_conn *c = s->owner;
    ASSERT(c->unheaded == s && c->is_dns);
    if (!proxy_conn_has_left(c, events) && (events & STREAM_READABLE) != 0)
        on_bytes(c);
}

void dns_await(struct proxy_conn *c, struct stream *s)
{
    c->is_dns = true;
    proxy_conn_await(c, s, on_stream);
}
