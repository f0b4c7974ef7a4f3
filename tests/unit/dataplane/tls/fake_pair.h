/* SPDX-License-Identifier: Apache-2.0 */
/* Two streams joined by two bounded pipes, with events in a dispatch step of their own: what tls
 * stands on in its tests. What one end writes the other may read after the next fake_dispatch(). */
#pragma once

#include "core/stream.h"

#define FAKE_CAPACITY_MAX 65536u

struct fake_end {
    struct stream stream;
    struct fake_end *peer;
    uint8_t in[FAKE_CAPACITY_MAX]; /* written by the peer, unread */
    size_t in_n;
    size_t fresh; /* of these, not told yet */
    size_t capacity;
    unsigned events;
    enum stream_end end;
    bool is_eof, is_shutdown, is_room_short, is_released;
};

/* Joins two ends with `capacity` bytes each way. */
void fake_join(struct fake_end *a, struct fake_end *b, size_t capacity);

/* Delivers what is due to one end. True: there was something. */
bool fake_dispatch(struct fake_end *e);
