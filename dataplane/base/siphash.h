/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012). For every table whose
 * keys a stranger chooses: flows, hosts, cookies. Pure; thread: any.
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
