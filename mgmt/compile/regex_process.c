/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See regex_process.h. A job is one struct job, the lengths and the bytes of its patterns; its
 * answer is one struct answer and the database's bytes. Both ends are one program, so a message is
 * trusted to be what it says; only its end may come too soon.
 */
#include "compile/regex_process.h"

#include "abi/image_format.h"
#include "base/assert.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_FD = 3 };

struct job {
    uint32_t n;
    uint32_t bytes; /* of all patterns */
};

struct answer {
    uint64_t len; /* of the database; 0: see fault */
    struct route_pattern_fault fault;
};

/* False: the other end is gone. */
static bool send_all(int fd, const void *bytes, size_t len)
{
    for (const uint8_t *p = bytes; len > 0;) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool receive_all(int fd, void *bytes, size_t len)
{
    for (uint8_t *p = bytes; len > 0;) {
        ssize_t n = recv(fd, p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

/* ---- the process ---- */

/* Beyond the time the process dies of SIGPROF. */
static void limit_time(unsigned ms)
{
    struct itimerval t = {.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000}};
    setitimer(ITIMER_PROF, &t, NULL);
}

/* Beyond the memory malloc() fails, which Hyperscan tells. The sanitizers map terabytes. */
static void limit_memory(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    bool is_known = f != NULL && fscanf(f, "%lu", &pages) == 1;
    if (f != NULL)
        fclose(f);
    uint64_t now = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
    struct rlimit limit = {now + REGEX_PROCESS_BYTES_MAX, now + REGEX_PROCESS_BYTES_MAX};
    if (is_known)
        setrlimit(RLIMIT_AS, &limit);
}

/* Compiles what a job brought. */
static bool answer_job(int fd, const struct slice *patterns, uint32_t n)
{
    struct answer a = {0};
    void *bytes = NULL;
    size_t len = 0;
    limit_time(REGEX_JOB_CPU_MS_MAX);
    if (route_patterns_compile(patterns, n, &bytes, &len, &a.fault))
        a.len = len;
    limit_time(0);
    bool is_sent = send_all(fd, &a, sizeof(a)) && send_all(fd, bytes, a.len);
    free(bytes);
    return is_sent;
}

/* False: there is no more. */
static bool do_job(int fd)
{
    struct job job;
    uint32_t lens[IMAGE_PATTERNS_PER_SET_MAX];
    struct slice patterns[IMAGE_PATTERNS_PER_SET_MAX];
    if (!receive_all(fd, &job, sizeof(job)))
        return false;
    ASSERT(job.n <= IMAGE_PATTERNS_PER_SET_MAX);
    uint8_t *bytes = malloc((size_t)job.bytes + 1);
    bool is_there = bytes != NULL && receive_all(fd, lens, job.n * sizeof(lens[0])) &&
                    receive_all(fd, bytes, job.bytes);
    size_t at = 0;
    for (uint32_t i = 0; i < job.n && is_there; i++) {
        patterns[i] = slice_of(bytes + at, lens[i]);
        at += lens[i];
    }
    bool is_done = is_there && answer_job(fd, patterns, job.n);
    free(bytes);
    return is_done;
}

/* All that the process ever does. Nothing of mgmtd's stays open: no listener, no client's
 * connection, no database. */
static void run(int fd)
{
    signal(SIGPROF, SIG_DFL);
    signal(SIGINT, SIG_IGN); /* from a terminal; it ends with mgmtd */
    if (fd != CHILD_FD && dup2(fd, CHILD_FD) < 0)
        _exit(1);
    close_range(CHILD_FD + 1, ~0u, 0);
    limit_memory();
    while (do_job(CHILD_FD))
        ;
    _exit(0);
}

/* ---- mgmtd ---- */

void regex_process_init(struct regex_process *p)
{
    *p = (struct regex_process){.pid = 0, .fd = -1};
}

/* Ends the process, if it has not died by itself; its status as of waitpid(). */
static int end(struct regex_process *p)
{
    int status = 0;
    close(p->fd);
    kill(p->pid, SIGKILL);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    regex_process_init(p);
    return status;
}

void regex_process_done(struct regex_process *p)
{
    if (p->pid != 0)
        end(p);
}

static bool start(struct regex_process *p)
{
    int ends[2];
    if (p->pid != 0)
        return true;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    pid_t pid = fork();
    if (pid == 0)
        run(ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return false;
    }
    *p = (struct regex_process){.pid = pid, .fd = ends[0]};
    return true;
}

static bool send_job(int fd, const struct slice *patterns, uint32_t n)
{
    struct job job = {.n = n};
    uint32_t lens[IMAGE_PATTERNS_PER_SET_MAX];
    for (uint32_t i = 0; i < n; i++) {
        lens[i] = (uint32_t)patterns[i].len;
        job.bytes += lens[i];
    }
    bool is_sent = send_all(fd, &job, sizeof(job)) && send_all(fd, lens, n * sizeof(lens[0]));
    for (uint32_t i = 0; i < n && is_sent; i++)
        is_sent = send_all(fd, patterns[i].ptr, patterns[i].len);
    return is_sent;
}

/* False: the process died of the job, or is as good as dead. */
static bool receive_answer(int fd, struct answer *ret, void **ret_bytes)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int ready;
    do {
        ready = poll(&wait, 1, REGEX_JOB_WAIT_MS_MAX);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0 || !receive_all(fd, ret, sizeof(*ret)))
        return false;
    void *bytes = malloc(ret->len + 1);
    if (bytes == NULL || !receive_all(fd, bytes, ret->len)) {
        free(bytes);
        return false;
    }
    *ret_bytes = bytes;
    return true;
}

static enum regex_result fail(struct route_pattern_fault *ret, enum regex_result why,
                              const char *text)
{
    ret->pattern = UINT32_MAX;
    snprintf(ret->text, sizeof(ret->text), "%s", text);
    return why;
}

/* It gave no answer: what did it die of? */
static enum regex_result bury(struct regex_process *p, struct route_pattern_fault *ret_fault)
{
    int status = end(p);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
        return fail(ret_fault, REGEX_REFUSED, "it takes too long to compile");
    return fail(ret_fault, REGEX_FAILED, "the process that compiles it died");
}

enum regex_result regex_process_compile(struct regex_process *p, const struct slice *patterns,
                                        uint32_t n, void **ret_bytes, size_t *ret_len,
                                        struct route_pattern_fault *ret_fault)
{
    struct answer a;
    void *bytes;
    ASSERT(n > 0 && n <= IMAGE_PATTERNS_PER_SET_MAX);
    if (!start(p))
        return fail(ret_fault, REGEX_FAILED, "no process can be started to compile it");
    if (!send_job(p->fd, patterns, n) || !receive_answer(p->fd, &a, &bytes))
        return bury(p, ret_fault);
    if (a.len == 0) {
        *ret_fault = a.fault;
        free(bytes);
        return REGEX_REFUSED;
    }
    *ret_bytes = bytes;
    *ret_len = a.len;
    return REGEX_COMPILED;
}
