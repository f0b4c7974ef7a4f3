/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by requests: each connection and each byte is right, but there are too many of the one or
 * too few of the other. */
#include "attack.h"

#include "base/assert.h"
#include "tcp/tcp_types.h"

#include <stdio.h>
#include <string.h>

#define LARGE_HEAD_BYTES 65536u
#define SEGMENT_BYTES 1400u

size_t attack_http_begin(const struct attack *a, char *ret, size_t bytes_max)
{
    static const char rest[] = "GET /x/rest HTTP/1.1\r\nHost: www.sim.test\r\n\r\n";
    static const char begun[] = "GET /a/1 HTTP/1.1\r\nHost: www.sim.test\r\nX-More: ";
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

/* The next of his connections, if it is open. */
static struct attack_conn *next_conn(struct attack *a)
{
    return attack_conn_at(a, a->turn++ % a->n_conns);
}

void attack_idle_crowd_send(struct attack *a)
{
    next_conn(a);
}

void attack_slow_heads_send(struct attack *a)
{
    struct attack_conn *c = next_conn(a);
    if (c != NULL)
        attack_conn_send(a, c, TCP_ACK | TCP_PSH, 65535, "a", 1);
}

/* Whatever is answered, he sends all of it. */
void attack_large_heads_send(struct attack *a)
{
    uint8_t more[SEGMENT_BYTES];
    struct attack_conn *c = next_conn(a);
    if (c == NULL || c->seq - c->body >= LARGE_HEAD_BYTES)
        return;
    memset(more, 'a', sizeof(more));
    attack_conn_send(a, c, TCP_ACK | TCP_PSH, 65535, more, sizeof(more));
}

void attack_hanging_send(struct attack *a)
{
    next_conn(a);
}
