/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of a segment between two ends that count differently: a client that was given a cookie
 * as the first number of its peer, and that peer, whose first number is another one. Each number
 * gets a distance, forward or (modulo 2^32) back. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tcp_shift {
    uint32_t seq;      /* added to the sequence number, */
    uint32_t ack;      /* to the acknowledgement and to both edges of each SACK block, */
    uint32_t ts_value; /* to the timestamp, */
    uint32_t ts_echo;  /* and to the one that is echoed */
    int8_t window;     /* by so many bits to the left; negative: to the right */
};

/* Shifts the header, which has `bytes` with its options, and updates its checksum: what came
 * damaged stays damaged. What only an acknowledgement has is left alone in others. */
void tcp_header_shift(uint8_t *header, unsigned bytes, const struct tcp_shift *by);

/* A window in other units. The largest that 16 bits can say, where they cannot say it; and some, if
 * there was some. */
uint16_t tcp_window_shift(uint16_t window, int bits);
