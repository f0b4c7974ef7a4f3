/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: chunks are read and written right however they are cut. */
#include "base/container.h"
#include "fake_env.h"
#include "fake_stream.h"
#include "http/http_body.h"
#include "http/http_trailers.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>

static char got[4096];
static size_t got_len;

/* Reads a chunked body that arrives in two parts; the fault, or none when it is complete. */
static enum http_fault read_chunked(struct slice text, size_t split, size_t slice_max,
                                    bool *ret_done)
{
    struct fake_stream f;
    struct http_body_in b;
    fake_stream_init(&f, 0);
    f.slice_max = slice_max;
    http_body_in_init(&b, HTTP_BODY_CHUNKED, 0);
    got_len = 0;
    for (unsigned part = 0; part < 2; part++) {
        fake_stream_push(&f, part == 0 ? slice_of(text.ptr, split) : slice_skip(text, split));
        size_t n;
        while ((n = http_body_in_ready(&b, &f.stream)) > 0) {
            struct slice v[3];
            unsigned n_slices = http_body_in_peek(&b, &f.stream, v, 3);
            CHECK(n_slices > 0);
            memcpy(got + got_len, v[0].ptr, v[0].len);
            got_len += v[0].len;
            stream_consume(&f.stream, v[0].len);
            http_body_in_took(&b, v[0].len);
        }
    }
    *ret_done = b.is_done;
    fake_stream_done(&f);
    return b.fault;
}

TEST(chunks_are_read_the_same_however_they_are_cut)
{
    static const char text[] = "5\r\nhello\r\n00006;a=b;c;d=\"e\\\"f;\"\r\n world\r\n1\r\n!\r\n"
                               "000\r\nX-T: a b\r\nY:\r\n\r\n";
    struct slice all = slice_of_str(text);
    for (size_t split = 0; split <= all.len; split++) {
        for (size_t slice_max = 1; slice_max < 8; slice_max++) {
            bool is_done;
            CHECK_EQ(read_chunked(all, split, slice_max, &is_done), HTTP_FAULT_none);
            CHECK(is_done);
            CHECK(got_len == 12 && memcmp(got, "hello world!", 12) == 0);
        }
    }
}

static struct http_head_buf *heads_left;

static struct http_head_buf *spare(void *owner)
{
    struct http_head_buf *buf = heads_left;
    heads_left = NULL;
    return buf;
}

static void give_back(void *owner, struct http_head_buf *buf)
{
    heads_left = buf;
}

/* What is kept of that trailer section, as text. */
static const char *kept(const char *section, size_t split)
{
    static struct http_head_buf buf;
    static char text[1000];
    static const struct http_env env = {.spare_get = spare, .head_put = give_back};
    struct fake_stream f;
    struct http_body_in b;
    struct slice name, value, all = slice_of_str(section);
    heads_left = &buf;
    text[0] = '\0';
    fake_stream_init(&f, 0);
    http_body_in_init(&b, HTTP_BODY_CHUNKED, 0);
    http_body_in_keep_trailers(&b, &env);
    fake_stream_push(&f, SLICE_LIT("0\r\n"));
    fake_stream_push(&f, slice_of(all.ptr, split));
    CHECK_EQ(http_body_in_ready(&b, &f.stream), 0);
    fake_stream_push(&f, slice_skip(all, split));
    CHECK_EQ(http_body_in_ready(&b, &f.stream), 0);
    struct http_head_buf *trailers = http_body_in_take_trailers(&b);
    CHECK(b.is_done && b.fault == HTTP_FAULT_none);
    for (uint32_t at = 0; trailers != NULL && http_trailers_next(trailers, &at, &name, &value);) {
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%.*s=%.*s;", (int)name.len, name.ptr,
                 (int)value.len, value.ptr);
    }
    if (trailers != NULL)
        give_back(NULL, trailers);
    http_body_in_done(&b);
    CHECK(heads_left == &buf);
    fake_stream_done(&f);
    return text;
}

TEST(trailers_are_kept_but_those_that_must_not_be_any)
{
    static const char *const cases[][2] = {
        {"\r\n", ""},
        {"X-One: 1\r\n\r\n", "x-one=1;"},
        {"a:\r\nb:  x y \t\r\n\r\n", "a=;b=x y;"},
        {"Content-Length: 5\r\n\r\n", ""},
        {"a: 1\r\nTransfer-Encoding: chunked\r\nHOST: x\r\nCookie: y\r\nb: 2\r\n\r\n", "a=1;b=2;"},
        {"authorization: x\r\nX-Forwarded-Host: x\r\nX-Forwarded-Port: 1\r\n\r\n", ""},
        {"Sec-WebSocket-Key: x\r\nTE: x\r\nTrailer: x\r\nif-match: x\r\nProxy-X: y\r\n\r\n", ""},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t split = 0; split <= strlen(cases[i][0]); split++)
            CHECK_STR(kept(cases[i][0], split), cases[i][1]);
    }
}

TEST(trailers_go_behind_the_last_chunk_whatever_room_there_is)
{
    static struct http_head_buf buf;
    static const struct http_env env = {.spare_get = spare, .head_put = give_back};
    static const uint8_t fields[] = "\1\0\1\0a1\4\0\1\0hostx\2\0\0\0bc";
    static const char *const want = "2\r\nhi\r\n0\r\na: 1\r\nbc: \r\n\r\n";
    for (size_t room = 1; room < 40; room++) {
        struct fake_stream f;
        struct http_body_out o = {.spill = NULL};
        char all[100] = "";
        fake_stream_init(&f, room);
        heads_left = NULL;
        memcpy(buf.bytes, fields, sizeof(fields) - 1);
        buf.len = sizeof(fields) - 1;
        http_body_out_init(&o, HTTP_BODY_CHUNKED, 0);
        struct slice body = SLICE_LIT("hi");
        bool is_ended = false;
        for (unsigned i = 0; i < 60; i++) {
            body = slice_skip(body, body.len > 0 ? http_body_out_write(&o, &f.stream, body) : 0);
            if (body.len == 0 && !is_ended) {
                is_ended = true;
                http_body_out_end_with(&o, &f.stream, &env, &buf);
            }
            struct slice v = fake_stream_written(&f);
            strncat(all, (const char *)v.ptr, v.len);
            fake_stream_take(&f, v.len);
            http_body_out_flush(&o, &f.stream, &env);
        }
        CHECK_STR(all, want);
        CHECK(heads_left == &buf && o.spill == NULL);
        fake_stream_done(&f);
    }
}

struct bad {
    const char *text;
    enum http_fault fault;
};

static const struct bad bad_bodies[] = {
    {"\r\n", HTTP_FAULT_chunk_size},
    {"g\r\n", HTTP_FAULT_chunk_size},
    {" 1\r\na\r\n", HTTP_FAULT_chunk_size},
    {"1 \r\na\r\n", HTTP_FAULT_chunk_size},
    {"+1\r\na\r\n", HTTP_FAULT_chunk_size},
    {"-1\r\na\r\n", HTTP_FAULT_chunk_size},
    {"0x1\r\na\r\n", HTTP_FAULT_chunk_size},
    {"1\na\r\n", HTTP_FAULT_chunk_size},
    {"1\rxa\r\n", HTTP_FAULT_chunk_size},
    {"ffffffffffffffff\r\n", HTTP_FAULT_chunk_size},
    {"10000000000000000\r\n", HTTP_FAULT_chunk_size},
    {"1;\r\na\r\n", HTTP_FAULT_chunk_extension},
    {"1;;a\r\na\r\n", HTTP_FAULT_chunk_extension},
    {"1; a\r\na\r\n", HTTP_FAULT_chunk_extension},
    {"1;a \r\na\r\n", HTTP_FAULT_chunk_extension},
    {"1;a=\r\na\r\n", HTTP_FAULT_chunk_extension},
    {"1;a=b c\r\na\r\n", HTTP_FAULT_chunk_extension},
    {"1;a=\"b\"c\r\na\r\n", HTTP_FAULT_chunk_extension},
    {"1;a=\"b\r\na\r\n", HTTP_FAULT_chunk_extension},
    {"1;a\nb\r\n", HTTP_FAULT_chunk_extension},
    {"1\r\nab\r\n", HTTP_FAULT_chunk_end},
    {"1\r\na\n0\r\n", HTTP_FAULT_chunk_end},
    {"1\r\na\rb", HTTP_FAULT_chunk_end},
    {"0\r\n x: y\r\n\r\n", HTTP_FAULT_trailer},
    {"0\r\nx : y\r\n\r\n", HTTP_FAULT_trailer},
    {"0\r\nx\r\n\r\n", HTTP_FAULT_trailer},
    {"0\r\n: y\r\n\r\n", HTTP_FAULT_trailer},
    {"0\r\nx: y\n\r\n", HTTP_FAULT_trailer},
    {"0\r\n\n", HTTP_FAULT_trailer},
    {"0\r\n\rX", HTTP_FAULT_trailer},
};

TEST(every_bad_chunk_is_refused_by_its_name_however_it_is_cut)
{
    for (unsigned i = 0; i < array_len(bad_bodies); i++) {
        struct slice all = slice_of_str(bad_bodies[i].text);
        for (size_t split = 0; split <= all.len; split++) {
            bool is_done;
            enum http_fault fault = read_chunked(all, split, 2, &is_done);
            if (fault != bad_bodies[i].fault)
                printf("  %s\n", bad_bodies[i].text);
            CHECK_STR(http_fault_name(fault), http_fault_name(bad_bodies[i].fault));
        }
    }
}

TEST(chunk_lines_and_trailers_are_bounded)
{
    static char text[HTTP_TRAILER_BYTES_MAX + 64];
    memset(text, 'a', sizeof(text));
    memcpy(text, "1;", 2);
    bool is_done;
    CHECK_EQ(read_chunked(slice_of(text, sizeof(text)), 9, 99, &is_done), HTTP_FAULT_chunk_long);
    memcpy(text, "0\r\n", 3);
    CHECK_EQ(read_chunked(slice_of(text, sizeof(text)), 9, 99, &is_done), HTTP_FAULT_trailer_long);
}

TEST(a_body_that_ends_too_early_is_cut)
{
    struct fake_stream f;
    struct http_body_in b;
    fake_stream_init(&f, 0);
    http_body_in_init(&b, HTTP_BODY_LENGTH, 5);
    fake_stream_push(&f, SLICE_LIT("abc"));
    fake_stream_push_eof(&f);
    CHECK_EQ(http_body_in_ready(&b, &f.stream), 3);
    stream_consume(&f.stream, 3);
    http_body_in_took(&b, 3);
    CHECK_EQ(http_body_in_ready(&b, &f.stream), 0);
    CHECK_EQ(b.fault, HTTP_FAULT_body_cut);
    CHECK(!b.is_done);
    http_body_in_init(&b, HTTP_BODY_UNTIL_CLOSE, 0);
    CHECK_EQ(http_body_in_ready(&b, &f.stream), 0);
    CHECK(b.is_done);
    fake_stream_done(&f);
}

/* Moves a chunked body through windows of `room` bytes into kind `out_kind`, and reads it again. */
static void move_chunked(size_t room, size_t step, enum http_body out_kind)
{
    static const char text[] = "5\r\nhello\r\n6\r\n world\r\n1\r\n!\r\n0\r\n\r\n";
    struct fake_env e;
    struct fake_stream src;
    struct fake_stream dst;
    struct http_body_in in;
    struct http_body_out out = {0};
    fake_env_init(&e, 4);
    fake_stream_init(&src, 0);
    fake_stream_init(&dst, room);
    http_body_in_init(&in, HTTP_BODY_CHUNKED, 0);
    http_body_out_init(&out, out_kind, 12);
    static uint8_t all[256];
    size_t all_len = 0;
    size_t sent = 0;
    for (unsigned round = 0; round < 1000 && !(out.is_ended && out.frame_len == 0); round++) {
        size_t n = sizeof(text) - 1 - sent < step ? sizeof(text) - 1 - sent : step;
        fake_stream_push(&src, slice_of(text + sent, n));
        sent += n;
        if (http_body_out_flush(&out, &dst.stream, &e.env) && !out.is_ended) {
            http_body_out_move(&out, &dst.stream, &in, &src.stream);
            if (in.is_done)
                http_body_out_end(&out, &dst.stream);
        }
        struct slice w = fake_stream_written(&dst);
        CHECK(w.len <= room);
        if (w.len > 0)
            memcpy(all + all_len, w.ptr, w.len);
        all_len += w.len;
        fake_stream_take(&dst, w.len);
    }
    struct slice w = fake_stream_written(&dst);
    if (w.len > 0)
        memcpy(all + all_len, w.ptr, w.len);
    all_len += w.len;
    CHECK(out.is_ended && in.is_done);
    if (out_kind == HTTP_BODY_CHUNKED) {
        bool is_done;
        CHECK_EQ(read_chunked(slice_of(all, all_len), 0, 99, &is_done), HTTP_FAULT_none);
        CHECK(is_done && got_len == 12 && memcmp(got, "hello world!", 12) == 0);
    } else {
        CHECK(all_len == 12 && memcmp(all, "hello world!", 12) == 0);
    }
    CHECK_EQ(e.bufs, 0);
    fake_stream_done(&src);
    fake_stream_done(&dst);
}

TEST(a_body_moves_whole_through_windows_of_any_size)
{
    for (size_t room = 1; room < 40; room++) {
        for (size_t step = 1; step < 12; step++) {
            move_chunked(room, step, HTTP_BODY_CHUNKED);
            move_chunked(room, step, HTTP_BODY_LENGTH);
            move_chunked(room, step, HTTP_BODY_UNTIL_CLOSE);
        }
    }
}

UNIT_MAIN("http/body", T(chunks_are_read_the_same_however_they_are_cut),
          T(every_bad_chunk_is_refused_by_its_name_however_it_is_cut),
          T(trailers_are_kept_but_those_that_must_not_be_any),
          T(trailers_go_behind_the_last_chunk_whatever_room_there_is),
          T(chunk_lines_and_trailers_are_bounded), T(a_body_that_ends_too_early_is_cut),
          T(a_body_moves_whole_through_windows_of_any_size))
