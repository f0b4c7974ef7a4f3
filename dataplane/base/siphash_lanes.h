/* SPDX-License-Identifier: Apache-2.0 */
/* Private to siphash_pairs.c: SipHash of several keys at once, for processors that have the vectors
 * (siphash_lanes.c). Pure; thread: any. */
#pragma once

#include "base/siphash.h"

#define SIPHASH_LANES 8u

/* What siphash13() gives of first[i] and second[i], for SIPHASH_LANES pairs. */
typedef void siphash_lanes_fn(const struct siphash_state *begin, const uint64_t *first,
                              const uint64_t *second, uint64_t *ret);

/* By AVX-512, which rotates; by AVX2, in halves. */
siphash_lanes_fn siphash13_avx512;
siphash_lanes_fn siphash13_avx2;
