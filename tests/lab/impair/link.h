/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of the impairment link: a packet socket on an interface. Frames are taken whole, VLAN
 * tags included, whoever they are addressed to; frames that we send are not received again.
 *
 * Owner: impair.c. Thread: one. Bound: IMPAIR_BURST frames a call.
 */
#pragma once

#include "queue.h"

#include <stdbool.h>
#include <stdint.h>

#define IMPAIR_BURST 64u

struct impair_burst; /* message headers for recvmmsg */

struct impair_end {
    int fd;
    struct impair_burst *burst;
    uint64_t n_received;
    uint64_t n_sent;
    uint64_t n_send_failed;
    uint64_t n_oversize;
};

/* Opens the packet socket on `interface`. Returns 0 or -errno. */
int impair_end_open(struct impair_end *e, const char *interface);

/* Closes it. */
void impair_end_close(struct impair_end *e);

/* A received frame, valid until the next impair_end_receive(). */
struct impair_rx {
    uint8_t *bytes;
    uint32_t length;
};

/* Takes up to IMPAIR_BURST frames without waiting; returns how many, or -errno. */
int impair_end_receive(struct impair_end *e, struct impair_rx ret[IMPAIR_BURST]);

/* Sends the frames; what the interface does not take is counted and gone. */
void impair_end_send(struct impair_end *e, const struct impair_frame *const *frames, uint32_t n);
