/* SPDX-License-Identifier: Apache-2.0 */
/* What the owner of a connection does and is told. What is looked at is player_look.c. */
#include "player.h"

#include "base/assert.h"
#include "base/container.h"
#include "tcp/settings.h"
#include "tcp/tcp_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool on_listen(void *owner, const struct ip_addr *local, uint16_t port,
                      struct tcp_listening *ret)
{
    const struct player *p = owner;
    ret->bind = 7;
    ret->congestion = p->congestion;
    return p->is_listening && port == 80;
}

static void on_event(struct stream *s, unsigned events)
{
    struct flow *f = s->owner;
    ASSERT(f->stream == s);
    f->events |= events;
    f->is_told_of_end |= (events & STREAM_CLOSED) != 0;
}

static bool on_accept(void *owner, struct stream *s, uint32_t bind)
{
    struct player *p = owner;
    struct stream_addrs addrs;
    stream_addrs(s, &addrs);
    if (p->is_refusing)
        return false;
    for (unsigned i = 0; i < p->n_flows; i++) {
        struct flow *f = &p->flows[i];
        if (f->remote_port != addrs.remote_port || f->stream != NULL)
            continue;
        s->on_event = on_event;
        s->owner = f;
        f->stream = s;
        f->is_waiting = true;
        return true;
    }
    return false;
}

void player_upcalls(struct player *p, struct tcp_upcalls *ret)
{
    *ret = (struct tcp_upcalls){.listen = on_listen, .accept = on_accept, .owner = p};
}

/* The stream that the script holds; NULL: failed. */
static struct stream *held(struct player *p)
{
    if (p->flow->stream == NULL || p->flow->is_waiting)
        player_fail(p, "the script holds no connection of flow %s", p->flow->name);
    return p->is_failed ? NULL : p->flow->stream;
}

/* Writes the stream's next bytes; `taken` of them must be taken. */
static void do_write(struct player *p, struct stream *s, uint32_t bytes, uint32_t taken)
{
    uint8_t *text = malloc(bytes + 1);
    ASSERT(text != NULL);
    for (uint32_t i = 0; i < bytes; i++)
        text[i] = flow_byte(1 + p->flow->written + i);
    struct slice v[2] = {slice_of(text, bytes / 3), slice_of(text + bytes / 3, bytes - bytes / 3)};
    size_t n = stream_write(s, v, 2);
    free(text);
    p->flow->written += (uint32_t)n;
    if (n != taken)
        player_fail(p, "%zu bytes were taken", n);
}

static void do_read(struct player *p, struct stream *s, uint32_t bytes)
{
    struct slice v;
    uint32_t left = bytes;
    while (left > 0 && stream_peek(s, &v, 1) == 1) {
        uint32_t n = v.len < left ? (uint32_t)v.len : left;
        for (uint32_t i = 0; i < n; i++) {
            if (v.ptr[i] != flow_byte(1 + p->flow->read + i))
                player_fail(p, "byte %u is not the stream's", 1 + p->flow->read + i);
        }
        stream_consume(s, n);
        p->flow->read += n;
        left -= n;
    }
    if (left > 0)
        player_fail(p, "only %u bytes were there", bytes - left);
}

static void do_accept(struct player *p)
{
    if (!p->flow->is_waiting)
        player_fail(p, "the stack has accepted no connection of flow %s", p->flow->name);
    p->flow->is_waiting = false;
}

static void do_connect(struct player *p)
{
    struct flow *f = p->flow;
    struct tcp_open_args args = {.remote = p->peer, .remote_port = f->remote_port};
    struct stream_addrs addrs;
    struct stream *s;
    args.connect_timeout_ms = (uint32_t)(p->line->args[0] / 1000);
    args.congestion = p->congestion;
    enum tcp_open_fault fault = tcp_open(stage_tcp(p->stage), &args, &s);
    if (fault != TCP_OPEN_OK) {
        player_fail(p, "the open was refused: fault %d", fault);
        return;
    }
    s->on_event = on_event;
    s->owner = f;
    f->stream = s;
    stream_addrs(s, &addrs);
    f->local_port = addrs.local_port;
}

static void do_congestion(struct player *p)
{
    bool is_bbr = strcmp(p->line->word, "bbr") == 0;
    if (!is_bbr && strcmp(p->line->word, "cubic") != 0)
        player_fail(p, "congestion control is cubic or bbr");
    p->congestion = is_bbr ? TCP_CONGESTION_BBR : TCP_CONGESTION_CUBIC;
}

/* The lines that follow are about this flow; a new name is a new one. */
static void do_flow(struct player *p)
{
    for (unsigned i = 0; i < p->n_flows; i++) {
        if (strcmp(p->flows[i].name, p->line->word) == 0) {
            p->flow = &p->flows[i];
            return;
        }
    }
    if (p->n_flows == PLAYER_FLOWS_MAX) {
        player_fail(p, "there are too many flows");
        return;
    }
    p->flow = &p->flows[p->n_flows];
    *p->flow = (struct flow){.local_port = 80,
                             .remote_port = (uint16_t)(40000 + p->n_flows++),
                             .peer_base = p->variant->peer_iss,
                             .ts_shift = p->variant->ts_shift};
    snprintf(p->flow->name, sizeof(p->flow->name), "%.15s", p->line->word);
}

static void do_release(struct flow *f)
{
    stream_release(f->stream);
    f->stream = NULL;
    f->is_waiting = false;
}

/* Actions that need no connection. True: it was one. */
static bool act_alone(struct player *p)
{
    switch (p->line->action) {
    case SCRIPT_LISTEN:
        p->is_listening = true;
        return true;
    case SCRIPT_DEAF:
        p->is_listening = false;
        return true;
    case SCRIPT_REFUSE:
        p->is_refusing = true;
        return true;
    case SCRIPT_CONGESTION:
        do_congestion(p);
        return true;
    case SCRIPT_ACCEPT:
        do_accept(p);
        return true;
    case SCRIPT_CONNECT:
    case SCRIPT_CONNECT_WITHIN:
        do_connect(p);
        return true;
    case SCRIPT_FLOW:
        do_flow(p);
        return true;
    case SCRIPT_REBORN:
        flow_reborn(p->flow, (uint32_t)p->line->args[0]);
        return true;
    case SCRIPT_QUIET:
        return true;
    default:
        return false;
    }
}

/* Actions on the connection that the script holds. */
static void act_on(struct player *p, struct stream *s)
{
    uint32_t n = (uint32_t)p->line->args[0];
    switch (p->line->action) {
    case SCRIPT_WRITE:
        do_write(p, s, n, n);
        break;
    case SCRIPT_WRITE_PART:
        do_write(p, s, n, (uint32_t)p->line->args[1]);
        break;
    case SCRIPT_WRITE_URGENT:
        do_write(p, s, n, n);
        tcp_write_urgent(s);
        break;
    case SCRIPT_READ:
        do_read(p, s, n);
        break;
    case SCRIPT_SHUTDOWN:
        stream_shutdown(s);
        break;
    case SCRIPT_CLOSE:
        do_release(p->flow);
        break;
    case SCRIPT_ABORT:
        stream_abort(s);
        break;
    case SCRIPT_WATCH_URGENT:
        tcp_watch_urgent(s);
        break;
    case SCRIPT_KEEPALIVE:
        tcp_set_keepalive(s, n / 1000);
        break;
    case SCRIPT_USER_TIMEOUT:
        tcp_set_user_timeout(s, n / 1000);
        break;
    case SCRIPT_TOS:
        tcp_set_tos(s, (uint8_t)n);
        break;
    default:
        ASSERT(!"an action of neither kind");
    }
}

void player_act(struct player *p)
{
    if (act_alone(p) || player_look(p))
        return;
    struct stream *s = held(p);
    if (s != NULL)
        act_on(p, s);
}

void player_release(struct player *p)
{
    for (unsigned i = 0; i < p->n_flows; i++) {
        if (p->flows[i].stream == NULL)
            continue;
        stream_abort(p->flows[i].stream);
        do_release(&p->flows[i]);
    }
    stage_run(p->stage);
    while (stage_peek(p->stage) != NULL)
        stage_drop(p->stage);
}
