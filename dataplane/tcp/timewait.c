/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TIME_WAIT records. A peer's FIN that comes again is acknowledged and starts the wait anew (RFC
 * 9293, 3.10.7.4), but in its second half only: the record moves to the ring's end and leaves its
 * old place dead, so whoever repeats FINs must not be able to fill the ring with them.
 */
#include "tcp/timewait.h"

#include "base/assert.h"
#include "tcp/tcp_priv.h"

static uint64_t expires_us(const struct tcp *t, const struct tcp_timewait *w)
{
    int32_t left_ms = (int32_t)(w->expires_ms - tcp_now_ms(t));
    return left_ms <= 0 ? t->core->now_us : t->core->now_us + (uint64_t)left_ms * 1000;
}

/* The record is no more: out of the table. It stays in the ring until the head passes. */
static void kill_record(struct tcp *t, uint32_t index)
{
    struct tcp_timewait *w = &t->timewaits.ring[index];
    ASSERT(w->is_live);
    flow_table_remove(&t->table, flow_table_hash(&t->table, &w->tuple),
                      flow_entry(index, w->generation, true));
    w->is_live = false;
    t->timewaits.live--;
    t->core->stats->counters[STAT_tcp_timewait_now] = t->timewaits.live;
}

/* The oldest leaves the ring. */
static void drop_head(struct tcp *t)
{
    struct tcp_timewaits *all = &t->timewaits;
    ASSERT(all->count > 0);
    if (all->ring[all->head].is_live)
        kill_record(t, all->head);
    all->head = all->head + 1 == all->capacity ? 0 : all->head + 1;
    all->count--;
}

/* The ring's next free index; the oldest makes place if there is none. */
static uint32_t take_index(struct tcp *t)
{
    struct tcp_timewaits *all = &t->timewaits;
    if (all->count == all->capacity) {
        if (all->ring[all->head].is_live)
            stat_inc(t->core, STAT_tcp_timewait_evicted);
        drop_head(t);
    }
    uint32_t index = (uint32_t)(((uint64_t)all->head + all->count) % all->capacity);
    all->count++;
    return index;
}

/* Puts a record at the ring's end and into the table in the place of `old`. */
static void add_record(struct tcp *t, const struct tcp_timewait *record, flow_entry_t old)
{
    uint32_t index = take_index(t);
    struct tcp_timewait *w = &t->timewaits.ring[index];
    uint8_t generation = (uint8_t)(w->generation + 1);
    ASSERT(!w->is_live);
    *w = *record;
    w->generation = generation;
    w->is_live = true;
    w->expires_ms = tcp_now_ms(t) + TCP_TIMEWAIT_US_MAX / 1000;
    flow_table_replace(&t->table, flow_table_hash(&t->table, &w->tuple), old,
                       flow_entry(index, generation, true));
    t->timewaits.live++;
    t->core->stats->counters[STAT_tcp_timewait_now] = t->timewaits.live;
    if (!wheel_timer_is_armed(&t->timewaits.timer))
        wheel_arm(&t->core->wheel, &t->timewaits.timer,
                  expires_us(t, &t->timewaits.ring[t->timewaits.head]));
}

/* The wait begins anew. When the ring is full and this is the oldest, it stays as it is. */
static void restart(struct tcp *t, uint32_t index)
{
    struct tcp_timewaits *all = &t->timewaits;
    struct tcp_timewait *w = &all->ring[index];
    if ((int32_t)(w->expires_ms - tcp_now_ms(t)) > (int32_t)(TCP_TIMEWAIT_US_MAX / 2000) ||
        all->count == all->capacity)
        return;
    struct tcp_timewait record = *w;
    w->is_live = false;
    all->live--;
    add_record(t, &record, flow_entry(index, record.generation, true));
}

void tcp_timewait_enter(struct tcp *t, const struct tcp_conn *c, flow_entry_t old)
{
    uint32_t window = (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt) >> c->rcv_wscale;
    struct tcp_timewait record = {
        .tuple = c->tuple,
        .snd_nxt = c->snd_nxt,
        .rcv_nxt = c->rcv_nxt,
        .ts_recent = c->ts_recent,
        .ts_offset = c->ts_offset,
        .window = window > UINT16_MAX ? UINT16_MAX : (uint16_t)window,
        .has_timestamps = (c->flags & TCP_F_TIMESTAMPS) != 0,
    };
    add_record(t, &record, old);
    stat_inc(t->core, STAT_tcp_timewaits);
}

void tcp_timewait_on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct tcp *t = container_of(timer, struct tcp, timewaits.timer);
    struct tcp_timewaits *all = &t->timewaits;
    while (all->count > 0) {
        const struct tcp_timewait *w = &all->ring[all->head];
        if (w->is_live && (int32_t)(w->expires_ms - tcp_now_ms(t)) > 0)
            break;
        drop_head(t);
    }
    if (all->count > 0)
        wheel_arm(&t->core->wheel, timer, expires_us(t, &all->ring[all->head]));
}

/* RFC 6191 and RFC 9293, 3.6.1: is the SYN surely newer than all of the old connection? */
static bool may_take_over(const struct tcp_timewait *w, const struct tcp_segment *seg)
{
    if ((seg->flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
        return false;
    if (!w->has_timestamps && seg->options.has_timestamps)
        return true; /* RFC 6191, section 2, third bullet: whatever its number */
    if (w->has_timestamps && seg->options.has_timestamps)
        return (int32_t)(seg->options.ts_value - w->ts_recent) > 0 ||
               (seg->options.ts_value == w->ts_recent && seq_gt(seg->seq, w->rcv_nxt));
    return seq_gt(seg->seq, w->rcv_nxt);
}

bool tcp_timewait_input(struct tcp *t, uint32_t index, const struct tcp_segment *seg,
                        bool is_listening, seq_t *ret_iss)
{
    const struct tcp_timewait *w = &t->timewaits.ring[index];
    ASSERT_HOT(w->is_live);
    if (is_listening && may_take_over(w, seg)) {
        *ret_iss = seq_add(w->snd_nxt, UINT16_MAX + 2);
        stat_inc(t->core, STAT_tcp_timewait_reused);
        kill_record(t, index);
        return true;
    }
    stat_inc(t->core, STAT_tcp_rx_timewait);
    /* Pure acknowledgements are not answered: two records would talk forever. */
    if ((seg->flags & TCP_RST) != 0 || (seg->len == 0 && (seg->flags & (TCP_SYN | TCP_FIN)) == 0) ||
        !tcp_may_answer_stray(t))
        return false;
    struct tcp_options o = {
        .has_timestamps = w->has_timestamps,
        .ts_value = tcp_now_ms(t) + w->ts_offset,
        .ts_echo = w->ts_recent,
    };
    tcp_bare_send(t, &w->tuple, w->snd_nxt, w->rcv_nxt, TCP_ACK, w->window, &o);
    if (seg->flags & TCP_FIN)
        restart(t, index);
    return false;
}
