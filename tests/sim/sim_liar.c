/* SPDX-License-Identifier: Apache-2.0 */
/* Lies in TCP headers. */
#include "sim_liar.h"

#include "frame.h"
#include "net/net_wire.h"
#include "tcp/tcp_types.h"

#define TCP_BYTES 20u
#define OPTION_END 0u
#define OPTION_NOP 1u
#define OPTION_SACK 5u
#define CLAIM_BYTES_MAX 6000u /* some segments */

/* Where the SACK option lies within the header; 0: there is none. */
static unsigned find_sack(const uint8_t *tcp, unsigned header)
{
    unsigned at = TCP_BYTES;
    while (at + 1 < header && tcp[at] != OPTION_END) {
        unsigned bytes = tcp[at] == OPTION_NOP ? 1 : tcp[at + 1];
        if (bytes == 0 || at + bytes > header)
            return 0;
        if (tcp[at] == OPTION_SACK && bytes >= 10)
            return at;
        at += bytes;
    }
    return 0;
}

/* The first block begins earlier, but above the cumulative acknowledgement, or ends later. */
static void renege(struct rng *rng, uint8_t *tcp, unsigned at)
{
    uint32_t ack = frame_get32(tcp + 8);
    uint32_t start = frame_get32(tcp + at + 2);
    uint32_t end = frame_get32(tcp + at + 6);
    int32_t gap = (int32_t)(start - ack);
    if (gap <= 1)
        return; /* it tells of a duplicate */
    if (rng_below(rng, 2) == 0)
        frame_put32(tcp + at + 2, start - rng_below(rng, (uint32_t)gap));
    else
        frame_put32(tcp + at + 6, end + 1 + rng_below(rng, CLAIM_BYTES_MAX));
}

void sim_lie(const struct sim_lies *lies, struct rng *rng, uint8_t *frame, size_t len)
{
    struct frame_view v;
    if ((lies->shrink | lies->renege) == 0 || !frame_look(frame, len, &v) ||
        v.proto != IPPROTO_NUM_TCP || v.l4_bytes < TCP_BYTES)
        return;
    uint8_t *tcp = v.l4;
    unsigned header = (tcp[12] >> 4) * 4u;
    if (header < TCP_BYTES || header > v.l4_bytes || (tcp[13] & (TCP_SYN | TCP_RST)) != 0)
        return;
    if (lies->shrink != 0)
        frame_put16(tcp + 14, (uint32_t)frame_get16(tcp + 14) >> lies->shrink);
    unsigned sack = lies->renege == 0 ? 0 : find_sack(tcp, header);
    if (sack != 0 && rng_below(rng, lies->renege) == 0)
        renege(rng, tcp, sack);
    frame_close_l4(&v);
}
