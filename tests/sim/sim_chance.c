/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See sim_chance.h. The library asks libc for the time, and in a program that has a time() of its
 * own it finds that one. Random bytes go by its old table of functions, which stands before every
 * generator of its own, also where its providers make keys and nonces.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "sim_chance.h"

#include "base/assert.h"
#include "base/rng.h"

#include <openssl/rand.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

static struct rng chance;
static uint64_t now_us = SIM_UNIX_S * 1000000ull;

static int bytes_of_seed(unsigned char *ret, int n)
{
    for (int at = 0; at < n; at += 8) {
        uint64_t next = rng_next(&chance);
        memcpy(ret + at, &next, n - at < 8 ? (size_t)(n - at) : 8);
    }
    return 1;
}

static int has_enough(void)
{
    return 1;
}

/* libc's, of the run. */
time_t time(time_t *ret)
{
    time_t s = (time_t)(now_us / 1000000);
    if (ret != NULL)
        *ret = s;
    return s;
}

/* Likewise: OpenSSL 3.2 and later ask here. */
int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    ret->tv_sec = (time_t)(now_us / 1000000);
    ret->tv_usec = (suseconds_t)(now_us % 1000000);
    return 0;
}

void sim_chance_begin(uint64_t seed)
{
    static const RAND_METHOD method = {
        .bytes = bytes_of_seed, .pseudorand = bytes_of_seed, .status = has_enough};
    int is_set = RAND_set_rand_method(&method);
    ASSERT(is_set == 1);
    chance = (struct rng){seed};
}

void sim_chance_tell_time(uint64_t us)
{
    now_us = SIM_UNIX_S * 1000000ull + us;
}
