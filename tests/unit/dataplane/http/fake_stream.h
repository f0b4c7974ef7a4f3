/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream in memory, for tests of what lies above core/stream.h. The test is the peer: it pushes
 * bytes, ends, resets, takes what was written, and decides when events are delivered. Windows and
 * slices can be as small as one byte.
 *
 * After the owner's release the object stays readable for the test, until fake_stream_done().
 */
#pragma once

#include "core/stream.h"

struct fake_bytes {
    uint8_t *ptr;
    size_t len;
    size_t taken; /* of these, consumed */
    size_t room;  /* allocated */
};

struct fake_stream {
    struct stream stream;
    struct fake_bytes in;  /* from the test to the owner */
    struct fake_bytes out; /* from the owner to the test */
    size_t out_room;       /* send queue: bytes that may be written and not yet taken */
    size_t slice_max;      /* most bytes of one slice of peek */
    unsigned events;       /* to be delivered */
    bool is_in_ended;      /* the peer ended its direction */
    bool is_blocked;       /* a write took less than it was given */
    bool is_shutdown;      /* the owner ended its direction */
    bool is_released;
    enum stream_end end;
    struct stream_addrs addrs;
};

/* An established stream with a send queue of `out_room` bytes. */
void fake_stream_init(struct fake_stream *f, size_t out_room);

/* Frees its memory. */
void fake_stream_done(struct fake_stream *f);

/* The peer sends bytes, ends its direction, or the stream breaks. */
void fake_stream_push(struct fake_stream *f, struct slice bytes);
void fake_stream_push_eof(struct fake_stream *f);
void fake_stream_break(struct fake_stream *f, enum stream_end end);

/* Delivers what is to be delivered; true if there was something. */
bool fake_stream_dispatch(struct fake_stream *f);

/* What the owner has written and the test has not taken yet. */
struct slice fake_stream_written(const struct fake_stream *f);

/* Takes up to `bytes` of it: makes room, and an event for a blocked writer. */
void fake_stream_take(struct fake_stream *f, size_t bytes);
