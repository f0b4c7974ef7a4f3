/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that lines are written to, behind a bounded buffer and a thread of its own. write() to a
 * file waits for the disk whatever flags the file has, and housekeeping must not: a disk that hangs
 * would keep images from the workers. So housekeeping puts whole lines into a ring of bytes, and
 * the thread is the only one that waits. No lock: each end of the ring has one writer.
 *
 *   full disk, slow disk   the thread tries again; the ring fills; lines are refused, whole ones
 *   file moved away        the next line goes to a new file of the old name: rotation is `mv`
 *   no such directory      the same as a full disk: it may come
 *
 * Owner, thread: housekeeping. Bound: ACCESS_BUFFER_BYTES_MAX.
 */
#pragma once

#include "access/access_limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct access_file;

/* Begins to write to `path`, which is copied. NULL: no memory, or no thread. Whether it can be
 * opened is told by access_file_fault(). */
struct access_file *access_file_open(const char *path);

/* Takes these whole lines; false: there is no room now. Never waits. */
bool access_file_put(struct access_file *f, const char *lines, size_t len);

/* What hinders it now, as errno; 0: nothing. `ret_n`: how often anything did since it was opened.
 */
int access_file_fault(const struct access_file *f, uint64_t *ret_n);

/* Writes what it has, waits for that no longer than ACCESS_CLOSE_MS_MAX, and frees it. NULL:
 * nothing. */
void access_file_close(struct access_file *f);
