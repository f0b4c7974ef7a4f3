/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handshakes take turns here, so that they never hold up a worker's round. A stream that has what
 * the next step of its handshake needs is due; who takes the step is one of two:
 *
 *   crypto cores  by lanes (base/jobs.h): public-key work, all of it, is done on other cores, and a
 *                 step costs the worker the moving of bytes
 *   the worker    where there are none: one step a round. What a round with a step took beyond
 *                 TLS_HERE_US_MAX is owed to the rounds that follow, as long as these receive
 *                 frames: so many go without a step that on average no round gives handshakes more
 *
 * A device does its work below the library, which lets go of a step while the device is at it
 * (SSL_MODE_ASYNC); whoever began the step, core or worker, looks after it again and again, and
 * takes others meanwhile: the same contract.
 *
 * Begun handshakes go before new ones, so a flood ends some instead of beginning all. New ones wait
 * in a queue of their client's network, and the queues take turns: who comes with a thousand waits
 * for them himself (stochastic fairness queueing, McKenney 1990). When TLS_DUE_MAX wait, the last
 * of the longest queue is refused for one that comes.
 *
 * Owner: the worker. Thread: the worker's. Memory: fixed; what is due is in the streams.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct job_lane;
struct siphash_key;
struct stream;

/* Handshakes that wait for a step, of a worker. At 500 us each (RSA, by the worker itself) the last
 * one waits two seconds, which a client may still do; beyond, it would only make all wait. */
#define TLS_DUE_MAX 4096u
/* Queues of new ones; networks that share one by chance share their turns. */
#define TLS_QUEUES 1024u
/* Clients that owe us the next message of their handshake, of a worker, and as many more for each
 * of its crypto cores; each keeps 52 KB of the heap for it, as does one that is due. Whoever has
 * let us wait longest is ended for one more: at 3,000 begun a second, which is all that a core can
 * do, after a second. */
#define TLS_OWING_MAX 4096u
/* Of a round, on average, while frames come in: what a request and its answer cost three times. */
#define TLS_HERE_US_MAX 100u
/* Steps that a device is at, of a worker without crypto cores. */
#define TLS_PAUSED_MAX 64u
/* How long a worker may sleep while a step is with a crypto core or a device. */
#define TLS_AWAY_SLEEP_US_MAX 50u
/* Crypto cores of one worker. */
#define TLS_LANES_MAX 16u

struct tls_crypto;

/* What it did since it was made, and has now. */
struct tls_crypto_counts {
    uint64_t here;     /* steps taken by the worker */
    uint64_t away;     /* steps taken by crypto cores */
    uint64_t away_ns;  /* what they took there */
    uint32_t due_now;  /* streams that wait for a step */
    uint32_t away_now; /* streams whose step is under way elsewhere */
};

/* Of a worker with lanes to so many crypto cores, at most TLS_LANES_MAX; 0: none. The lanes stay
 * the caller's. By `key`, a secret, networks find their queues. NULL: no memory. */
struct tls_crypto *tls_crypto_new(struct job_lane *const *lanes, unsigned n,
                                  const struct siphash_key *key);

/* The crypto cores have ended and all streams were let go: frees what waited for a step to end.
 * NULL is fine. */
void tls_crypto_free(struct tls_crypto *c);

/* Handshakes of this stream take turns from now on. Right after tls_accept_by_name() or
 * tls_connect(), which else take each step at once. `c` outlives it. NULL: as before. */
void tls_use_crypto(struct stream *s, struct tls_crypto *c);

/* Once a round: takes what came back, and gives or takes the next steps. `is_loaded`: this round
 * received frames. Returns how many things it did. */
unsigned tls_crypto_poll(struct tls_crypto *c, uint64_t now_us, bool is_loaded);

/* When it wants the next round at the latest. */
uint64_t tls_crypto_next_us(const struct tls_crypto *c, uint64_t now_us);

/* For counters. */
void tls_crypto_counts(const struct tls_crypto *c, struct tls_crypto_counts *ret);
