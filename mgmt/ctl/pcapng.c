/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See ctl/pcapng.h. A block: type, length, body, length again; an option: code, length, value,
 * padded to 4 bytes; code 0 ends the options.
 */
#include "ctl/pcapng.h"

#include "base/assert.h"

#include <string.h>

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_STATISTICS = 5,
    BLOCK_PACKET = 6,
    BYTE_ORDER = 0x1a2b3c4d,
    LINK_ETHERNET = 1,
    OPTION_NAME = 2,        /* of an interface */
    OPTION_APPLICATION = 4, /* of a section */
    OPTION_RESOLUTION = 9,  /* of an interface's times; 6: microseconds, which is the default */
    OPTION_FLAGS = 2,       /* of a packet */
    OPTION_MISSED = 5,      /* isb_ifdrop, of statistics */
    FLAG_IN = 1,
    FLAG_OUT = 2,
};

static uint32_t padded(uint32_t bytes)
{
    return (bytes + 3) & ~3u;
}

static void put32(FILE *to, uint32_t value)
{
    fwrite(&value, sizeof(value), 1, to);
}

static void put16(FILE *to, uint16_t value)
{
    fwrite(&value, sizeof(value), 1, to);
}

static void put_padded(FILE *to, const void *bytes, uint32_t n)
{
    static const uint8_t zeros[4];
    fwrite(bytes, 1, n, to);
    fwrite(zeros, 1, padded(n) - n, to);
}

/* Bytes of an option with its head. */
static uint32_t option_bytes(uint32_t n)
{
    return 4 + padded(n);
}

static void put_option(FILE *to, uint16_t code, const void *value, uint16_t n)
{
    put16(to, code);
    put16(to, n);
    put_padded(to, value, n);
}

static void put_time(FILE *to, uint64_t us)
{
    put32(to, (uint32_t)(us >> 32));
    put32(to, (uint32_t)us);
}

void pcapng_begin(FILE *to, const char *program)
{
    uint16_t n = (uint16_t)strlen(program);
    uint32_t bytes = 28 + option_bytes(n) + 4;
    put32(to, BLOCK_SECTION);
    put32(to, bytes);
    put32(to, BYTE_ORDER);
    put16(to, 1); /* version 1.0 */
    put16(to, 0);
    put32(to, UINT32_MAX); /* length of the section: not told, 64 bits */
    put32(to, UINT32_MAX);
    put_option(to, OPTION_APPLICATION, program, n);
    put32(to, 0);
    put32(to, bytes);
}

void pcapng_interface(FILE *to, const char *name, uint32_t snap_bytes)
{
    static const uint8_t microseconds = 6;
    uint16_t n = (uint16_t)strlen(name);
    uint32_t bytes = 20 + option_bytes(n) + option_bytes(1) + 4;
    put32(to, BLOCK_INTERFACE);
    put32(to, bytes);
    put16(to, LINK_ETHERNET);
    put16(to, 0);
    put32(to, snap_bytes);
    put_option(to, OPTION_NAME, name, n);
    put_option(to, OPTION_RESOLUTION, &microseconds, 1);
    put32(to, 0);
    put32(to, bytes);
}

void pcapng_packet(FILE *to, const struct pcapng_packet *p)
{
    uint32_t flags = p->is_out ? FLAG_OUT : FLAG_IN;
    uint32_t bytes = 32 + padded(p->captured_bytes) + option_bytes(sizeof(flags)) + 4;
    ASSERT(p->captured_bytes <= p->frame_bytes);
    put32(to, BLOCK_PACKET);
    put32(to, bytes);
    put32(to, p->interface);
    put_time(to, p->unix_us);
    put32(to, p->captured_bytes);
    put32(to, p->frame_bytes);
    put_padded(to, p->data, p->captured_bytes);
    put_option(to, OPTION_FLAGS, &flags, sizeof(flags));
    put32(to, 0);
    put32(to, bytes);
}

void pcapng_missed(FILE *to, uint32_t interface, uint64_t unix_us, uint64_t missed)
{
    uint32_t bytes = 24 + option_bytes(sizeof(missed)) + 4;
    put32(to, BLOCK_STATISTICS);
    put32(to, bytes);
    put32(to, interface);
    put_time(to, unix_us);
    put_option(to, OPTION_MISSED, &missed, sizeof(missed));
    put32(to, 0);
    put32(to, bytes);
}
