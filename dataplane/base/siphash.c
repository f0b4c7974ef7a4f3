/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 as the paper gives it: 2 compression rounds a word, 4 finalization rounds. */
#include "base/siphash.h"

#include <string.h>

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

static inline void sip_round(struct sip_state *s)
{
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip_state *s, uint64_t word)
{
    s->v3 ^= word;
    sip_round(s);
    sip_round(s);
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
    struct sip_state s = {
        .v0 = key->k0 ^ 0x736f6d6570736575ULL,
        .v1 = key->k1 ^ 0x646f72616e646f6dULL,
        .v2 = key->k0 ^ 0x6c7967656e657261ULL,
        .v3 = key->k1 ^ 0x7465646279746573ULL,
    };
    const uint8_t *p = data;
    for (size_t left = len; left >= 8; left -= 8, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        sip_word(&s, word);
    }
    sip_word(&s, (uint64_t)len << 56 | last_word(data, len));
    s.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
