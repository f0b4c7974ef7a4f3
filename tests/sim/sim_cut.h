/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hop that cuts packets: IPv4 as a router does that takes no notice of "don't fragment" (there
 * are such), IPv6 as if the sender had done it. Pure.
 */
#pragma once

#include "base/rng.h"
#include "sim_limits.h"

#include <stdint.h>

#define SIM_PIECES_MAX 4u

struct sim_piece {
    uint16_t len;
    uint8_t bytes[SIM_FRAME_BYTES_MAX];
};

/* Cuts the frame's IP packet into 2 to SIM_PIECES_MAX pieces. Returns how many; 0: it is none, or
 * too short to be cut. */
unsigned sim_cut(const uint8_t *frame, uint16_t len, struct rng *rng,
                 struct sim_piece ret[SIM_PIECES_MAX]);
