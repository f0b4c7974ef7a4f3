/* SPDX-License-Identifier: Apache-2.0 */
/* See access/access_file.h. */
#include "access/access_file.h"

#include "base/assert.h"
#include "base/minmax.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MASK (ACCESS_BUFFER_BYTES_MAX - 1)
#define FILE_MODE 0640 /* whoever asks what is in it */

_Static_assert((ACCESS_BUFFER_BYTES_MAX & MASK) == 0, "positions are masked");

struct access_file {
    _Alignas(64) uint64_t head; /* bytes ever put; housekeeping's */
    bool is_closing;            /* housekeeping's */
    pthread_t thread;
    _Alignas(64) uint64_t tail; /* bytes ever written; from here on the thread's */
    uint64_t faults;
    int fault; /* errno */
    int fd;    /* -1: not open */
    bool is_within_line;
    char *path;
    _Alignas(64) char bytes[ACCESS_BUFFER_BYTES_MAX];
};

static void sleep_ms(unsigned ms)
{
    const struct timespec wait = {.tv_nsec = (long)ms * 1000000};
    nanosleep(&wait, NULL);
}

static bool fail(struct access_file *f, int fault)
{
    __atomic_store_n(&f->faults, f->faults + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&f->fault, fault, __ATOMIC_RELAXED);
    return false;
}

/* Is the open file the one that has the name? */
static bool is_in_place(const struct access_file *f)
{
    struct stat named;
    struct stat opened;
    return stat(f->path, &named) == 0 && fstat(f->fd, &opened) == 0 &&
           named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

/* Opens the file if it is not, or if it was moved away; a line goes wholly into one file. */
static bool open_file(struct access_file *f)
{
    if (f->fd >= 0 && (f->is_within_line || is_in_place(f)))
        return true;
    if (f->fd >= 0)
        close(f->fd);
    f->fd =
        open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, FILE_MODE);
    return f->fd >= 0 || fail(f, errno);
}

/* Writes what there is up to the ring's end. False: it cannot, for now. */
static bool write_some(struct access_file *f, uint64_t head)
{
    uint64_t at = f->tail & MASK;
    size_t n = min64(head - f->tail, ACCESS_BUFFER_BYTES_MAX - at);
    ASSERT(n > 0);
    if (!open_file(f))
        return false;
    ssize_t done = write(f->fd, f->bytes + at, n);
    if (done <= 0)
        return fail(f, done < 0 ? errno : ENOSPC);
    f->is_within_line = f->bytes[at + (size_t)done - 1] != '\n';
    __atomic_store_n(&f->tail, f->tail + (size_t)done, __ATOMIC_RELEASE);
    __atomic_store_n(&f->fault, 0, __ATOMIC_RELAXED);
    return true;
}

/* The thread: writes until it is told to end, and then what is left, as long as that goes. */
static void *run(void *arg)
{
    struct access_file *f = arg;
    for (;;) {
        bool is_closing = __atomic_load_n(&f->is_closing, __ATOMIC_ACQUIRE);
        uint64_t head = __atomic_load_n(&f->head, __ATOMIC_ACQUIRE);
        if (head == f->tail) {
            if (is_closing)
                break;
            sleep_ms(ACCESS_SLEEP_MS_MAX);
        } else if (!write_some(f, head)) {
            if (is_closing)
                break;
            sleep_ms(ACCESS_RETRY_MS_MAX);
        }
    }
    return NULL;
}

struct access_file *access_file_open(const char *path)
{
    struct access_file *f = aligned_alloc(64, sizeof(*f));
    if (f == NULL)
        return NULL;
    memset(f, 0, sizeof(*f));
    f->fd = -1;
    f->path = strdup(path);
    if (f->path == NULL || !thread_start(&f->thread, run, f)) {
        free(f->path);
        free(f);
        return NULL;
    }
    return f;
}

bool access_file_put(struct access_file *f, const char *lines, size_t len)
{
    uint64_t tail = __atomic_load_n(&f->tail, __ATOMIC_ACQUIRE);
    ASSERT(len > 0 && len <= ACCESS_LINE_BYTES_MAX && lines[len - 1] == '\n' && !f->is_closing);
    if (f->head + len - tail > ACCESS_BUFFER_BYTES_MAX)
        return false;
    size_t at = f->head & MASK;
    size_t first = min64(len, ACCESS_BUFFER_BYTES_MAX - at);
    memcpy(f->bytes + at, lines, first);
    memcpy(f->bytes, lines + first, len - first);
    __atomic_store_n(&f->head, f->head + len, __ATOMIC_RELEASE);
    return true;
}

int access_file_fault(const struct access_file *f, uint64_t *ret_n)
{
    *ret_n = __atomic_load_n(&f->faults, __ATOMIC_RELAXED);
    return __atomic_load_n(&f->fault, __ATOMIC_RELAXED);
}

void access_file_close(struct access_file *f)
{
    struct timespec until;
    if (f == NULL)
        return;
    __atomic_store_n(&f->is_closing, true, __ATOMIC_RELEASE);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ACCESS_CLOSE_MS_MAX / 1000;
    if (pthread_timedjoin_np(f->thread, NULL, &until) != 0) {
        pthread_detach(f->thread); /* the disk hangs: what the thread looks at stays */
        return;
    }
    if (f->fd >= 0)
        close(f->fd);
    free(f->path);
    free(f);
}
