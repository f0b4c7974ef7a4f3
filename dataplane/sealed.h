/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that came from another process, which can neither change nor cut it any more. Thread:
 * housekeeping. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Maps a memfd of `length` bytes read-only, at most `bytes_max`, if it is sealed against writing
 * and resizing. NULL: `fault` says why not. munmap() it. */
void *sealed_map(int fd, uint64_t length, uint64_t bytes_max, char *fault, size_t fault_bytes);
