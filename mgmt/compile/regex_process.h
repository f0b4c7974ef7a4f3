/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of its own that compiles regular expressions, so that no pattern can hold up, fill or
 * crash mgmtd: each job has so much time on the processor and so much memory, and a process that
 * goes beyond dies and is replaced. (Hyperscan has no limit of its own: patterns of some hundred
 * bytes are known that take a second, and a host may have thousands of them.)
 *
 * The process is forked when it is first needed and ends with mgmtd: it has nothing of mgmtd's open
 * but its own socket.
 *
 * Owner: regex_cache. Thread: mgmtd's. Cost: two messages a job, some 20 us.
 */
#pragma once

#include "route/pattern_compile.h"

#include <sys/types.h>

#define REGEX_JOB_CPU_MS_MAX 2000u         /* of all patterns that are compiled together */
#define REGEX_JOB_WAIT_MS_MAX 60000        /* for a machine on which that takes so long */
#define REGEX_PROCESS_BYTES_MAX (1u << 30) /* address space beyond what it begins with */

struct regex_process {
    pid_t pid; /* 0: none runs */
    int fd;
};

/* None runs yet; the first job starts one. */
void regex_process_init(struct regex_process *p);

/* Ends it. */
void regex_process_done(struct regex_process *p);

enum regex_result {
    REGEX_COMPILED,
    REGEX_REFUSED, /* by Hyperscan, or because it takes too long: and always will be */
    REGEX_FAILED,  /* the process died, or none can be had: another time, perhaps */
};

/* As route_patterns_compile(). */
enum regex_result regex_process_compile(struct regex_process *p, const struct slice *patterns,
                                        uint32_t n, void **ret_bytes, size_t *ret_len,
                                        struct route_pattern_fault *ret_fault);
