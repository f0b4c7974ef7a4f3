/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames into an established connection with data in flight both ways: whatever comes, the
 * connection's invariants hold, nothing is left of it, and honest clients are served afterwards.
 * The first byte of an input decides about the family, congestion control, and how much is written.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "seed.h"
#include "stack.h"
#include "talk.h"
#include "tcp/tcp_types.h"

#define STRANGER 9u
#define STRANGER_PORT 40000u

/* A connection, and an application that has written to it. */
static void begin(uint8_t choice)
{
    static const uint8_t bytes[32768];
    uint32_t seq;
    uint32_t ack;
    stack.congestion = (choice & 2) != 0 ? TCP_CONGESTION_BBR : TCP_CONGESTION_CUBIC;
    struct stream *s = stack_connect((choice & 1) != 0, STRANGER, STRANGER_PORT, &seq, &ack);
    ASSERT(s != NULL);
    struct slice v = slice_of(bytes, (choice >> 2) * 512u);
    stream_write(s, &v, 1);
    stack_pass(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    stack_up();
    begin(data[0]);
    talk(data + 1, size - 1);
    stack_expect_service();
    stack_down();
    return 0;
}

/* Each seed a way in which a peer may go on. */
size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    static const uint8_t sack[] = {1, 1, 5, 10, 0, 0, 40, 0, 0, 0, 50, 0};
    struct seed s = {.bytes = ret};
    switch (n) {
    case 0: /* acknowledges, then ends */
        seed_byte(&s, 200);
        seed_answer(&s, TCP_ACK, 0, 0, 0);
        seed_answer(&s, TCP_ACK | TCP_FIN, 0, 0, 0);
        seed_time(&s, 100);
        break;
    case 1: /* sends, with a gap, and closes it */
        seed_byte(&s, 1);
        seed_answer(&s, TCP_ACK, 20, 0, 100);
        seed_answer(&s, TCP_ACK, 18, 0, 20);
        seed_answer(&s, TCP_ACK | TCP_PSH, 0, 0, 150);
        seed_application(&s, 3, 100);
        break;
    case 2: /* closes its window, and opens it */
        seed_byte(&s, 201);
        seed_answer_window(&s, TCP_ACK, 0);
        seed_time(&s, 120);
        seed_answer_window(&s, TCP_ACK, 4000);
        seed_time(&s, 30);
        break;
    case 3: /* loses everything for a while */
        seed_byte(&s, 240);
        seed_time(&s, 250);
        seed_time(&s, 250);
        seed_answer(&s, TCP_ACK, 0, 0, 0);
        break;
    case 4: /* acknowledges selectively */
        seed_byte(&s, 160);
        seed_answer_options(&s, TCP_ACK, sack, sizeof(sack));
        seed_answer_options(&s, TCP_ACK, sack, sizeof(sack));
        seed_time(&s, 60);
        break;
    case 5: /* resets, from beside the right number, then from it */
        seed_byte(&s, 9);
        seed_answer(&s, TCP_RST, 5, 0, 0);
        seed_answer(&s, TCP_SYN, 0, 0, 0);
        seed_answer(&s, TCP_ACK | TCP_URG, 0, 0, 10);
        seed_answer(&s, TCP_RST, 0, 0, 0);
        break;
    case 6: /* the application ends first */
        seed_byte(&s, 16);
        seed_application(&s, 4, 255);
        seed_application(&s, 0, 0);
        seed_answer(&s, TCP_ACK, 0, 0, 0);
        seed_answer(&s, TCP_ACK | TCP_FIN, 0, 0, 3);
        seed_application(&s, 2, 0);
        seed_time(&s, 250);
        break;
    }
    return s.len;
}
