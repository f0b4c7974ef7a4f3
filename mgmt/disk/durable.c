/* SPDX-License-Identifier: Apache-2.0 */
/* See durable.h. */
#include "disk/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

/* Into the open file, and down. Closes it. */
static int fill(int fd, const void *data, size_t bytes)
{
    errno = EIO; /* of a write that took less */
    bool is_down = write(fd, data, bytes) == (ssize_t)bytes && fsync(fd) == 0;
    int error = is_down ? 0 : -errno;
    return close(fd) != 0 && error == 0 ? -errno : error;
}

int durable_write(const char *path, mode_t mode, const void *data, size_t bytes)
{
    char fresh[PATH_MAX];
    int n = snprintf(fresh, sizeof(fresh), "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof(fresh)) {
        return -ENAMETOOLONG;
    }
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return -errno;
    }
    int error = fill(fd, data, bytes);
    if (error == 0 && rename(fresh, path) != 0) {
        error = -errno;
    }
    return error;
}
