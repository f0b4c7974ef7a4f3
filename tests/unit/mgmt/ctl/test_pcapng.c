/* SPDX-License-Identifier: Apache-2.0 */
/* The file format, block by block, as a reader walks it: every length said twice, nothing
 * unaligned. */
#include "ctl/pcapng.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static char *file;
static size_t bytes;

/* The 32 bits at an offset of the file. */
static uint32_t at(size_t offset)
{
    uint32_t value = 0;
    REQUIRE(offset + 4 <= bytes);
    memcpy(&value, file + offset, 4);
    return value;
}

/* Checks the block at `offset` and gives where the next begins. */
static size_t block(size_t offset, uint32_t type)
{
    uint32_t length = at(offset + 4);
    CHECK_EQ(at(offset), type);
    CHECK_EQ(length % 4, 0);
    CHECK_EQ(at(offset + length - 4), length);
    return offset + length;
}

static void write_file(uint32_t captured)
{
    static const uint8_t data[64] = {1, 2, 3};
    FILE *to = open_memstream(&file, &bytes);
    pcapng_begin(to, "abc");
    pcapng_interface(to, "p0", 96);
    pcapng_interface(to, "port-1", 96);
    pcapng_packet(to, &(struct pcapng_packet){.interface = 1,
                                              .unix_us = 0x123456789a,
                                              .data = data,
                                              .captured_bytes = captured,
                                              .frame_bytes = 1000,
                                              .is_out = true});
    pcapng_missed(to, 0, 7, 0x100000002);
    fclose(to);
}

TEST(blocks_tell_their_lengths_and_end_where_the_file_ends)
{
    for (uint32_t captured = 0; captured < 9; captured++) {
        write_file(captured);
        CHECK_EQ(at(8), 0x1a2b3c4d);
        CHECK_EQ(at(12), 1);
        size_t interface = block(0, 0x0a0d0d0a);
        CHECK_EQ(at(interface + 8), 1); /* ethernet */
        CHECK_EQ(at(interface + 12), 96);
        CHECK_EQ(at(interface + 16), 2u << 16 | 2); /* its name, two bytes */
        CHECK_EQ(memcmp(file + interface + 20, "p0\0\0", 4), 0);
        size_t packet = block(block(interface, 1), 1);
        CHECK_EQ(at(packet + 8), 1);
        CHECK_EQ(at(packet + 12), 0x12);
        CHECK_EQ(at(packet + 16), 0x3456789a);
        CHECK_EQ(at(packet + 20), captured);
        CHECK_EQ(at(packet + 24), 1000);
        size_t options = packet + 28 + (captured + 3) / 4 * 4;
        CHECK_EQ(at(options), 4u << 16 | 2); /* flags, four bytes */
        CHECK_EQ(at(options + 4), 2);        /* outbound */
        size_t missed = block(packet, 6);
        CHECK_EQ(at(missed + 20), 8u << 16 | 5);
        CHECK_EQ(at(missed + 24), 2);
        CHECK_EQ(at(missed + 28), 1);
        CHECK_EQ(block(missed, 5), bytes);
        free(file);
    }
}

UNIT_MAIN("ctl/pcapng", T(blocks_tell_their_lengths_and_end_where_the_file_ends))
