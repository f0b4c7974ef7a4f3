/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stranger's talk with the stack, read from a fuzzer's bytes as a list of deeds. Most are not
 * frames of random bytes but answers to what the stack sent last, a little wrong: right addresses,
 * ports, numbers and checksums, with some fields moved and some bytes changed. So the fuzzer gets
 * behind the first checks.
 *
 *   deed (byte % 8)  then
 *   0  frame         length (2), bytes; checksums are made right
 *   1  raw frame     length (2), bytes as they are
 *   2..4  answer     which of the last sent, flags, seq and ack off by, window (2), payload * 8,
 *                    length of options, options, number of patches, (where, what) each
 *   5  time          t: t^3 microseconds
 *   6  application   which stream and what, how much * 64
 *   7  again         which of the frames before comes once more
 *
 * Owner: the target. Uses stack.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Does all of it, until the bytes end or a bound of deeds is reached. */
void talk(const uint8_t *data, size_t size);
