/* SPDX-License-Identifier: Apache-2.0 */
/* Knobs of a connection, and the urgent pointers of both directions. */
#include "tcp/settings.h"

#include "base/assert.h"
#include "tcp/tcp_priv.h"

/* The connection behind a stream whose owner calls. */
static struct tcp_conn *owned(struct stream *s)
{
    struct tcp_conn *c = tcp_conn_of(s);
    ASSERT(s->ops == &tcp_stream_ops);
    ASSERT((c->flags & TCP_F_OWNED) != 0);
    return c;
}

void tcp_set_keepalive(struct stream *s, uint32_t idle_ms)
{
    struct tcp_conn *c = owned(s);
    tcp_rare_of(c)->keepalive_ms = idle_ms;
    c->probes = c->state >= TCP_ESTABLISHED ? 0 : c->probes;
    if (c->state >= TCP_ESTABLISHED)
        tcp_arm_wait(c);
}

void tcp_set_user_timeout(struct stream *s, uint32_t timeout_ms)
{
    ASSERT(timeout_ms > 0);
    tcp_rare_of(owned(s))->user_timeout_ms = timeout_ms;
}

void tcp_set_tos(struct stream *s, uint8_t tos)
{
    owned(s)->tos = tos & (uint8_t)~3u; /* the rest is ECN's */
}

void tcp_write_urgent(struct stream *s)
{
    struct tcp_conn *c = owned(s);
    if (c->state <= TCP_CLOSED || seq_eq(c->snd_end, c->snd_una))
        return;
    tcp_rare_of(c)->snd_up = c->snd_end;
    c->flags |= TCP_F_URGENT_OUT;
    tcp_program_output(c);
}

uint16_t tcp_urgent_field(struct tcp_conn *c, seq_t seq)
{
    seq_t up = tcp_rare_of(c)->snd_up;
    ASSERT_HOT(c->flags & TCP_F_URGENT_OUT);
    if (seq_ge(c->snd_una, up))
        c->flags &= ~(uint32_t)TCP_F_URGENT_OUT; /* the peer has it all */
    int32_t ahead = seq_diff(up, seq);
    if (ahead <= 0)
        return 0;
    return ahead > UINT16_MAX ? UINT16_MAX : (uint16_t)ahead;
}

/* The number of the next byte that the owner will read. */
static seq_t next_unread(const struct tcp_conn *c)
{
    uint32_t has_fin = (c->flags & TCP_F_FIN_RCVD) != 0;
    return (seq_t){c->rcv_nxt.v - has_fin - c->rcvq.bytes};
}

void tcp_urgent_input(struct tcp_conn *c, seq_t up)
{
    struct tcp_rare *r = tcp_rare_of(c);
    bool is_known = (c->flags & TCP_F_URGENT_IN) != 0;
    if (seq_le(up, next_unread(c)) || (is_known && seq_le(up, r->rcv_up)))
        return;
    r->rcv_up = up;
    c->flags |= TCP_F_URGENT_IN;
    ASSERT_HOT(seq_gt(r->rcv_up, next_unread(c)));
    if ((c->flags & (TCP_F_OWNED | TCP_F_URGENT_WATCH)) == (TCP_F_OWNED | TCP_F_URGENT_WATCH))
        tcp_program_events(c, STREAM_URGENT);
}

void tcp_watch_urgent(struct stream *s)
{
    struct tcp_conn *c = owned(s);
    c->flags |= TCP_F_URGENT_WATCH;
    if (c->state > TCP_CLOSED && tcp_urgent_bytes(s) > 0)
        tcp_program_events(c, STREAM_URGENT); /* it came before anybody watched */
}

uint32_t tcp_urgent_bytes(const struct stream *s)
{
    const struct tcp_conn *c = (const struct tcp_conn *)s;
    ASSERT(s->ops == &tcp_stream_ops);
    if ((c->flags & TCP_F_URGENT_IN) == 0)
        return 0;
    int32_t ahead = seq_diff(tcp_rare_of(c)->rcv_up, next_unread(c));
    return ahead > 0 ? (uint32_t)ahead : 0;
}
