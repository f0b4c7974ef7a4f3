/* SPDX-License-Identifier: Apache-2.0 */
/* The dice of the impairment link; see decide.h. */
#include "decide.h"

#include <assert.h>

#define ETHERNET_HEADER_BYTES 14u
#define ETHERTYPE_OFFSET 12u

/* One stream of draws for each kind of mishap. */
enum draw {
    DRAW_LOSS,
    DRAW_DUPLICATE,
    DRAW_CORRUPT,
    DRAW_CORRUPT_BIT,
    DRAW_REORDER,
    DRAW_JITTER,
};

/* Mixes all bits of x into all bits of the result (the finalizer of SplitMix64, Steele et al.
 * 2014). */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

static uint64_t draw(const struct impair_config *c, unsigned direction, uint64_t number,
                     enum draw kind)
{
    return mix(mix(c->seed ^ ((uint64_t)kind << 56) ^ ((uint64_t)direction << 48)) ^ number);
}

static bool happens(const struct impair_config *c, unsigned direction, uint64_t number,
                    enum draw kind, uint32_t ppm)
{
    return ppm > 0 && draw(c, direction, number, kind) % IMPAIR_MILLION < ppm;
}

struct impair_verdict impair_decide(const struct impair_config *c, unsigned direction,
                                    uint64_t number)
{
    assert(direction <= 1);
    assert(c->loss_ppm[direction] <= IMPAIR_MILLION && c->reorder_ppm <= IMPAIR_MILLION);
    struct impair_verdict v = {.delay_us = c->delay_us};
    if (number < c->from_frame)
        return v;
    v.is_lost = happens(c, direction, number, DRAW_LOSS, c->loss_ppm[direction]);
    v.is_duplicated = happens(c, direction, number, DRAW_DUPLICATE, c->duplicate_ppm);
    v.is_corrupted = happens(c, direction, number, DRAW_CORRUPT, c->corrupt_ppm);
    v.is_reordered = happens(c, direction, number, DRAW_REORDER, c->reorder_ppm);
    if (c->jitter_us > 0)
        v.delay_us += draw(c, direction, number, DRAW_JITTER) % ((uint64_t)c->jitter_us + 1);
    if (v.is_corrupted)
        v.corrupt_draw = draw(c, direction, number, DRAW_CORRUPT_BIT);
    return v;
}

static bool is_arp(const uint8_t *frame)
{
    return frame[ETHERTYPE_OFFSET] == 0x08 && frame[ETHERTYPE_OFFSET + 1] == 0x06;
}

void impair_corrupt(const struct impair_verdict *v, uint8_t *frame, uint32_t length)
{
    if (length <= ETHERNET_HEADER_BYTES || is_arp(frame))
        return;
    uint64_t bit = v->corrupt_draw % ((uint64_t)(length - ETHERNET_HEADER_BYTES) * 8);
    frame[ETHERNET_HEADER_BYTES + bit / 8] ^= (uint8_t)(1u << (bit % 8));
}
