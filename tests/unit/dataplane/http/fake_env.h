/* SPDX-License-Identifier: Apache-2.0 */
/* An http_env for tests: buffers from malloc (the sanitizer sees wrong use), faults remembered. */
#pragma once

#include "http/http_env.h"

struct fake_env {
    struct http_env env;
    unsigned bufs;     /* out now; 0 when all is over */
    unsigned bufs_max; /* then there is none left */
    unsigned faults[HTTP_FAULT_COUNT];
    unsigned n_faults;
    enum http_fault last_fault;
};

/* With so many buffers, and without a date. */
void fake_env_init(struct fake_env *e, unsigned bufs_max);
