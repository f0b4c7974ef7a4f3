/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 as the paper gives it: 2 compression rounds a word, 4 finalization rounds. */
#include "base/siphash.h"

#include <string.h>

static inline void sip_word(struct siphash_state *s, uint64_t word)
{
    s->v3 ^= word;
    siphash_round(s);
    siphash_round(s);
    s->v0 ^= word;
}

/* The len % 8 bytes at the end of the data, the first of them lowest. */
static inline uint64_t last_word(const uint8_t *data, size_t len)
{
    uint64_t word = 0;
    size_t left = len % 8;
    if (left == 0)
        return 0;
    if (len >= 8) { /* the last eight, without those that were taken */
        memcpy(&word, data + len - 8, 8);
        return word >> (64 - 8 * left);
    }
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)data[i] << (8 * i);
    return word;
}

uint64_t siphash(const struct siphash_key *key, const void *data, size_t len)
{
    struct siphash_state s = siphash_begin(key);
    const uint8_t *p = data;
    for (size_t left = len; left >= 8; left -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        sip_word(&s, word);
    }
    sip_word(&s, (uint64_t)len << 56 | last_word(data, len));
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        siphash_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
