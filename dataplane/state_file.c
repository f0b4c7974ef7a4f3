/* SPDX-License-Identifier: Apache-2.0 */
/* Whole files, durably. Thread: housekeeping. */
#include "state_file.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES 64u

struct state_dir {
    int fd;
};

/* Opens the directory `name` in `at`, and makes it if it is missing. */
static int open_dir(int at, const char *name)
{
    if (mkdirat(at, name, 0700) != 0 && errno != EEXIST)
        return -1;
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct state_dir *state_dir_open(const char *path, const char *name)
{
    struct state_dir *d = malloc(sizeof(*d));
    if (d == NULL)
        return NULL;
    int parent = open_dir(AT_FDCWD, path);
    d->fd = parent < 0 ? -1 : open_dir(parent, name);
    int fault = errno;
    if (parent >= 0)
        close(parent);
    if (d->fd < 0) {
        free(d);
        errno = fault;
        return NULL;
    }
    return d;
}

void state_dir_close(struct state_dir *d)
{
    if (d == NULL)
        return;
    close(d->fd);
    free(d);
}

int state_dir_fd(const struct state_dir *d)
{
    return d->fd;
}

static bool write_all(int fd, const uint8_t *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        length -= (size_t)n;
    }
    return true;
}

bool state_file_write(struct state_dir *d, const char *name, const void *data, size_t length)
{
    char fresh[NAME_BYTES];
    snprintf(fresh, sizeof(fresh), "%s.new", name);
    int fd = openat(d->fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool is_down = write_all(fd, data, length) && fsync(fd) == 0;
    int fault = errno;
    close(fd);
    if (is_down && renameat(d->fd, fresh, d->fd, name) == 0)
        return fsync(d->fd) == 0;
    if (is_down)
        fault = errno;
    unlinkat(d->fd, fresh, 0);
    errno = fault;
    return false;
}

/* Reads `length` bytes from the start. A file that shrank meanwhile is an error. */
static bool read_all(int fd, uint8_t *data, size_t length)
{
    for (size_t have = 0; have < length;) {
        ssize_t n = pread(fd, data + have, length - have, (off_t)have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    return true;
}

/* The open file's bytes in memory of their own: what happens to the file later cannot reach us. */
static bool read_open(int fd, size_t bytes_max, void **ret_data, size_t *ret_length)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > bytes_max) {
        errno = EFBIG;
        return false;
    }
    size_t length = (size_t)st.st_size;
    void *data = NULL;
    if (length > 0) {
        data = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (data == MAP_FAILED)
            return false;
        if (!read_all(fd, data, length)) {
            state_file_unmap(data, length);
            return false;
        }
    }
    *ret_data = data;
    *ret_length = length;
    return true;
}

bool state_file_read(struct state_dir *d, const char *name, size_t bytes_max, void **ret_data,
                     size_t *ret_length)
{
    int fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_read = read_open(fd, bytes_max, ret_data, ret_length);
    int fault = errno;
    close(fd);
    errno = fault;
    return is_read;
}

void state_file_unmap(void *data, size_t length)
{
    if (length > 0)
        munmap(data, length);
}

void state_file_set_aside(struct state_dir *d, const char *name)
{
    char aside[NAME_BYTES];
    snprintf(aside, sizeof(aside), "%s.damaged", name);
    renameat(d->fd, name, d->fd, aside); /* best effort: at worst it is refused again */
}
