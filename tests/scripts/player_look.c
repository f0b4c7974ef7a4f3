/* SPDX-License-Identifier: Apache-2.0 */
/* What scripts look at: states, windows, events, ends, counters. */
#include "player.h"

#include "base/assert.h"
#include "base/container.h"
#include "tcp/sender.h"
#include "tcp/settings.h"
#include "tcp/tcp_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The connection of the present flow, held or not; NULL: there is none. */
static struct tcp_conn *find_conn(const struct player *p, bool *ret_is_timewait)
{
    struct tcp *t = stage_tcp(p->stage);
    struct flow_tuple tuple = {p->us, p->peer, p->flow->local_port, p->flow->remote_port};
    *ret_is_timewait = false;
    if (p->flow->stream != NULL)
        return tcp_conn_of(p->flow->stream);
    flow_entry_t e = flow_table_find(&t->table, flow_table_hash(&t->table, &tuple), &tuple);
    if (e.v == FLOW_ENTRY_NONE.v)
        return NULL;
    *ret_is_timewait = flow_entry_mark(e);
    return *ret_is_timewait ? NULL : tcp_conn_at(t, e);
}

static void check_state(struct player *p)
{
    bool is_timewait;
    const struct tcp_conn *c = find_conn(p, &is_timewait);
    const char *name = is_timewait ? "TIME_WAIT" : c == NULL ? "GONE" : tcp_state_name(c->state);
    if (strcmp(name, p->line->word) != 0)
        player_fail(p, "the state is %s", name);
}

static void check_value(struct player *p, const char *what, uint64_t is, uint64_t wanted)
{
    if (is != wanted)
        player_fail(p, "%s is %" PRIu64, what, is);
}

/* The congestion window; of a connection that does not send, the one that it would begin with. */
static uint32_t cwnd_bytes(const struct tcp_conn *c)
{
    uint32_t initial = tcp_cc_initial_window(c->mss);
    if (c->tx != NULL)
        return c->tx->cc.cwnd_bytes;
    return c->kept_cwnd_bytes < initial ? c->kept_cwnd_bytes : initial;
}

/* What congestion control says of itself; nothing of a connection that does not send. */
static struct tcp_cc_told told(const struct tcp_conn *c)
{
    return c->tx == NULL ? (struct tcp_cc_told){.phase = "none"} : c->tx->cc.ops->tell(&c->tx->cc);
}

/* What is looked at within a connection: its value, 0 of what it has not. */
static uint64_t inside(const struct tcp_conn *c, enum script_action what)
{
    switch (what) {
    case SCRIPT_CWND:
    case SCRIPT_CWND_BETWEEN:
        return cwnd_bytes(c);
    case SCRIPT_SSTHRESH:
        return c->tx == NULL ? c->kept_ssthresh_bytes : c->tx->cc.ssthresh_bytes;
    case SCRIPT_FLIGHT:
        return c->tx == NULL ? 0 : c->tx->board.in_flight_bytes;
    case SCRIPT_BANDWIDTH:
        return told(c).bandwidth_bytes_per_s;
    case SCRIPT_PACING:
        return told(c).pacing_bytes_per_s;
    case SCRIPT_MSS:
        return c->mss;
    default:
        ASSERT(what == SCRIPT_RTO);
        return tcp_rtt_timeout_us(&c->rtt, 0);
    }
}

static void check_inside(struct player *p)
{
    bool is_timewait;
    const struct script_line *l = p->line;
    const struct tcp_conn *c = find_conn(p, &is_timewait);
    if (c == NULL) {
        player_fail(p, "there is no connection");
        return;
    }
    uint64_t is = inside(c, l->action);
    bool is_range = l->action == SCRIPT_CWND_BETWEEN || l->action == SCRIPT_BANDWIDTH ||
                    l->action == SCRIPT_PACING;
    uint64_t until = is_range ? l->args[1] : l->args[0];
    if (is < l->args[0] || is > until)
        player_fail(p, "it is %" PRIu64, is);
}

/* Which algorithm it has, or what that says it does. */
static void check_congestion(struct player *p)
{
    bool is_timewait;
    const struct tcp_conn *c = find_conn(p, &is_timewait);
    if (c == NULL) {
        player_fail(p, "there is no connection");
        return;
    }
    const char *is = p->line->action == SCRIPT_PHASE
                         ? told(c).phase
                         : tcp_congestion_ops(tcp_congestion_of(c))->name;
    if (strcmp(is, p->line->word) != 0)
        player_fail(p, "it is %s", is);
}

static void check_counter(struct player *p)
{
    for (unsigned id = 0; id < STAT_COUNT; id++) {
        if (strcmp(stat_name(id), p->line->word) != 0)
            continue;
        uint64_t now = stage_core(p->stage)->stats->counters[id];
        check_value(p, p->line->word, now - p->counters[id], p->line->args[1]);
        return;
    }
    player_fail(p, "there is no counter of this name");
}

/* "readable+writable" -> the set. */
static bool read_events(const char *word, unsigned *ret)
{
    static const struct {
        const char *name;
        unsigned bit;
    } names[] = {{"readable", STREAM_READABLE},
                 {"writable", STREAM_WRITABLE},
                 {"closed", STREAM_CLOSED},
                 {"urgent", STREAM_URGENT},
                 {"none", 0}};
    char text[64];
    *ret = 0;
    snprintf(text, sizeof(text), "%s", word);
    for (char *save, *w = strtok_r(text, "+", &save); w != NULL; w = strtok_r(NULL, "+", &save)) {
        unsigned i = 0;
        while (i < array_len(names) && strcmp(names[i].name, w) != 0)
            i++;
        if (i == array_len(names))
            return false;
        *ret |= names[i].bit;
    }
    return true;
}

static void check_events(struct player *p)
{
    unsigned wanted;
    struct flow *f = p->flow;
    if (!read_events(p->line->word, &wanted))
        player_fail(p, "events are readable, writable, closed, urgent, or none");
    else if (f->events != wanted)
        player_fail(p, "the events were:%s%s%s%s", f->events & STREAM_READABLE ? " readable" : "",
                    f->events & STREAM_WRITABLE ? " writable" : "",
                    f->events & STREAM_CLOSED ? " closed" : "",
                    f->events & STREAM_URGENT ? " urgent" : "");
    f->events = 0;
}

static void check_end(struct player *p, const struct stream *s)
{
    const char *name = stream_end_name(stream_end(s));
    if (strcmp(name, p->line->word) != 0)
        player_fail(p, "it ended by %s", name);
    else if (!p->flow->is_told_of_end && stream_end(s) != STREAM_END_OPEN)
        player_fail(p, "the owner was not told of the end");
}

/* What is looked at of the stream that the script holds. */
static void check_stream(struct player *p)
{
    const struct stream *s = p->flow->stream;
    if (s == NULL || p->flow->is_waiting)
        player_fail(p, "the script holds no connection of flow %s", p->flow->name);
    else if (p->line->action == SCRIPT_READABLE)
        check_value(p, "what is unread", stream_readable(s), p->line->args[0]);
    else if (p->line->action == SCRIPT_EOF)
        check_value(p, "the end of the peer's bytes", stream_is_eof(s), true);
    else if (p->line->action == SCRIPT_URGENT_BYTES)
        check_value(p, "what is urgent", tcp_urgent_bytes(s), p->line->args[0]);
    else
        check_end(p, s);
}

bool player_look(struct player *p)
{
    switch (p->line->action) {
    case SCRIPT_STATE:
        check_state(p);
        return true;
    case SCRIPT_COUNTER:
        check_counter(p);
        return true;
    case SCRIPT_EVENTS:
        check_events(p);
        return true;
    case SCRIPT_ALGORITHM:
    case SCRIPT_PHASE:
        check_congestion(p);
        return true;
    case SCRIPT_CWND:
    case SCRIPT_CWND_BETWEEN:
    case SCRIPT_SSTHRESH:
    case SCRIPT_MSS:
    case SCRIPT_FLIGHT:
    case SCRIPT_RTO:
    case SCRIPT_BANDWIDTH:
    case SCRIPT_PACING:
        check_inside(p);
        return true;
    case SCRIPT_READABLE:
    case SCRIPT_EOF:
    case SCRIPT_URGENT_BYTES:
    case SCRIPT_END:
        check_stream(p);
        return true;
    default:
        return false;
    }
}
