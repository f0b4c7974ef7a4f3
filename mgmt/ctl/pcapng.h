/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing pcapng (draft-ietf-opsawg-pcapng): sections, interfaces, packets with direction, and how
 * many were missed. Times in microseconds of UNIX time; all numbers in this box's byte order, which
 * the section header tells. Thread: any one. Errors: what stdio says of the file.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct pcapng_packet {
    uint32_t interface; /* in the order of pcapng_interface() */
    uint64_t unix_us;
    const uint8_t *data;
    uint32_t captured_bytes;
    uint32_t frame_bytes; /* as it was */
    bool is_out;
};

/* The section header: once, first. */
void pcapng_begin(FILE *to, const char *program);

/* An interface of ethernet frames; before any packet that names it. */
void pcapng_interface(FILE *to, const char *name, uint32_t snap_bytes);

/* A packet. */
void pcapng_packet(FILE *to, const struct pcapng_packet *p);

/* Statistics of an interface at the end: frames that were to be captured and were not. */
void pcapng_missed(FILE *to, uint32_t interface, uint64_t unix_us, uint64_t missed);
