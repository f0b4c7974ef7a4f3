/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first bytes of a client that should begin TLS: the verdict is the same however they come,
 * its name is a host name, and a plain second reader, which has all of the message in one piece,
 * finds the name where the first one found it.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "tls/client_hello.h"

#define PIECES_MAX 4096u

static struct slice pieces[PIECES_MAX];

/* As they come, so many more bytes each time. */
static enum client_hello read_cut(const uint8_t *data, size_t size, size_t step,
                                  struct client_hello_told *ret)
{
    struct client_hello_progress progress = {0};
    enum client_hello r = CLIENT_HELLO_partial;
    unsigned n = 0;
    for (size_t at = 0; at < size && r == CLIENT_HELLO_partial; at += step) {
        ASSERT(n < PIECES_MAX);
        pieces[n++] = slice_of(data + at, size - at < step ? size - at : step);
        r = client_hello_read(&progress, pieces, n, ret);
    }
    return r;
}

/* The message without its records. */
static size_t gather(const uint8_t *data, size_t size, uint8_t *ret)
{
    size_t len = 0;
    for (size_t at = 0; at + 5 <= size && data[at] == 22;) {
        size_t record = (size_t)data[at + 3] << 8 | data[at + 4];
        if (record > size - at - 5)
            break;
        memcpy(ret + len, data + at + 5, record);
        len += record;
        at += 5 + record;
    }
    return len;
}

/* Of a message that the first reader took: where its name stands; empty: nowhere. */
static struct slice find_name(const uint8_t *m)
{
    const uint8_t *end = m + 4 + ((size_t)m[1] << 16 | (size_t)m[2] << 8 | m[3]);
    const uint8_t *at = m + 38;
    at += 1 + at[0];
    at += 2 + ((size_t)at[0] << 8 | at[1]);
    at += 1 + at[0];
    if (at == end)
        return slice_of(at, 0);
    for (at += 2; at < end; at += 4 + ((size_t)at[2] << 8 | at[3])) {
        if (at[0] == 0 && at[1] == 0)
            return slice_of(at + 9, (size_t)at[7] << 8 | at[8]);
    }
    return slice_of(at, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t message[FUZZ_SEED_BYTES_MAX];
    struct client_hello_told whole, part;
    if (size > PIECES_MAX)
        return 0;
    enum client_hello r = read_cut(data, size, size, &whole);
    for (size_t step = 1; step < size && step < 16; step += 3) {
        enum client_hello cut = read_cut(data, size, step, &part);
        ASSERT(cut == r);
        ASSERT(r != CLIENT_HELLO_whole || strcmp(part.server_name, whole.server_name) == 0);
    }
    if (r != CLIENT_HELLO_whole)
        return 0;
    size_t len = gather(data, size, message);
    ASSERT(len >= 4);
    struct slice name = find_name(message);
    ASSERT(slice_eq_nocase(name, slice_of_str(whole.server_name)));
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
#define RANDOM "0123456789abcdef0123456789abcdef"
#define SEED(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    static const struct {
        const char *bytes;
        size_t len;
    } seeds[] = {
        SEED("\x16\3\1\0\x39\1\0\0\x35\3\3" RANDOM "\0\0\2\x13\1\1\0"
             "\0\x0a\0\0\0\6\0\4\0\0\1a"),
        SEED("\x16\3\1\0\4\1\0\0\x42\x16\3\3\0\x42\3\3" RANDOM "\4sess\0\4\x13\1\xc0\x2f\1\0"
             "\0\x11\0\x17\0\0\0\0\0\x09\0\7\0\0\4a.bC"),
        SEED("\x16\3\1\0\x2d\1\0\0\x29\3\3" RANDOM "\0\0\2\x13\1\1\0"),
        SEED("GET / HTTP/1.1\r\n"),
    };
#undef SEED
#undef RANDOM
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    memcpy(ret, seeds[n].bytes, seeds[n].len);
    return seeds[n].len;
}
