/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012). For every table whose
 * keys a stranger chooses: hosts, cookies. SipHash-1-3 for tables that each packet is looked up in:
 * half the rounds, which its authors and those of Linux (hsiphash), Rust and Python take to be
 * enough where only a table's evenness is at stake. Pure; thread: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0;
    uint64_t k1;
};

/* 64-bit keyed hash of `len` bytes. */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t len);

/* What both are made of. */
struct siphash_state {
    uint64_t v0, v1, v2, v3;
};

#define SIPHASH_ROTL(x, bits) ((x) << (bits) | (x) >> (64 - (bits)))

/* A round, on words or on vectors of them: what `s` points to has v0 to v3. */
#define SIPHASH_ROUND(s)                                                                           \
    do {                                                                                           \
        (s)->v0 += (s)->v1;                                                                        \
        (s)->v1 = SIPHASH_ROTL((s)->v1, 13) ^ (s)->v0;                                             \
        (s)->v0 = SIPHASH_ROTL((s)->v0, 32);                                                       \
        (s)->v2 += (s)->v3;                                                                        \
        (s)->v3 = SIPHASH_ROTL((s)->v3, 16) ^ (s)->v2;                                             \
        (s)->v0 += (s)->v3;                                                                        \
        (s)->v3 = SIPHASH_ROTL((s)->v3, 21) ^ (s)->v0;                                             \
        (s)->v2 += (s)->v1;                                                                        \
        (s)->v1 = SIPHASH_ROTL((s)->v1, 17) ^ (s)->v2;                                             \
        (s)->v2 = SIPHASH_ROTL((s)->v2, 32);                                                       \
    } while (0)

static inline struct siphash_state siphash_begin(const struct siphash_key *key)
{
    return (struct siphash_state){
        .v0 = key->k0 ^ 0x736f6d6570736575ULL,
        .v1 = key->k1 ^ 0x646f72616e646f6dULL,
        .v2 = key->k0 ^ 0x6c7967656e657261ULL,
        .v3 = key->k1 ^ 0x7465646279746573ULL,
    };
}

static inline void siphash_round(struct siphash_state *s)
{
    SIPHASH_ROUND(s);
}

static inline void siphash13_word(struct siphash_state *s, uint64_t word)
{
    s->v3 ^= word;
    siphash_round(s);
    s->v0 ^= word;
}

/* SipHash-1-3 of `n` words of 8 bytes, as they lie in memory. */
static inline uint64_t siphash13(const struct siphash_key *key, const uint64_t *words, size_t n)
{
    struct siphash_state s = siphash_begin(key);
    for (size_t i = 0; i < n; i++)
        siphash13_word(&s, words[i]);
    siphash13_word(&s, (uint64_t)n << 59); /* the number of bytes, in the highest */
    s.v2 ^= 0xff;
    for (unsigned i = 0; i < 3; i++)
        siphash_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* SipHash-1-3 of first[i] and second[i], two words each, for `n` pairs: what siphash13() gives, of
 * several at once where the processor has vectors for that (siphash_pairs.c). */
void siphash13_pairs(const struct siphash_key *key, const uint64_t *first, const uint64_t *second,
                     uint64_t *ret, unsigned n);
