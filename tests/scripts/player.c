/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Line by line. Whatever the stack sends must be expected by the lines right behind what made it
 * send; time does not pass over a segment that no line expects.
 */
#include "player.h"

#include "base/assert.h"
#include "base/wheel.h"
#include "net/net_wire.h"
#include "tcp/tcp_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void player_log(struct player *p, const char *what, const char *text)
{
    if (p->n_log == PLAYER_LOG_LINES_MAX)
        return;
    uint64_t us = stage_now_us(p->stage) - p->start_us;
    snprintf(p->log[p->n_log++], sizeof(p->log[0]), "%4lu.%06lu %s %s", us / 1000000, us % 1000000,
             what, text);
}

void player_fail(struct player *p, const char *format, ...)
{
    va_list args;
    if (p->is_failed)
        return;
    p->is_failed = true;
    for (unsigned i = 0; i < p->n_log; i++)
        fprintf(script_errors, "    %s\n", p->log[i]);
    fprintf(script_errors, "%s:%u: (%s) %s\n  ", p->script->path, p->line->number, p->variant->name,
            p->line->text + strspn(p->line->text, " \t"));
    va_start(args, format);
    vfprintf(script_errors, format, args);
    va_end(args);
    fprintf(script_errors, "\n");
}

/* The flow that a segment of the stack belongs to; NULL: none. */
static struct flow *find_flow(struct player *p, const struct wire_ends *ends)
{
    if (!ip_addr_eq(&ends->src, &p->us) || !ip_addr_eq(&ends->dst, &p->peer))
        return NULL;
    for (unsigned i = 0; i < p->n_flows; i++) {
        if (p->flows[i].remote_port == ends->dst_port && p->flows[i].local_port == ends->src_port)
            return &p->flows[i];
    }
    return NULL;
}

/* The bytes must be those of the stream. */
static bool is_text_right(const struct script_segment *s, const uint8_t *payload)
{
    for (uint32_t i = 0; i < s->len; i++) {
        if (payload[i] != flow_byte(s->seq + i))
            return false;
    }
    return true;
}

/* Takes the oldest segment that the stack sent, in the script's words. False: failed. */
static bool take_sent(struct player *p, struct flow **ret_flow, struct script_segment *ret)
{
    const struct stage_packet *packet = stage_peek(p->stage);
    struct wire_ends ends;
    struct script_segment wire;
    const uint8_t *payload;
    char text[160];
    ASSERT(packet != NULL);
    const char *fault = wire_parse(packet->data, packet->bytes, &ends, &wire, &payload);
    struct flow *f = fault == NULL ? find_flow(p, &ends) : NULL;
    if (fault == NULL && f == NULL)
        fault = "a segment of no flow of the script";
    if (fault != NULL) {
        player_fail(p, "the stack sent %s", fault);
        return false;
    }
    flow_from_wire(f, &wire, ret);
    player_log(p, ">", segment_format(ret, text, sizeof(text)));
    if (!is_text_right(ret, payload))
        player_fail(p, "these are not the stream's bytes: %s", text);
    stage_drop(p->stage);
    *ret_flow = f;
    return !p->is_failed;
}

/* Nothing that no line expects may have been sent. */
static void check_silence(struct player *p)
{
    struct flow *f;
    struct script_segment s;
    char text[160];
    if (p->is_failed || stage_peek(p->stage) == NULL)
        return;
    uint64_t us = stage_peek(p->stage)->at_us - p->start_us;
    if (take_sent(p, &f, &s))
        player_fail(p, "before this line, at %lu.%06lu s, the stack sent: %s %s", us / 1000000,
                    us % 1000000, f == p->flow ? "" : f->name,
                    segment_format(&s, text, sizeof(text)));
}

/* When the line is due. */
static uint64_t due_us(const struct player *p)
{
    return p->line->is_absolute ? p->start_us + p->line->us : p->anchor_us + p->line->us;
}

/* Time passes until the line is due, in silence. */
static void await_line(struct player *p)
{
    check_silence(p);
    if (p->is_failed)
        return;
    uint64_t until_us = due_us(p);
    if (until_us < p->anchor_us) {
        player_fail(p, "the line's time is over already");
        return;
    }
    stage_run_until(p->stage, until_us, true);
    check_silence(p);
    p->anchor_us = until_us;
}

static struct wire_ends ends_of(const struct player *p, const struct flow *f)
{
    return (struct wire_ends){p->peer, p->us, f->remote_port, f->local_port};
}

/* One segment of the peer, or with `each` as many as it takes, each in a round of its own. */
static void play_peer(struct player *p)
{
    uint8_t packet[WIRE_BYTES_MAX];
    uint8_t payload[WIRE_SEGMENT_BYTES_MAX];
    char text[160];
    struct wire_ends ends = ends_of(p, p->flow);
    struct script_segment rest = p->line->segment;
    uint32_t each = rest.each == 0 ? rest.len : rest.each;
    uint32_t left = rest.len;
    do {
        struct script_segment wire;
        rest.len = left < each ? left : each;
        for (uint32_t i = 0; i < rest.len; i++)
            payload[i] = flow_byte(rest.seq + i);
        flow_to_wire(p->flow, stage_now_us(p->stage), &rest, &wire);
        rest.window = wire.window;
        player_log(p, "<", segment_format(&rest, text, sizeof(text)));
        stage_receive(p->stage, packet, wire_build(&ends, &wire, payload, packet));
        stage_run(p->stage);
        rest.seq += rest.len;
        left -= rest.len;
    } while (left > 0);
}

static void play_icmp(struct player *p)
{
    uint8_t packet[WIRE_BYTES_MAX];
    const struct script_line *l = p->line;
    struct wire_ends quoted = {p->us, p->peer, p->flow->local_port, p->flow->remote_port};
    uint16_t mtu = l->mtu;
    if (p->variant->is_v6 && mtu != 0)
        mtu = (uint16_t)(mtu + PLAYER_V6_EXTRA_BYTES);
    size_t bytes = wire_build_icmp(&quoted, &p->peer, l->icmp, mtu,
                                   l->segment.seq + p->flow->our_base, packet);
    player_log(p, "<", l->text + strspn(l->text, " \t"));
    stage_receive(p->stage, packet, bytes);
    stage_run(p->stage);
}

/* The next segment sent must be `want`, at its time or at most a tick of the wheel later. */
static void expect_one(struct player *p, const struct script_segment *want, uint64_t from_us,
                       uint64_t until_us)
{
    struct script_segment got;
    struct flow *f;
    char text[160];
    stage_run_until(p->stage, until_us, true);
    if (stage_peek(p->stage) == NULL) {
        player_fail(p, "the stack sent nothing");
        return;
    }
    uint64_t at_us = stage_peek(p->stage)->at_us;
    if (!take_sent(p, &f, &got))
        return;
    segment_format(&got, text, sizeof(text));
    const char *what = f == p->flow ? segment_compare(want, &got) : "flow";
    if (what != NULL)
        player_fail(p, "not the expected %s: %s", what, text);
    else if (at_us < from_us || at_us > until_us)
        player_fail(p, "it was sent at %lu.%06lu s, due was %lu.%06lu: %s",
                    (at_us - p->start_us) / 1000000, (at_us - p->start_us) % 1000000,
                    (from_us - p->start_us) / 1000000, (from_us - p->start_us) % 1000000, text);
    p->anchor_us = at_us > p->anchor_us ? at_us : p->anchor_us;
}

static void play_expect(struct player *p)
{
    struct script_segment want = p->line->segment;
    uint64_t from_us = due_us(p);
    uint64_t until_us = from_us + p->line->slack_us + (p->line->has_time ? WHEEL_TICK_US : 0);
    uint32_t each = want.each == 0 ? want.len : want.each;
    uint32_t left = want.len;
    uint8_t flags = want.flags;
    do { /* the last of several has all the flags, those before it neither PSH nor FIN */
        want.len = left < each ? left : each;
        left -= want.len;
        want.flags = left > 0 ? flags & (uint8_t) ~(TCP_PSH | TCP_FIN) : flags;
        expect_one(p, &want, from_us, until_us);
        want.seq += want.len;
    } while (left > 0 && !p->is_failed);
}

static void play_line(struct player *p)
{
    if (p->line->kind == SCRIPT_EXPECT) {
        play_expect(p);
        return;
    }
    if (p->line->kind == SCRIPT_ACTION && p->line->action == SCRIPT_FLOW) {
        player_act(p); /* says what the next lines are about: what was sent may be one of them */
        return;
    }
    await_line(p);
    if (p->is_failed)
        return;
    switch (p->line->kind) {
    case SCRIPT_PEER:
        play_peer(p);
        break;
    case SCRIPT_ICMP:
        play_icmp(p);
        break;
    default:
        player_log(p, " ", p->line->text + strspn(p->line->text, " \t"));
        player_act(p);
        stage_run(p->stage);
        break;
    }
}

static void begin(struct player *p)
{
    const struct script_settings *c = &p->script->settings;
    struct stage_config config = {
        .start_us = p->variant->start_us,
        .mbufs = c->mbufs,
        .mtu = (uint16_t)(c->mtu + (p->variant->is_v6 ? PLAYER_V6_EXTRA_BYTES : 0)),
        .tcp = {.conns_max = c->conns_max,
                .timewaits_max = c->timewaits_max,
                .half_open_max = c->half_open_max,
                .rx_window_bytes = c->rx_window_bytes,
                .tx_buffer_bytes = c->tx_buffer_bytes,
                .mbufs_low = c->mbufs / 8,
                .quick_acks = (uint8_t)c->quick_acks,
                .is_paced = c->paced != 0,
                .has_ecn = c->ecn != 0},
    };
    ip_addr_parse("198.18.0.1", &config.local4);
    ip_addr_parse("2001:db8::1", &config.local6);
    p->us = p->variant->is_v6 ? config.local6 : config.local4;
    p->peer = p->us;
    p->peer.bytes[15] = 2;
    player_upcalls(p, &config.upcalls);
    p->stage = stage_new(&config);
    p->start_us = p->anchor_us = stage_now_us(p->stage);
    memcpy(p->counters, stage_core(p->stage)->stats->counters, sizeof(p->counters));
}

bool player_run(const struct script *script, const struct variant *variant, uint32_t *ret_iss)
{
    static struct player player;
    struct player *p = &player;
    *p = (struct player){.script = script, .variant = variant, .n_flows = 1, .flow = p->flows};
    p->flows[0] = (struct flow){.name = "a",
                                .local_port = 80,
                                .remote_port = 40000,
                                .peer_base = variant->peer_iss,
                                .ts_shift = variant->ts_shift};
    begin(p);
    for (unsigned i = 0; i < script->n_lines && !p->is_failed; i++) {
        p->line = &script->lines[i];
        play_line(p);
    }
    check_silence(p);
    *ret_iss = p->flows[0].knows_our_base ? p->flows[0].our_base : 0;
    player_release(p);
    if (!stage_free(p->stage))
        player_fail(p, "something was left over");
    return !p->is_failed;
}
