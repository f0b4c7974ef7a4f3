/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzz target is: one function that takes bytes from a stranger, and seeds to begin with.
 * With libFuzzer (./dev fuzz) the bytes are its own; in every other build replay.c mutates the
 * seeds a bounded number of times, so that each target is also a test.
 *
 * Owner: the program. Thread: one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FUZZ_SEED_BYTES_MAX 65536u

/* Takes `size` bytes of anything; a finding is a crash. libFuzzer's own name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the n-th seed to `ret` (FUZZ_SEED_BYTES_MAX bytes); returns its length, 0 past the last.
 */
size_t fuzz_seed(unsigned n, uint8_t *ret);
