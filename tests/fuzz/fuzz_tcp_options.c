/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP options: what is refused is refused for a length; what is accepted says what a second, slow
 * reader finds; and what is built from it is read back the same.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "tcp/options.h"

#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 40u

enum { END = 0, NOP = 1, MSS = 2, WSCALE = 3, SACK_PERMITTED = 4, SACK = 5, TIMESTAMPS = 8 };

/* The last option of this kind and length; NULL: there is none. *ret_is_whole: no length leads out
 * of the header. */
static const uint8_t *find(const uint8_t *p, size_t size, unsigned kind, unsigned bytes,
                           bool *ret_is_whole)
{
    const uint8_t *found = NULL;
    *ret_is_whole = true;
    for (size_t at = 0; at < size && p[at] != END;) {
        if (p[at] == NOP) {
            at++;
            continue;
        }
        if (at + 1 == size || p[at + 1] < 2 || at + p[at + 1] > size) {
            *ret_is_whole = false;
            return found;
        }
        if (p[at] == kind && p[at + 1] == bytes)
            found = p + at;
        at += p[at + 1];
    }
    return found;
}

static void compare(const uint8_t *p, size_t size, const struct tcp_options *o)
{
    bool is_whole;
    const uint8_t *mss = find(p, size, MSS, 4, &is_whole);
    ASSERT(is_whole);
    ASSERT(o->has_mss == (mss != NULL));
    ASSERT(mss == NULL || o->mss == (mss[2] << 8 | mss[3]));
    const uint8_t *wscale = find(p, size, WSCALE, 3, &is_whole);
    ASSERT(o->has_wscale == (wscale != NULL));
    ASSERT(wscale == NULL || o->wscale == (wscale[2] < 14 ? wscale[2] : 14)); /* RFC 7323, 2.3 */
    ASSERT(o->has_sack_permitted == (find(p, size, SACK_PERMITTED, 2, &is_whole) != NULL));
    const uint8_t *ts = find(p, size, TIMESTAMPS, 10, &is_whole);
    ASSERT(o->has_timestamps == (ts != NULL));
    ASSERT(ts == NULL || (o->ts_value == ((uint32_t)ts[2] << 24 | (uint32_t)ts[3] << 16 |
                                          (uint32_t)ts[4] << 8 | ts[5])));
    ASSERT(o->n_sack <= 4);
}

/* Built and read again: the same, but for blocks that had no room. */
static void rebuild(const struct tcp_options *o)
{
    uint8_t bytes[TCP_OPTIONS_BYTES_MAX];
    struct tcp_options again;
    unsigned n = tcp_options_build(bytes, o);
    ASSERT(n == tcp_options_bytes(o) && n % 4 == 0 && n <= TCP_OPTIONS_BYTES_MAX);
    ASSERT(tcp_options_parse(bytes, n, &again));
    ASSERT(again.has_mss == o->has_mss && (!o->has_mss || again.mss == o->mss));
    ASSERT(again.has_wscale == o->has_wscale && (!o->has_wscale || again.wscale == o->wscale));
    ASSERT(again.has_sack_permitted == o->has_sack_permitted);
    ASSERT(again.has_timestamps == o->has_timestamps);
    ASSERT(!o->has_timestamps || (again.ts_value == o->ts_value && again.ts_echo == o->ts_echo));
    ASSERT(again.n_sack <= o->n_sack);
    ASSERT(memcmp(again.sack, o->sack, again.n_sack * sizeof(o->sack[0])) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tcp_options o;
    bool is_whole;
    if (size > BYTES_MAX)
        return 0;
    bool is_good = tcp_options_parse(data, (unsigned)size, &o);
    find(data, size, END, 0, &is_whole);
    ASSERT(is_good || size > 0);
    if (!is_good)
        return 0;
    ASSERT(is_whole);
    compare(data, size, &o);
    rebuild(&o);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    static const struct {
        uint8_t len;
        uint8_t bytes[BYTES_MAX];
    } seeds[] = {
        {20, {2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}},
        {12, {1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 7}},
        {24, {1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 7, 1, 1, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0}},
        {36, {1, 1, 5, 34, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0,
              4, 0, 0, 0,  5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8, 0}},
        {8, {34, 6, 1, 2, 3, 4, 0, 99}},
    };
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    memcpy(ret, seeds[n].bytes, seeds[n].len);
    return seeds[n].len;
}
