/* SPDX-License-Identifier: Apache-2.0 */
/* Relative numbers to those of the wire and back. */
#include "flow.h"

#include "tcp/tcp_types.h"

/* The peer's clock runs in milliseconds from the value that was written last. */
static uint32_t peer_ts_now(const struct flow *f, uint64_t now_us)
{
    return f->ts_value + (uint32_t)((now_us - f->ts_value_us) / 1000);
}

static void fill_timestamps(struct flow *f, uint64_t now_us, const struct script_segment *written,
                            struct script_segment *ret)
{
    struct tcp_options *o = &ret->options;
    bool is_automatic = !written->has_options && f->has_peer_ts && f->has_our_ts &&
                        (written->flags & (TCP_SYN | TCP_RST)) == 0;
    if (is_automatic) {
        o->has_timestamps = true;
        o->ts_value = peer_ts_now(f, now_us) + f->ts_shift;
        o->ts_echo = f->our_ts_last;
        return;
    }
    if (!o->has_timestamps)
        return;
    if ((int32_t)(o->ts_value - peer_ts_now(f, now_us)) >= 0 || f->ts_value_us == 0) {
        f->ts_value = o->ts_value; /* a value of the past does not turn the clock back */
        f->ts_value_us = now_us;
    }
    o->ts_value += f->ts_shift;
    if (f->has_our_ts)
        o->ts_echo += f->our_ts_base;
}

void flow_to_wire(struct flow *f, uint64_t now_us, const struct script_segment *written,
                  struct script_segment *ret)
{
    *ret = *written;
    ret->seq += f->peer_base;
    if (written->flags & TCP_ACK)
        ret->ack += f->our_base;
    if (!written->has_window)
        ret->window = f->window;
    f->window = ret->window;
    for (unsigned i = 0; i < ret->options.n_sack; i++) {
        ret->options.sack[i].start.v += f->our_base;
        ret->options.sack[i].end.v += f->our_base;
    }
    if (written->flags & TCP_SYN)
        f->has_peer_ts = written->options.has_timestamps;
    fill_timestamps(f, now_us, written, ret);
}

static void learn(struct flow *f, const struct script_segment *wire)
{
    if ((wire->flags & TCP_SYN) != 0) {
        if (!f->knows_our_base)
            f->our_base = wire->seq;
        f->knows_our_base = true;
    }
    if (!wire->options.has_timestamps)
        return;
    if (!f->has_our_ts)
        f->our_ts_base = wire->options.ts_value;
    f->has_our_ts = true;
    f->our_ts_last = wire->options.ts_value;
}

void flow_from_wire(struct flow *f, const struct script_segment *wire, struct script_segment *ret)
{
    learn(f, wire);
    *ret = *wire;
    ret->seq -= f->our_base;
    if (wire->flags & TCP_ACK)
        ret->ack -= f->peer_base;
    for (unsigned i = 0; i < ret->options.n_sack; i++) {
        ret->options.sack[i].start.v -= f->peer_base;
        ret->options.sack[i].end.v -= f->peer_base;
    }
    if (wire->options.has_timestamps) {
        ret->options.ts_value -= f->our_ts_base;
        if (wire->flags & TCP_ACK)
            ret->options.ts_echo -= f->ts_shift;
    }
}

void flow_reborn(struct flow *f, uint32_t peer)
{
    f->peer_base += peer;
    f->our_base = 0;
    f->knows_our_base = false;
    f->has_our_ts = false;
    f->has_peer_ts = false;
    f->read = 0;
    f->written = 0;
    f->events = 0;
    f->is_told_of_end = false;
}
