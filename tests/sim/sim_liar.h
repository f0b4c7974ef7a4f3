/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers that say what is not true: TCP headers changed on their way from a host, with right
 * checksums. To the appliance it looks as if the host had shrunk its window (RFC 9293, section
 * 3.8.6.2.1: "SHOULD NOT", so somebody does), or had thrown away what it had acknowledged
 * selectively (RFC 2018, section 8). Pure.
 */
#pragma once

#include "base/rng.h"

#include <stddef.h>
#include <stdint.h>

/* Which lies are told now; 0: none of this kind. */
struct sim_lies {
    uint32_t shrink; /* windows are shifted right by so many; SIM_SHRINK_TO_NOTHING: closed */
    uint32_t renege; /* one in so many SACK blocks claims more than is there */
};

#define SIM_SHRINK_TO_NOTHING 16u

/* Changes the frame of `len` bytes, if it is a segment of TCP that says anything to lie about. */
void sim_lie(const struct sim_lies *lies, struct rng *rng, uint8_t *frame, size_t len);
