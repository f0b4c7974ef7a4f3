/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a round programmed, drained in this order: connections that waited for memory, events and
 * accepts (their owners write), outputs (what they wrote goes out in the same round). Each list is
 * walked at most as far as its bound; what is left waits for the next round. What a callback
 * programs lands behind, so no callback can hold the loop.
 */
#include "base/assert.h"
#include "tcp/tcp_priv.h"
#include "tcp/trace.h"

void tcp_program_events(struct tcp_conn *c, unsigned events)
{
    ASSERT_HOT(events != 0 && events <= UINT8_MAX);
    ASSERT_HOT(c->state != TCP_FREE);
    c->events = (uint8_t)(c->events | events);
    if (!list_is_linked(&c->ready))
        list_push_back(&c->tcp->ready, &c->ready);
}

void tcp_program_output(struct tcp_conn *c)
{
    if (c->state <= TCP_CLOSED)
        return;
    if (c->flags & TCP_F_STARVED) {
        c->flags &= ~(uint32_t)TCP_F_STARVED;
        list_remove(&c->output);
    }
    if (!list_is_linked(&c->output))
        list_push_back(&c->tcp->outputs, &c->output);
}

void tcp_program_ack(struct tcp_conn *c)
{
    c->flags |= TCP_F_ACK_NOW;
    tcp_program_output(c);
}

/* Onto a list of those that wait. */
static void starve(struct tcp_conn *c, struct list_node *list)
{
    ASSERT_HOT(c->state > TCP_CLOSED);
    if (list_is_linked(&c->output))
        return; /* starved already, or it will be found out when its output is due */
    c->flags |= TCP_F_STARVED;
    list_push_back(list, &c->output);
}

void tcp_program_starved(struct tcp_conn *c)
{
    struct tcp *t = c->tcp;
    if (list_is_empty(&t->starved))
        t->starved_look_us = t->core->now_us + TCP_MBUFS_LOOK_US; /* not in this very moment */
    starve(c, &t->starved);
}

void tcp_program_waiting(struct tcp_conn *c)
{
    starve(c, &c->tcp->waiting);
}

/* Memory is there again: those that waited get another look. */
static unsigned wake_starved(struct tcp *t)
{
    unsigned n = 0;
    if (t->core->now_us < tcp_next_us(t))
        return 0;
    if (tcp_mbufs_are_short(t, t->config.mbufs_low)) {
        t->starved_look_us = t->core->now_us + TCP_STARVED_LOOK_US;
        return 0;
    }
    t->starved_look_us = t->core->now_us + TCP_MBUFS_LOOK_US;
    while (n < TCP_OUTPUTS_PER_POLL_MAX && !list_is_empty(&t->starved)) {
        struct tcp_conn *c = container_of(list_peek_front(&t->starved), struct tcp_conn, output);
        if (c->flags & TCP_F_WINDOW_SHORT)
            c->flags |= TCP_F_ACK_NOW; /* the window may be larger: tell */
        tcp_program_output(c);
        n++;
    }
    return n;
}

/* Hands a new connection to whoever listens; what came meanwhile is told right after. */
static void deliver_accept(struct tcp_conn *c, unsigned rest)
{
    struct tcp *t = c->tcp;
    ASSERT((c->flags & (TCP_F_OWNED | TCP_F_ACTIVE)) == 0);
    uint32_t bind = (uint32_t)(uintptr_t)c->stream.owner;
    c->stream.owner = NULL;
    c->flags |= TCP_F_OWNED;
    if (t->upcalls.accept(t->upcalls.owner, &c->stream, bind)) {
        stat_inc(t->core, STAT_tcp_accepts);
        if (rest != 0 && (c->flags & TCP_F_OWNED) != 0)
            tcp_program_events(c, rest);
        return;
    }
    stat_inc(t->core, STAT_tcp_accept_refused);
    ASSERT(c->flags & TCP_F_OWNED); /* refused is not released */
    c->flags &= ~(uint32_t)TCP_F_OWNED;
    c->events = 0;
    if (list_is_linked(&c->ready))
        list_remove(&c->ready);
    if (c->state != TCP_CLOSED)
        tcp_abort(c, STREAM_END_ABORTED);
    else
        tcp_program_events(c, TCP_EVENT_FREE);
}

/* What is unread is gone, and then the peer's end is not one that anybody read up to. */
static void drop_unread(struct tcp_conn *c)
{
    ASSERT(c->state == TCP_CLOSED);
    if (c->rcvq.bytes > 0)
        c->flags &= ~(uint32_t)TCP_F_FIN_RCVD;
    tcp_mbufq_clear(&c->rcvq, tcp_held(c, STAT_tcp_rcvq_mbufs_now));
}

/* Tells the owner. Nothing of `c` may be touched after the call: it may be released in it. */
static void deliver(struct tcp_conn *c, unsigned events)
{
    ASSERT(c->flags & TCP_F_OWNED);
    ASSERT(c->stream.on_event != NULL);
    if (events & STREAM_CLOSED) {
        ASSERT(c->state == TCP_CLOSED);
        if (c->end != STREAM_END_ORDERLY) {
            drop_unread(c);
            events = STREAM_CLOSED;
        } else if (c->rcvq.bytes > 0) {
            events &= ~(unsigned)STREAM_CLOSED; /* comes when all is consumed */
        }
    }
    if (events != 0)
        c->stream.on_event(&c->stream, events);
}

static void handle_one_ready(struct tcp_conn *c)
{
    struct tcp *t = c->tcp;
    unsigned events = c->events;
    c->events = 0;
    ASSERT_HOT(events != 0);
    if (events & TCP_EVENT_FREE) {
        tcp_conn_free(c);
        return;
    }
    bool is_traced = tcp_is_traced(t);
    if (is_traced)
        tcp_trace_step(c, TRACE_owner, events);
    if (events & TCP_EVENT_ACCEPT)
        deliver_accept(c, events & ~(unsigned)TCP_EVENT_ACCEPT);
    else
        deliver(c, events);
    if (is_traced)
        tcp_trace_end(t);
}

static unsigned handle_ready(struct tcp *t)
{
    unsigned n = 0;
    struct list_node *node;
    while (n < TCP_EVENTS_PER_POLL_MAX && (node = list_take_front(&t->ready)) != NULL) {
        handle_one_ready(container_of(node, struct tcp_conn, ready));
        n++;
    }
    return n;
}

static void output(struct tcp_conn *c)
{
    bool is_traced = tcp_is_traced(c->tcp);
    if (is_traced)
        tcp_trace_step(c, TRACE_POINTS, 0);
    tcp_output(c);
    if (is_traced)
        tcp_trace_end(c->tcp);
}

/* Those that were on the list when it began: a connection that programs itself again waits. */
static unsigned handle_outputs(struct tcp *t)
{
    struct list_node mark = {0};
    unsigned n = 0;
    list_push_back(&t->outputs, &mark);
    while (n < TCP_OUTPUTS_PER_POLL_MAX && list_peek_front(&t->outputs) != &mark) {
        struct list_node *node = list_take_front(&t->outputs);
        struct tcp_conn *c = container_of(node, struct tcp_conn, output);
        output(c);
        check_tcp_conn(c);
        n++;
    }
    list_remove(&mark);
    return n;
}

uint64_t tcp_next_us(const struct tcp *t)
{
    return list_is_empty(&t->starved) ? UINT64_MAX : t->starved_look_us;
}

unsigned tcp_poll(struct tcp *t)
{
    tcp_note_presence(t);
    unsigned n = tcp_memory_poll(t);
    n += wake_starved(t);
    n += handle_ready(t);
    if (t->upcalls.delivered != NULL)
        n += t->upcalls.delivered(t->upcalls.owner);
    n += handle_outputs(t);
    ASSERT_HOT(t->conns.used <= t->config.conns_max);
    return n;
}
