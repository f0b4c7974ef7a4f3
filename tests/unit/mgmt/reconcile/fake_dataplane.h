/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dataplane of the test's own behind a real control socket: it keeps what it was sent and answers
 * when it is told to. Runs the loop of the code under test while it waits: for as long as it takes,
 * since a machine that has much to do may stop us for longer than many rounds last, and the code
 * under test rests by the clock.
 */
#pragma once

#include "abi/endpoints.h"
#include "abi/image.h"
#include "publish/control_io.h"

#include <stdbool.h>
#include <stdint.h>

#define FAKE_WAIT_US_MAX 20000000u /* ten times what a change may have to wait for a run */

struct loop;

struct fake_dataplane {
    struct loop *loop;
    int listener;
    int peer;
    unsigned images;           /* PUBLISH messages so far */
    unsigned records;          /* ENDPOINTS messages so far */
    uint64_t generation;       /* of the latest image */
    uint64_t content_checksum; /* of the latest image */
    uint32_t last_group;
    uint32_t last_count;
    uint16_t last_flags;
    struct control_received received;
};

/* Listens in `dir`. */
void fake_open(struct fake_dataplane *f, struct loop *loop, const char *dir);

/* Closes the socket and removes it from `dir`. */
void fake_close(struct fake_dataplane *f, const char *dir);

/* Takes a manager's connection and its HELLO, and says WELCOME with what it serves; the newest that
 * it accepted is f->generation. */
void fake_welcome(struct fake_dataplane *f, uint64_t generation, uint64_t content_checksum);

/* Microseconds of a clock that goes on whatever happens. */
uint64_t fake_clock_us(void);

/* Runs until `cond` holds. Ends the test if that takes too long. */
#define FAKE_WAIT(f, cond)                                                                         \
    do {                                                                                           \
        uint64_t end_us = fake_clock_us() + FAKE_WAIT_US_MAX;                                      \
        while (!(cond) && fake_clock_us() < end_us)                                                \
            fake_rounds((f), 1);                                                                   \
        REQUIRE(cond);                                                                             \
    } while (0)

/* Runs the loop for `n` rounds and takes what comes meanwhile. */
void fake_rounds(struct fake_dataplane *f, unsigned n);

/* Runs until the latest image is of a generation above `generation`. */
void fake_wait_image(struct fake_dataplane *f, uint64_t generation);

/* Every worker serves `generation`. */
void fake_serve(struct fake_dataplane *f, uint64_t generation);

/* Refuses the latest image. */
void fake_refuse(struct fake_dataplane *f);

/* Refuses the latest record. */
void fake_refuse_record(struct fake_dataplane *f);
