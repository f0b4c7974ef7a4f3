/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one worker and the verifier share: passwords and tokens to look at, and what was found. A
 * ring of fixed places; three numbers that only grow say who has which place, each has one writer,
 * nobody waits.
 *
 *   taken <= answered <= asked <= taken + VERIFY_JOBS_MAX
 *
 *   places from answered to asked: the verifier's, in the order in which they were asked
 *   places from taken to answered: answered, the worker has not looked yet
 *   all others: the worker's, free
 *
 * The worker's half never waits and takes no memory. Who plays the verifier is open: a thread
 * (verify_thread.h), or a test in its own time.
 */
#pragma once

#include "verify/verify_jwt.h"

#include <stdbool.h>
#include <stdint.h>

/* Of a worker, under way: at 50 ms each (bcrypt, cost 10) the last one waits three seconds. Beyond:
 * 503, counted. A power of two. */
#define VERIFY_JOBS_MAX 64u
#define VERIFY_PASSWORD_BYTES_MAX 255u /* crypt(3) takes 511 */
#define VERIFY_HASH_BYTES_MAX 127u     /* as the image has them */

/* What was found. */
struct verify_answer {
    bool is_good;
    uint32_t from_s; /* Unix time; a password: 0 */
    uint32_t to_s;   /* likewise: VERIFY_FOR_EVER */
};

#define VERIFY_FOR_EVER UINT32_MAX

struct verify_job {
    bool is_token;
    union {
        struct {
            char password[VERIFY_PASSWORD_BYTES_MAX + 1];
            char hash[VERIFY_HASH_BYTES_MAX + 1];
        };
        struct verify_jwt jwt;
    };
    struct verify_answer answer;
};

struct verify_lane;

/* A lane, empty; NULL: no memory. */
struct verify_lane *verify_lane_new(void);

/* Frees it, and what was asked last with it. NULL: nothing. */
void verify_lane_free(struct verify_lane *lane);

/* The number that the next job will have; numbers grow by one. Worker's. */
uint64_t verify_lane_next(const struct verify_lane *lane);

/* Asks whether the password has the hash; both fit (NUL-terminated, copied). False: VERIFY_JOBS_MAX
 * are under way. Worker's. */
bool verify_lane_ask(struct verify_lane *lane, const char *password, const char *hash);

/* Where the next token goes, to be filled whole and asked for by verify_lane_ask_token(). NULL:
 * VERIFY_JOBS_MAX are under way. Worker's. */
struct verify_jwt *verify_lane_room(struct verify_lane *lane);

/* Asks whether the token is good that verify_lane_room() had room for. Worker's. */
void verify_lane_ask_token(struct verify_lane *lane);

/* The answer to the oldest job that has one and was not taken. False: none. Worker's. */
bool verify_lane_take(struct verify_lane *lane, uint64_t *ret_number, struct verify_answer *ret);

/* The oldest job without an answer; NULL: none. Verifier's. */
const struct verify_job *verify_lane_oldest(struct verify_lane *lane);

/* Answers it, and wipes the password or token. Verifier's. */
void verify_lane_answer(struct verify_lane *lane, struct verify_answer answer);
