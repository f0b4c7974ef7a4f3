/* SPDX-License-Identifier: Apache-2.0 */
/* A line of text a connection, for the person who asks why one is slow. */
#include "base/assert.h"
#include "tcp/tcp_priv.h"

#include <stdarg.h>
#include <stdio.h>

struct text {
    char *buf;
    size_t bytes;
    size_t used; /* without the NUL; used < bytes */
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->buf + t->used, t->bytes - t->used, format, args);
    va_end(args);
    ASSERT(n >= 0);
    t->used += (size_t)n < t->bytes - t->used ? (size_t)n : t->bytes - t->used - 1;
}

static void add_conn(struct text *t, const struct tcp_conn *c)
{
    char local[IP_ADDR_TEXT_MAX];
    char remote[IP_ADDR_TEXT_MAX];
    add(t, "%s %s %u %s %u", tcp_state_name(c->state), ip_addr_format(&c->tuple.local, local),
        c->tuple.local_port, ip_addr_format(&c->tuple.remote, remote), c->tuple.remote_port);
    add(t, " mss %u snd_wnd %u rcv_wnd %d sndq %u rcvq %u oooq %u", c->mss, c->snd_wnd,
        seq_diff(c->rcv_adv, c->rcv_nxt), c->sndq.bytes, c->rcvq.bytes, c->oooq.bytes);
    const struct tcp_sender *x = c->tx;
    if (x != NULL)
        add(t, " cwnd %u ssthresh %u flight %u lost %u sacked %u", x->cc.cwnd_bytes,
            x->cc.ssthresh_bytes, x->board.in_flight_bytes, x->board.lost_bytes,
            x->board.sacked_bytes);
    add(t, " srtt_us %u min_rtt_us %u rto_us %u backoff %u timer %u flags %x\n", c->rtt.srtt_us,
        c->rtt.min_us, c->rtt.rto_us, c->backoff, c->retransmit_kind, c->flags);
}

size_t tcp_dump(const struct tcp *t, char *buf, size_t bytes)
{
    ASSERT(bytes > 0);
    struct text text = {.buf = buf, .bytes = bytes};
    buf[0] = '\0';
    for (uint32_t i = 0; i < t->conns.capacity; i++) {
        const struct tcp_conn *c = pool_at(&t->conns, i);
        if (c->state != TCP_FREE)
            add_conn(&text, c);
    }
    return text.used;
}
