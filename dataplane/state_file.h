/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files in the state directory that are either old or new, never half: written beside, synced,
 * renamed. Thread: housekeeping.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state_dir;

/* Opens the directory PATH/NAME, and makes both if they are missing. NULL: errno says why not. */
struct state_dir *state_dir_open(const char *path, const char *name);

/* Closes it. NULL: nothing. */
void state_dir_close(struct state_dir *d);

/* The descriptor, for openat(). */
int state_dir_fd(const struct state_dir *d);

/* Replaces the file `name` by these bytes; after true they survive a power failure. False: errno
 * says why not, the old file is still there. */
bool state_file_write(struct state_dir *d, const char *name, const void *data, size_t length);

/* Reads the whole file into fresh page-aligned memory (free by state_file_unmap()). False: there is
 * no such file (errno ENOENT), it is longer than `bytes_max` (EFBIG), or errno. An empty file has
 * length 0 and memory NULL. */
bool state_file_read(struct state_dir *d, const char *name, size_t bytes_max, void **ret_data,
                     size_t *ret_length);

/* Gives the memory back. */
void state_file_unmap(void *data, size_t length);

/* Moves a damaged file aside as NAME.damaged, so that it can be looked at and is not read again. */
void state_file_set_aside(struct state_dir *d, const char *name);
