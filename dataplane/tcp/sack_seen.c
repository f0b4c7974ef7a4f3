/* SPDX-License-Identifier: Apache-2.0 */
/* Three blocks, kept apart from one another. */
#include "tcp/sack_seen.h"

#include <string.h>

static bool is_empty(const struct tcp_sack_block *e)
{
    return seq_eq(e->start, e->end);
}

struct tcp_sack_block tcp_sack_unseen(const struct tcp_sack_seen *s, struct tcp_sack_block r)
{
    for (unsigned i = 0; i < TCP_SACK_SEEN; i++) {
        const struct tcp_sack_block *e = &s->blocks[i];
        if (is_empty(e))
            continue;
        if (seq_le(e->start, r.start) && seq_lt(r.start, e->end))
            r.start = seq_lt(e->end, r.end) ? e->end : r.end;
        if (seq_lt(e->start, r.end) && seq_le(r.end, e->end))
            r.end = seq_gt(e->start, r.start) ? e->start : r.start;
    }
    return r;
}

void tcp_sack_remember(struct tcp_sack_seen *s, struct tcp_sack_block r)
{
    unsigned free_at = TCP_SACK_SEEN;
    for (unsigned i = 0; i < TCP_SACK_SEEN; i++) {
        struct tcp_sack_block *e = &s->blocks[i];
        if (!is_empty(e) && seq_le(e->start, r.end) && seq_le(r.start, e->end)) { /* they touch */
            r.start = seq_lt(e->start, r.start) ? e->start : r.start;
            r.end = seq_max(e->end, r.end);
            e->start = e->end;
        }
        if (is_empty(e))
            free_at = i;
    }
    if (free_at == TCP_SACK_SEEN) { /* the one told longest ago */
        memmove(&s->blocks[1], &s->blocks[0], sizeof(s->blocks) - sizeof(s->blocks[0]));
        free_at = 0;
    }
    s->blocks[free_at] = r;
}

void tcp_sack_forget(struct tcp_sack_seen *s)
{
    *s = (struct tcp_sack_seen){0};
}

void tcp_sack_forget_below(struct tcp_sack_seen *s, seq_t una)
{
    for (unsigned i = 0; i < TCP_SACK_SEEN; i++) {
        if (seq_le(s->blocks[i].end, una))
            s->blocks[i].start = s->blocks[i].end;
    }
}

bool tcp_sack_is_seen(const struct tcp_sack_seen *s, const struct tcp_sack_block *r)
{
    struct tcp_sack_block rest = tcp_sack_unseen(s, *r);
    return is_empty(&rest);
}
