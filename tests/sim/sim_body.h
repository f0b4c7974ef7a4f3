/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies whose every byte is known from a key and its offset: made and checked on the fly, in the
 * encodings of HTTP/1.1. Written apart from dataplane/http on purpose: one mistake in both would
 * not be seen. Pure but for the stream that is written to.
 */
#pragma once

#include "base/rng.h"
#include "core/stream.h"
#include "sim_plan.h"

/* A handshake's key and what answers it: RFC 6455, section 1.3. */
#define SIM_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define SIM_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* A head of a simulated client or backend: what plans put into it, and what the appliance adds. */
#define SIM_HEAD_BYTES_MAX 8192u

/* Fills `len` bytes as they stand at `offset` of the body `key`. */
void sim_pattern_fill(uint32_t key, uint64_t offset, uint8_t *ret, size_t len);

/* Are these the bytes at `offset` of the body `key`? */
bool sim_pattern_is(uint32_t key, uint64_t offset, const uint8_t *bytes, size_t len);

/* The keys of a request's two bodies. */
static inline uint32_t sim_up_key(uint32_t id)
{
    return 2 * id;
}
static inline uint32_t sim_down_key(uint32_t id)
{
    return 2 * id + 1;
}

/* A message on its way out: a head, then a body. */
struct sim_out {
    enum sim_body_mode mode;
    uint32_t key;
    uint64_t bytes_total;
    uint64_t bytes_sent; /* of the body, put into stage */
    uint64_t cut_at;     /* the body is broken off after so many bytes; UINT64_MAX: it is not */
    bool is_last_staged; /* the end of the body, or of what is sent of it, is in stage */
    bool is_held;        /* after the head: wait (100-continue) */
    struct rng rng;      /* sizes of chunks */
    bool has_extras;     /* chunk extensions and a trailer */
    size_t stage_len;
    size_t stage_pos;
    uint8_t stage[SIM_HEAD_BYTES_MAX]; /* the head, then a piece of the body at a time */
};

/* Begins a message: the head is in `stage` already, stage_len long. */
void sim_out_begin(struct sim_out *o, enum sim_body_mode mode, uint32_t key, uint64_t bytes,
                   uint64_t seed);

/* Writes what `s` takes, at most `bytes_max`. Returns how many bytes. */
size_t sim_out_pump(struct sim_out *o, struct stream *s, size_t bytes_max);

/* Has everything been given to the stream? */
bool sim_out_is_done(const struct sim_out *o);

enum sim_in_status {
    SIM_IN_MORE, /* wants more bytes */
    SIM_IN_DONE, /* the message is complete */
    SIM_IN_BAD,  /* wrong bytes or wrong framing: a failure of the run */
};

/* A body on its way in. */
struct sim_in {
    enum sim_body_mode mode;
    uint32_t key;
    bool is_checked;      /* the bytes are of `key` */
    uint64_t bytes;       /* of the body so far */
    uint64_t bytes_total; /* LENGTH: what the head said */
    uint64_t chunk_left;
    unsigned step; /* of chunked framing */
    unsigned digits;
};

/* Begins a body. */
void sim_in_begin(struct sim_in *in, enum sim_body_mode mode, uint32_t key, bool is_checked,
                  uint64_t bytes_total);

/* Takes bytes; *ret_used of them belong to the body and its framing. */
enum sim_in_status sim_in_feed(struct sim_in *in, const uint8_t *bytes, size_t len,
                               size_t *ret_used);

/* A head on its way in. */
struct sim_head {
    size_t len;
    char text[SIM_HEAD_BYTES_MAX]; /* NUL-terminated once it is complete */
};

/* Moves bytes from `s` up to the end of a head. SIM_IN_DONE: text holds all of it. SIM_IN_BAD: too
 * long. */
enum sim_in_status sim_head_read(struct sim_head *h, struct stream *s, size_t *bytes_left);

/* The value of a field, without white space around it; NULL: not there. *ret_len: its length. */
const char *sim_head_field(const struct sim_head *h, const char *name, size_t *ret_len);

/* The same as a decimal number; -1: not there, or no number. */
long long sim_head_number(const struct sim_head *h, const char *name);

/* Does the field have this value (letters compared without case)? */
bool sim_head_has(const struct sim_head *h, const char *name, const char *value);
