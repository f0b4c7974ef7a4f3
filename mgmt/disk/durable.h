/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are there whole, or as they were, whenever power fails. Thread: any. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Writes `bytes` of `data` beside `path` (PATH.new), on the disk when it returns, and puts it in
 * its place with `mode`. 0, or negative errno: the file is as it was. */
int durable_write(const char *path, mode_t mode, const void *data, size_t bytes);
