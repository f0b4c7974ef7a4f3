/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's place in pool and table, from its making to its end. */
#include "base/assert.h"
#include "net/net_wire.h"
#include "tcp/tcp_priv.h"

static flow_entry_t entry_of(const struct tcp_conn *c)
{
    return flow_entry(pool_index(&c->tcp->conns, c), c->generation, false);
}

const struct flow_tuple *flow_entry_tuple(const void *owner, flow_entry_t e)
{
    const struct tcp *t = owner;
    uint32_t index = flow_entry_index(e);
    if (flow_entry_mark(e)) {
        ASSERT_HOT(index < t->timewaits.capacity);
        return &t->timewaits.ring[index].tuple;
    }
    return &tcp_conn_at(t, e)->tuple;
}

struct tcp_conn *tcp_conn_at(const struct tcp *t, flow_entry_t e)
{
    ASSERT_HOT(!flow_entry_mark(e));
    struct tcp_conn *c = pool_at(&t->conns, flow_entry_index(e));
    ASSERT_HOT(flow_entry_generation(e) == (c->generation & FLOW_ENTRY_GENERATION_MASK));
    ASSERT_HOT(c->state > TCP_CLOSED);
    return c;
}

struct tcp_conn *tcp_conn_new(struct tcp *t, const struct flow_tuple *tuple,
                              bool *ret_is_table_full)
{
    struct tcp_conn *c = pool_get(&t->conns);
    if (c == NULL) {
        *ret_is_table_full = false;
        return NULL;
    }
    uint8_t generation = (uint8_t)(c->generation + 1);
    uint64_t secret = tcp_flow_secret(&t->core->hash_key, tuple);
    *c = (struct tcp_conn){
        .stream = {.ops = &tcp_stream_ops},
        .tcp = t,
        .tuple = *tuple,
        .generation = generation,
        .state = TCP_CLOSED,
        .timer = {.on_expire = tcp_conn_on_timer},
        .last_rx_ms = tcp_now_ms(t),
        .progress_ms = tcp_now_ms(t),
        .created_ms = tcp_now_ms(t),
        .challenge_ms = tcp_now_ms(t) - TCP_CHALLENGE_INTERVAL_MS,
        .ts_offset = tcp_ts_offset(secret),
        .flow_label = tcp_flow_label(secret) & IP6_FLOW_LABEL_MAX,
        .kept_cwnd_bytes = TCP_CWND_BYTES_MAX,
        .kept_ssthresh_bytes = TCP_CWND_BYTES_MAX,
    };
    *tcp_rare_of(c) = (struct tcp_rare){.keepalive_ms = t->config.keepalive_ms,
                                        .user_timeout_ms = TCP_USER_TIMEOUT_MS};
    tcp_rtt_init(&c->rtt);
    if (!flow_table_insert(&t->table, flow_table_hash(&t->table, tuple), entry_of(c))) {
        c->state = TCP_FREE;
        pool_put(&t->conns, c);
        *ret_is_table_full = true;
        return NULL;
    }
    t->core->stats->counters[STAT_tcp_conns_now] = t->conns.used;
    return c;
}

void tcp_conn_set_state(struct tcp_conn *c, enum tcp_state state)
{
    struct tcp *t = c->tcp;
    bool was_half_open = c->state == TCP_SYN_RCVD && (c->flags & TCP_F_ACTIVE) == 0;
    bool is_half_open = state == TCP_SYN_RCVD && (c->flags & TCP_F_ACTIVE) == 0;
    if (was_half_open != is_half_open)
        tcp_count_half_open(t, &c->tuple, is_half_open ? 1 : -1);
    c->state = (uint8_t)state;
}

/* Lets go of everything that is for sending and for reordering. */
static void drop_queues(struct tcp_conn *c)
{
    tcp_mbufq_clear(&c->sndq, tcp_held(c, STAT_tcp_sndq_mbufs_now));
    tcp_reasm_clear(c);
    tcp_sender_put(c);
}

/* What both kinds of end share. */
static void finish(struct tcp_conn *c, enum stream_end end)
{
    struct tcp *t = c->tcp;
    ASSERT(end > STREAM_END_OPEN && end <= STREAM_END_NO_RESOURCES);
    ASSERT(c->state > TCP_CLOSED);
    static_assert(STAT_tcp_end_no_resources - STAT_tcp_end_orderly ==
                      STREAM_END_NO_RESOURCES - STREAM_END_ORDERLY,
                  "counters in the order of the list");
    stat_inc(t->core, (enum stat_id)(STAT_tcp_end_orderly + (end - STREAM_END_ORDERLY)));
    tcp_conn_set_state(c, TCP_CLOSED);
    c->end = (uint8_t)end;
    wheel_disarm(&t->core->wheel, &c->timer);
    for (unsigned i = 0; i < TCP_DEADLINES; i++)
        c->deadline_us[i] = 0;
    if (list_is_linked(&c->output))
        list_remove(&c->output);
    drop_queues(c);
    c->flags &= ~(uint32_t)(TCP_F_STARVED | TCP_F_WANT_WRITE | TCP_F_ACK_NOW | TCP_F_SEND_SYN);
    if (c->flags & TCP_F_OWNED) {
        tcp_program_events(c, STREAM_CLOSED);
        return;
    }
    c->events &= (uint8_t)~TCP_EVENT_ACCEPT;
    tcp_program_events(c, TCP_EVENT_FREE);
}

void tcp_conn_end(struct tcp_conn *c, enum stream_end end)
{
    struct tcp *t = c->tcp;
    ASSERT(c->state > TCP_CLOSED);
    flow_table_remove(&t->table, flow_table_hash(&t->table, &c->tuple), entry_of(c));
    finish(c, end);
}

void tcp_conn_end_in_timewait(struct tcp_conn *c)
{
    ASSERT(c->flags & TCP_F_FIN_RCVD);
    ASSERT(seq_eq(c->snd_una, c->snd_nxt));
    tcp_timewait_enter(c->tcp, c, entry_of(c));
    finish(c, STREAM_END_ORDERLY);
}

void tcp_conn_free(struct tcp_conn *c)
{
    struct tcp *t = c->tcp;
    ASSERT(c->state == TCP_CLOSED);
    ASSERT(!wheel_timer_is_armed(&c->timer) && !list_is_linked(&c->output));
    if (list_is_linked(&c->ready))
        list_remove(&c->ready);
    tcp_mbufq_clear(&c->rcvq, tcp_held(c, STAT_tcp_rcvq_mbufs_now));
    if ((c->flags & TCP_F_ACTIVE) == 0)
        t->passives--;
    c->state = TCP_FREE;
    pool_put(&t->conns, c);
    t->core->stats->counters[STAT_tcp_conns_now] = t->conns.used;
}
