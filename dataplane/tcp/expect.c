/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before a burst of segments is handled: brings nearer what finding their flows will touch. See
 * net/input.c. Nothing is looked at that would have to be waited for.
 *
 * Owner: the worker.
 */
#include "tcp/tcp_priv.h"

#define LINE_BYTES 64u

uint64_t tcp_expect(struct tcp *t, const struct ip_addr *src, const struct ip_addr *dst,
                    uint16_t src_port, uint16_t dst_port)
{
    struct flow_tuple tuple = {*dst, *src, dst_port, src_port};
    uint64_t hash = flow_table_hash(&t->table, &tuple);
    flow_table_prefetch(&t->table, hash);
    return hash;
}

void tcp_prefetch(struct tcp *t, uint64_t hash)
{
    flow_entry_t e = flow_table_guess(&t->table, hash);
    if (e.v == FLOW_ENTRY_NONE.v)
        return;
    if (flow_entry_mark(e)) {
        __builtin_prefetch(&t->timewaits.ring[flow_entry_index(e)]);
        return;
    }
    /* up to the tuple and the queue behind it: what the table and the fast path look at */
    static_assert(offsetof(struct tcp_conn, oooq) / LINE_BYTES == 3, "four lines");
    const char *conn = pool_at(&t->conns, flow_entry_index(e));
    for (unsigned line = 0; line <= offsetof(struct tcp_conn, oooq) / LINE_BYTES; line++)
        __builtin_prefetch(conn + line * LINE_BYTES);
}
