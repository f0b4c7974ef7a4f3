/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 9406, 4.2, with its own figures (4.3). */
#include "tcp/hystart.h"

#include "base/assert.h"

#define MIN_THRESHOLD_US 4000u
#define MAX_THRESHOLD_US 16000u
#define THRESHOLD_DIVISOR 8u
#define SAMPLES 8u
#define CSS_GROWTH_DIVISOR 4u
#define CSS_ROUNDS 5u

void tcp_hystart_init(struct tcp_hystart *h, seq_t nxt)
{
    *h = (struct tcp_hystart){.round_end = nxt};
}

/* How much longer a round trip has to be than the last one. */
static uint32_t threshold_us(uint32_t last_min_us)
{
    uint32_t t = last_min_us / THRESHOLD_DIVISOR;
    if (t < MIN_THRESHOLD_US)
        return MIN_THRESHOLD_US;
    return t > MAX_THRESHOLD_US ? MAX_THRESHOLD_US : t;
}

static void begin_round(struct tcp_hystart *h, seq_t nxt)
{
    h->round_end = nxt;
    h->last_min_us = h->round_min_us;
    h->round_min_us = 0;
    h->samples = 0;
    if (h->css_rounds == 0)
        return;
    if (h->css_rounds++ >= CSS_ROUNDS)
        h->is_done = true;
}

/* Enough samples: is the delay growing, or was that an error? */
static void judge(struct tcp_hystart *h)
{
    if (h->css_rounds > 0) {
        if (h->round_min_us < h->baseline_min_us)
            h->css_rounds = 0;
        return;
    }
    if (h->last_min_us == 0 || h->round_min_us < h->last_min_us + threshold_us(h->last_min_us))
        return;
    h->baseline_min_us = h->round_min_us;
    h->css_rounds = 1;
}

uint32_t tcp_hystart_on_ack(struct tcp_hystart *h, uint32_t rtt_us, seq_t una, seq_t nxt)
{
    ASSERT_HOT(!h->is_done);
    if (rtt_us != 0) {
        if (h->round_min_us == 0 || rtt_us < h->round_min_us)
            h->round_min_us = rtt_us;
        if (h->samples < SAMPLES)
            h->samples++;
        if (h->samples == SAMPLES)
            judge(h);
    }
    if (seq_ge(una, h->round_end))
        begin_round(h, nxt);
    return h->css_rounds > 0 ? CSS_GROWTH_DIVISOR : 1;
}
