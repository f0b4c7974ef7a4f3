/* SPDX-License-Identifier: Apache-2.0 */
/* Segments compared, and in the script's words. */
#include "player.h"

#include "base/assert.h"
#include "tcp/tcp_types.h"

#include <stdarg.h>
#include <stdio.h>

struct text {
    char *buf;
    size_t bytes;
    size_t used;
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

static void add_options(struct text *t, const struct tcp_options *o)
{
    const char *comma = "";
    add(t, " <");
    if (o->has_mss)
        add(t, "mss %u", o->mss);
    comma = o->has_mss ? "," : comma;
    if (o->has_sack_permitted)
        add(t, "%ssackOK", comma);
    comma = o->has_sack_permitted ? "," : comma;
    if (o->has_timestamps)
        add(t, "%sTS val %u ecr %u", comma, o->ts_value, o->ts_echo);
    comma = o->has_timestamps ? "," : comma;
    if (o->has_wscale)
        add(t, "%swscale %u", comma, o->wscale);
    comma = o->has_wscale ? "," : comma;
    for (unsigned i = 0; i < o->n_sack; i++)
        add(t, "%s%u:%u",
            i > 0            ? " "
            : *comma != '\0' ? ",sack "
                             : "sack ",
            o->sack[i].start.v, o->sack[i].end.v);
    add(t, ">");
}

const char *segment_format(const struct script_segment *s, char *buf, size_t bytes)
{
    static const char letters[] = "FSRP.UEW";
    static const char *const ecn[] = {"", "[ect1] ", "[ect0] ", "[ce] ", ""};
    struct text t = {.buf = buf, .bytes = bytes};
    add(&t, "%s", ecn[s->ecn]);
    for (unsigned i = 0; i < 8; i++) {
        if (s->flags & 1u << i)
            add(&t, "%c", letters[i]);
    }
    add(&t, s->flags == 0 ? "- %u" : " %u", s->seq);
    if (s->len > 0)
        add(&t, ":%u(%u)", s->seq + s->len, s->len);
    if (s->flags & TCP_ACK)
        add(&t, " ack %u", s->ack);
    add(&t, " win %u", s->window);
    if (s->flags & TCP_URG)
        add(&t, " urg %u", s->urgent);
    add_options(&t, &s->options);
    return buf;
}

static bool is_same_sack(const struct tcp_options *a, const struct tcp_options *b)
{
    if (a->n_sack != b->n_sack)
        return false;
    for (unsigned i = 0; i < a->n_sack; i++) {
        if (a->sack[i].start.v != b->sack[i].start.v || a->sack[i].end.v != b->sack[i].end.v)
            return false;
    }
    return true;
}

static const char *compare_options(const struct script_segment *want, const struct tcp_options *got)
{
    const struct tcp_options *o = &want->options;
    if (o->has_mss != got->has_mss || (o->has_mss && o->mss != got->mss))
        return "mss";
    if (o->has_sack_permitted != got->has_sack_permitted)
        return "sackOK";
    if (o->has_wscale != got->has_wscale || (o->has_wscale && o->wscale != got->wscale))
        return "wscale";
    if (o->has_timestamps != got->has_timestamps)
        return "TS";
    if (o->has_timestamps && !want->is_any_ts_value && o->ts_value != got->ts_value)
        return "TS val";
    if (o->has_timestamps && !want->is_any_ts_echo && o->ts_echo != got->ts_echo)
        return "TS ecr";
    return is_same_sack(o, got) ? NULL : "sack";
}

const char *segment_compare(const struct script_segment *want, const struct script_segment *got)
{
    if (want->flags != got->flags)
        return "flags";
    if (!want->is_any_seq && want->seq != got->seq)
        return "sequence number";
    if (want->len != got->len)
        return "length";
    if ((want->flags & TCP_ACK) != 0 && want->ack != got->ack)
        return "acknowledgement";
    if (want->has_window && want->window != got->window)
        return "window";
    if (want->ecn != SCRIPT_ECN_ANY && want->ecn != got->ecn)
        return "ECN";
    if ((want->flags & TCP_URG) != 0 && want->urgent != got->urgent)
        return "urgent field";
    return want->has_options ? compare_options(want, &got->options) : NULL;
}
