/* SPDX-License-Identifier: Apache-2.0 */
/* Patterned bodies, made and checked. Owner: the connection that embeds it. */
#include "sim_body.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

static uint64_t word_of(uint32_t key, uint64_t index)
{
    uint64_t z = (index + 1) * 0x9e3779b97f4a7c15ULL ^ ((uint64_t)key << 32);
    return (z ^ (z >> 29)) * 0xbf58476d1ce4e5b9ULL;
}

void sim_pattern_fill(uint32_t key, uint64_t offset, uint8_t *ret, size_t len)
{
    while (len > 0) {
        uint64_t word = word_of(key, offset / 8);
        size_t skip = offset % 8;
        size_t n = 8 - skip < len ? 8 - skip : len;
        memcpy(ret, (const uint8_t *)&word + skip, n);
        ret += n;
        offset += n;
        len -= n;
    }
}

bool sim_pattern_is(uint32_t key, uint64_t offset, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        uint64_t word = word_of(key, offset / 8);
        size_t skip = offset % 8;
        size_t n = 8 - skip < len ? 8 - skip : len;
        if (memcmp(bytes, (const uint8_t *)&word + skip, n) != 0)
            return false;
        bytes += n;
        offset += n;
        len -= n;
    }
    return true;
}

void sim_out_begin(struct sim_out *o, enum sim_body_mode mode, uint32_t key, uint64_t bytes,
                   uint64_t seed)
{
    ASSERT(o->stage_len <= sizeof(o->stage));
    o->mode = mode;
    o->key = key;
    o->bytes_total = mode == SIM_BODY_NONE ? 0 : bytes;
    o->bytes_sent = 0;
    o->cut_at = UINT64_MAX;
    o->is_last_staged = mode == SIM_BODY_NONE;
    o->is_held = false;
    o->has_extras = false;
    o->rng = (struct rng){seed};
    o->stage_pos = 0;
}

/* The next piece of the body, framed. */
static void stage_piece(struct sim_out *o)
{
    bool is_cut = o->cut_at < o->bytes_total;
    uint64_t left = (is_cut ? o->cut_at : o->bytes_total) - o->bytes_sent;
    size_t room = sizeof(o->stage) - 64;
    size_t n = left < room ? (size_t)left : room;
    char *at = (char *)o->stage;
    if (o->mode == SIM_BODY_CHUNKED) {
        if (n > 1)
            n = 1 + rng_below(&o->rng, (uint32_t)n);
        if (n > 0)
            at += sprintf(at, o->has_extras ? "%zx;sim=\"1 2\"\r\n" : "%zx\r\n", n);
    }
    sim_pattern_fill(o->key, o->bytes_sent, (uint8_t *)at, n);
    at += n;
    o->bytes_sent += n;
    if (o->mode == SIM_BODY_CHUNKED && !(is_cut && n == left))
        at += sprintf(at, "%s",
                      n > 0           ? "\r\n"
                      : o->has_extras ? "0\r\nX-Sim-Last: 1\r\n\r\n"
                                      : "0\r\n\r\n");
    o->is_last_staged = o->mode == SIM_BODY_CHUNKED && !is_cut ? n == 0 : n == left;
    o->stage_len = (size_t)(at - (char *)o->stage);
    o->stage_pos = 0;
    ASSERT(o->stage_len <= sizeof(o->stage));
}

size_t sim_out_pump(struct sim_out *o, struct stream *s, size_t bytes_max)
{
    size_t written = 0;
    while (written < bytes_max) {
        if (o->stage_pos == o->stage_len) {
            if (o->is_last_staged || o->is_held)
                break;
            stage_piece(o);
            continue;
        }
        struct slice v = slice_of(o->stage + o->stage_pos, o->stage_len - o->stage_pos);
        if (v.len > bytes_max - written)
            v.len = bytes_max - written;
        size_t n = stream_write(s, &v, 1);
        ASSERT(n <= v.len);
        o->stage_pos += n;
        written += n;
        if (n < v.len)
            break;
    }
    return written;
}

bool sim_out_is_done(const struct sim_out *o)
{
    return o->is_last_staged && o->stage_pos == o->stage_len;
}

void sim_in_begin(struct sim_in *in, enum sim_body_mode mode, uint32_t key, bool is_checked,
                  uint64_t bytes_total)
{
    *in = (struct sim_in){
        .mode = mode, .key = key, .is_checked = is_checked, .bytes_total = bytes_total};
}

/* Up to `max` bytes of content. False: they are not those of the pattern. */
static bool take_content(struct sim_in *in, const uint8_t *bytes, size_t len, uint64_t max,
                         size_t *ret_used)
{
    *ret_used = len < max ? len : (size_t)max;
    if (in->is_checked && !sim_pattern_is(in->key, in->bytes, bytes, *ret_used))
        return false;
    in->bytes += *ret_used;
    return true;
}

/* TRAILER: inside a field line behind the last chunk. */
enum chunk_step {
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_CR,
    CHUNK_LF,
    LAST_CR,
    LAST_LF,
    TRAILER,
    TRAILER_LF
};

/* One byte of a chunk-size line. */
static enum sim_in_status feed_size(struct sim_in *in, uint8_t c)
{
    int digit = c >= '0' && c <= '9'                 ? c - '0'
                : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                     : -1;
    if (digit >= 0 && in->digits < 15) {
        in->chunk_left = in->chunk_left * 16 + (unsigned)digit;
        in->digits++;
        return SIM_IN_MORE;
    }
    if ((c != '\r' && c != ';') || in->digits == 0)
        return SIM_IN_BAD;
    in->step = c == ';' ? CHUNK_EXTENSION : CHUNK_SIZE_LF;
    return SIM_IN_MORE;
}

/* One byte of framing. */
static enum sim_in_status feed_frame(struct sim_in *in, uint8_t c)
{
    static const uint8_t wanted[] = {
        [CHUNK_SIZE_LF] = '\n', [CHUNK_CR] = '\r', [CHUNK_LF] = '\n',
        [LAST_CR] = '\r',       [LAST_LF] = '\n',  [TRAILER_LF] = '\n'};
    if (in->step == CHUNK_SIZE)
        return feed_size(in, c);
    if (in->step == CHUNK_EXTENSION || in->step == TRAILER || (in->step == LAST_CR && c != '\r')) {
        bool is_extension = in->step == CHUNK_EXTENSION;
        in->step = c != '\r' ? (is_extension ? CHUNK_EXTENSION : TRAILER)
                             : (is_extension ? CHUNK_SIZE_LF : TRAILER_LF);
        return SIM_IN_MORE;
    }
    if (c != wanted[in->step])
        return SIM_IN_BAD;
    switch (in->step) {
    case CHUNK_SIZE_LF:
        in->step = in->chunk_left == 0 ? LAST_CR : CHUNK_DATA;
        return SIM_IN_MORE;
    case CHUNK_LF:
        in->step = CHUNK_SIZE;
        in->digits = 0;
        in->chunk_left = 0;
        return SIM_IN_MORE;
    case TRAILER_LF:
        in->step = LAST_CR;
        return SIM_IN_MORE;
    case LAST_LF:
        return SIM_IN_DONE;
    default:
        in->step++;
        return SIM_IN_MORE;
    }
}

static enum sim_in_status feed_chunked(struct sim_in *in, const uint8_t *bytes, size_t len,
                                       size_t *ret_used)
{
    size_t at = 0;
    enum sim_in_status status = SIM_IN_MORE;
    while (at < len && status == SIM_IN_MORE) {
        if (in->step != CHUNK_DATA) {
            status = feed_frame(in, bytes[at++]);
            continue;
        }
        size_t used;
        if (!take_content(in, bytes + at, len - at, in->chunk_left, &used))
            return SIM_IN_BAD;
        at += used;
        in->chunk_left -= used;
        if (in->chunk_left == 0)
            in->step = CHUNK_CR;
    }
    *ret_used = at;
    return status;
}

enum sim_in_status sim_in_feed(struct sim_in *in, const uint8_t *bytes, size_t len,
                               size_t *ret_used)
{
    *ret_used = 0;
    switch (in->mode) {
    case SIM_BODY_NONE:
        return SIM_IN_DONE;
    case SIM_BODY_LENGTH:
        if (!take_content(in, bytes, len, in->bytes_total - in->bytes, ret_used))
            return SIM_IN_BAD;
        return in->bytes == in->bytes_total ? SIM_IN_DONE : SIM_IN_MORE;
    case SIM_BODY_CHUNKED:
        return feed_chunked(in, bytes, len, ret_used);
    case SIM_BODY_CLOSE:
        return take_content(in, bytes, len, UINT64_MAX, ret_used) ? SIM_IN_MORE : SIM_IN_BAD;
    }
    return SIM_IN_BAD;
}
