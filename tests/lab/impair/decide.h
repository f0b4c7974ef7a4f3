/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a frame of the impairment link: a pure function of the seed, the direction and
 * the frame's number in that direction. The same seed gives the same verdict for frame n in every
 * run, whatever the timing; each kind of mishap draws from a stream of its own, so that turning one
 * on does not move the others.
 *
 * Owner: none. Thread: any. Bound: none needed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Chances are in parts of a million. */
#define IMPAIR_MILLION 1000000u

struct impair_config {
    uint64_t seed;
    uint32_t loss_ppm[2]; /* by direction */
    uint32_t duplicate_ppm;
    uint32_t corrupt_ppm;
    uint32_t reorder_ppm;
    uint32_t reorder_us;  /* how much longer a reordered frame stays: later ones overtake it */
    uint32_t delay_us;    /* for every frame */
    uint32_t jitter_us;   /* added to the delay, 0..jitter_us; does not change the order */
    uint64_t rate_bits_s; /* 0: as fast as it goes */
    uint32_t from_frame;  /* nothing happens to frames with lower numbers */
};

struct impair_verdict {
    bool is_lost;
    bool is_duplicated;
    bool is_corrupted;
    bool is_reordered;
    uint32_t delay_us;
    uint64_t corrupt_draw; /* which bit, taken modulo what may be hit */
};

/* The verdict for frame `number` (from 0) of `direction` (0 or 1). Pure. */
struct impair_verdict impair_decide(const struct impair_config *c, unsigned direction,
                                    uint64_t number);

/* Flips the bit that the verdict drew, behind the ethernet header. Frames without anything behind
 * it stay as they are, and so does ARP: it has no checksum, so what a damaged one tells is believed
 * for minutes by everybody, and no TCP can help it. */
void impair_corrupt(const struct impair_verdict *v, uint8_t *frame, uint32_t length);
