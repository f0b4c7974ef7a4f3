/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The capture of chosen frames: which are meant, and a copy of their first bytes for each observer.
 * Files are written far away, by whoever asked.
 *
 * Owner, thread: the worker. Cost: a look at the headers and a copy for each frame while somebody
 * captures; nothing else.
 */
#pragma once

#include "base/ip_addr.h"
#include "obs/obs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_mbuf;

/* Whose a frame is. */
struct obs_frame {
    struct ip_addr src;
    struct ip_addr dst;
    uint16_t src_port; /* 0: none, or not to be seen: a fragment, a frame that is cut off */
    uint16_t dst_port;
    uint8_t protocol; /* of IP, behind IPv6's extension headers; 0: not IP */
};

/* Reads an ethernet frame's first `len` bytes. False: not IP, or too short to tell. Pure. */
bool obs_frame_read(const uint8_t *frame, size_t len, struct obs_frame *ret);

/* Tells each observer who captures of this whole frame, received (`is_out` false) or to be sent on
 * the port of index `port`. Touches nothing of it. */
void obs_capture(struct obs *o, const struct rte_mbuf *m, unsigned port, bool is_out,
                 uint64_t now_us);
