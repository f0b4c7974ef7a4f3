/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the deeds that talk.c reads: for seeds. */
#pragma once

#include "frame_make.h"

#include <string.h>

/* What is written so far; `bytes` has FUZZ_SEED_BYTES_MAX. */
struct seed {
    uint8_t *bytes;
    size_t len;
};

/* One byte. */
static inline void seed_byte(struct seed *s, unsigned byte)
{
    s->bytes[s->len++] = (uint8_t)byte;
}

/* Any bytes. */
static inline void seed_bytes(struct seed *s, const void *bytes, size_t len)
{
    memcpy(s->bytes + s->len, bytes, len);
    s->len += len;
}

/* A frame comes. */
static inline void seed_frame(struct seed *s, const uint8_t *frame, size_t len)
{
    seed_byte(s, 0);
    seed_byte(s, (unsigned)(len >> 8));
    seed_byte(s, (unsigned)len);
    seed_bytes(s, frame, len);
}

/* A segment comes. */
static inline void seed_tcp(struct seed *s, const struct frame_ends *ends,
                            const struct frame_tcp *tcp)
{
    uint8_t frame[FRAME_BYTES_MAX];
    seed_frame(s, frame, frame_make_tcp(frame, ends, tcp));
}

/* An answer to what was sent last. */
static inline void seed_answer_all(struct seed *s, uint8_t flags, int seq, int ack, uint16_t window,
                                   uint8_t payload, const uint8_t *options, size_t n_options)
{
    const uint8_t head[] = {2,
                            0,
                            flags,
                            (uint8_t)seq,
                            (uint8_t)ack,
                            (uint8_t)(window >> 8),
                            (uint8_t)window,
                            payload,
                            (uint8_t)n_options};
    seed_bytes(s, head, sizeof(head));
    if (n_options > 0)
        seed_bytes(s, options, n_options);
    seed_byte(s, 0);
}

/* The same with a wide window and no options. */
static inline void seed_answer(struct seed *s, uint8_t flags, int seq, int ack, uint8_t payload)
{
    seed_answer_all(s, flags, seq, ack, 0xffff, payload, NULL, 0);
}

/* The same with a window. */
static inline void seed_answer_window(struct seed *s, uint8_t flags, uint16_t window)
{
    seed_answer_all(s, flags, 0, 0, window, 0, NULL, 0);
}

/* The same with options. */
static inline void seed_answer_options(struct seed *s, uint8_t flags, const uint8_t *options,
                                       size_t n)
{
    seed_answer_all(s, flags, 0, 0, 0xffff, 0, options, n);
}

/* t^3 microseconds pass. */
static inline void seed_time(struct seed *s, uint8_t t)
{
    seed_byte(s, 5);
    seed_byte(s, t);
}

/* The application does `what` with the first stream: 0 shutdown, 1 abort, 2 release, 3 consume,
 * 4 write. */
static inline void seed_application(struct seed *s, unsigned what, uint8_t how_much)
{
    seed_byte(s, 6);
    seed_byte(s, what * 8);
    seed_byte(s, how_much);
}
