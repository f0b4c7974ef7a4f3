/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Soft errors (RFC 9293, 3.9.1.8, 3.9.2.2): what a connection meets and lives with. They end
 * nothing, because anybody can forge most of them (RFC 5927); but they are remembered until the
 * peer acknowledges something new, and name the end if it comes by silence.
 */
#include "base/assert.h"
#include "net/net.h"
#include "tcp/settings.h"
#include "tcp/tcp_priv.h"

/* Those since the last progress. */
static unsigned troubles_now(const struct tcp_conn *c)
{
    bool is_outlived = (int32_t)(c->progress_ms - tcp_rare_of(c)->trouble_ms) > 0;
    return is_outlived ? 0 : c->troubles & ~TCP_TROUBLES_ARE_WATCHED;
}

void tcp_note_trouble(struct tcp_conn *c, enum tcp_trouble what)
{
    ASSERT_HOT(c->state > TCP_CLOSED);
    ASSERT_HOT((what & TCP_TROUBLES_ARE_WATCHED) == 0);
    unsigned watched = c->troubles & TCP_TROUBLES_ARE_WATCHED;
    c->troubles = (uint8_t)(troubles_now(c) | (unsigned)what | watched);
    tcp_rare_of(c)->trouble_ms = tcp_now_ms(c->tcp);
    if (watched != 0 && (c->flags & TCP_F_OWNED) != 0)
        tcp_program_events(c, STREAM_TROUBLE);
}

void tcp_on_r1(struct tcp_conn *c)
{
    net_doubt(c->tcp->net, &c->tuple.remote);
    tcp_note_trouble(c, TCP_TROUBLE_SILENCE);
}

enum stream_end tcp_silent_end(const struct tcp_conn *c)
{
    return (troubles_now(c) & TCP_TROUBLE_UNREACHABLE) != 0 ? STREAM_END_UNREACHABLE
                                                            : STREAM_END_TIMEOUT;
}

void tcp_watch_troubles(struct stream *s, bool is_wanted)
{
    struct tcp_conn *c = tcp_conn_of(s);
    ASSERT(s->ops == &tcp_stream_ops);
    ASSERT((c->flags & TCP_F_OWNED) != 0);
    unsigned others = c->troubles & ~TCP_TROUBLES_ARE_WATCHED;
    c->troubles = (uint8_t)(others | (is_wanted ? TCP_TROUBLES_ARE_WATCHED : 0));
}

unsigned tcp_troubles(const struct stream *s)
{
    ASSERT(s->ops == &tcp_stream_ops);
    return troubles_now((const struct tcp_conn *)s);
}
