/* SPDX-License-Identifier: Apache-2.0 */
/* Black holes and the search for larger packets. */
#include "tcp/plpmtud.h"

#include "base/assert.h"
#include "net/net.h"
#include "tcp/tcp_priv.h"

static struct tcp_plpmtud *state_of(const struct tcp_conn *c)
{
    return &tcp_rare_of(c)->plpmtud;
}

/* The largest packet that is of use: the interface takes it, and the peer. */
static uint16_t most(const struct tcp_conn *c)
{
    uint32_t headers = state_of(c)->mtu_max - tcp_mss_to_tell(c);
    uint32_t peers = c->peer_mss + headers;
    return peers < state_of(c)->mtu_max ? (uint16_t)peers : state_of(c)->mtu_max;
}

uint16_t tcp_plpmtud_next(uint16_t low, uint16_t high, uint16_t mtu_max)
{
    ASSERT(low < high);
    if (high > mtu_max)
        return low < mtu_max ? mtu_max : 0;
    uint16_t gap = (uint16_t)(high - low);
    return gap <= TCP_PMTU_CLOSE_BYTES ? 0 : (uint16_t)(low + gap / 2);
}

/* No probe is out, nothing is known to fail, path_mtu is no guess. */
static void reset(struct tcp_conn *c, uint32_t wait_ms)
{
    struct tcp_plpmtud *p = state_of(c);
    p->high = (uint16_t)(p->mtu_max + 1);
    p->tries = 0;
    p->is_guess = false;
    p->probe_ms = tcp_now_ms(c->tcp) + wait_ms;
    c->flags &= ~(uint32_t)(TCP_F_MTU_PROBE | TCP_F_MTU_SEARCH);
    if (c->path_mtu < p->mtu_max)
        c->flags |= TCP_F_MTU_SEARCH;
}

void tcp_plpmtud_init(struct tcp_conn *c, uint16_t link_mtu)
{
    struct net_path_mtu known;
    uint16_t most_ever = tcp_usable_mtu(c->tcp, link_mtu);
    ASSERT(most_ever > 0);
    c->path_mtu = state_of(c)->mtu_max = most_ever;
    if (!net_path_mtu_find(c->tcp->net, &c->tuple.remote, &known) || known.mtu >= most_ever)
        return;
    c->path_mtu = known.mtu;
    reset(c, known.is_told ? known.left_ms : TCP_PMTU_SEARCH_MS);
}

void tcp_plpmtud_on_progress(struct tcp_conn *c)
{
    if (!state_of(c)->is_guess)
        return;
    state_of(c)->is_guess = false;
    net_path_mtu_learn(c->tcp->net, &c->tuple.remote, c->path_mtu, false);
}

void tcp_plpmtud_lowered(struct tcp_conn *c, uint32_t wait_ms)
{
    reset(c, wait_ms);
}

/* The next size below that is worth a try; 0: none. */
static uint16_t base_below(const struct tcp_conn *c)
{
    if (c->path_mtu > TCP_PMTU_BASE)
        return TCP_PMTU_BASE;
    bool is_v4 = ip_addr_is_v4(&c->tuple.remote);
    return is_v4 && c->path_mtu > TCP_PMTU_MIN_4 ? TCP_PMTU_MIN_4 : 0;
}

void tcp_plpmtud_on_timeout(struct tcp_conn *c)
{
    const struct tcp_sent *first = tcp_board_first(&c->tx->board);
    uint16_t base = base_below(c);
    if (base == 0 || c->backoff % TCP_PMTU_TIMEOUTS != 0)
        return;
    if (first->bytes <= tcp_mss_on_path(c, base))
        return; /* it would have passed: the path is broken otherwise */
    stat_inc(c->tcp->core, STAT_tcp_pmtu_black_holes);
    c->path_mtu = base;
    tcp_set_mss(c);
    tcp_plpmtud_lowered(c, TCP_PMTU_SEARCH_MS);
    state_of(c)->is_guess = true;
}

/* May so many bytes of new data go out as one segment, with more to follow that shows its loss? */
static bool has_room(const struct tcp_conn *c, uint32_t bytes)
{
    const struct tcp_board *board = &c->tx->board;
    uint32_t wanted = bytes + TCP_PMTU_FOLLOWERS * c->mss;
    uint32_t unsent = (uint32_t)seq_diff(c->snd_end, c->snd_nxt);
    int32_t open = seq_diff(seq_add(c->snd_una, c->snd_wnd), c->snd_nxt);
    return unsent >= wanted && open >= (int32_t)wanted &&
           board->in_flight_bytes + wanted <= c->tx->cc.cwnd_bytes;
}

bool tcp_plpmtud_send(struct tcp_conn *c)
{
    struct tcp_plpmtud *p = state_of(c);
    ASSERT_HOT(c->flags & TCP_F_MTU_SEARCH);
    if ((int32_t)(tcp_now_ms(c->tcp) - p->probe_ms) < 0 || c->backoff != 0 ||
        (c->flags & (TCP_F_MTU_PROBE | TCP_F_RECOVERY | TCP_F_LOSS | TCP_F_FIN_SENT)) != 0 ||
        c->tx->dupacks != 0)
        return false;
    uint16_t size = tcp_plpmtud_next(c->path_mtu, p->high, most(c));
    if (size == 0) {
        if (p->high <= p->mtu_max)
            net_path_mtu_learn(c->tcp->net, &c->tuple.remote, c->path_mtu, false);
        reset(c, TCP_PMTU_RAISE_MS); /* found: again when all may be otherwise */
        return false;
    }
    uint32_t bytes = tcp_mss_on_path(c, size);
    if (!has_room(c, bytes) || !tcp_output_new(c, bytes, false))
        return false;
    stat_inc(c->tcp->core, STAT_tcp_pmtu_probes);
    c->flags |= TCP_F_MTU_PROBE;
    p->probe = size;
    p->probe_end = c->snd_nxt;
    return true;
}

void tcp_plpmtud_on_ack(struct tcp_conn *c)
{
    struct tcp_plpmtud *p = state_of(c);
    ASSERT_HOT(c->flags & TCP_F_MTU_PROBE);
    if (seq_lt(c->snd_una, p->probe_end))
        return;
    ASSERT(p->probe > c->path_mtu);
    stat_inc(c->tcp->core, STAT_tcp_pmtu_raised);
    c->flags &= ~(uint32_t)TCP_F_MTU_PROBE;
    c->path_mtu = p->probe; /* cwnd counts bytes, and has as many as before (RFC 4821, 7.4) */
    tcp_set_mss(c);
    net_path_mtu_passed(c->tcp->net, &c->tuple.remote, c->path_mtu, p->mtu_max);
    p->tries = 0;
    if (c->path_mtu >= most(c))
        c->flags &= ~(uint32_t)TCP_F_MTU_SEARCH;
}

/* The record that is the probe. */
static bool is_probe(const struct tcp_conn *c, const struct tcp_sent *s)
{
    return s->bytes > c->mss && seq_eq(tcp_sent_end(s), state_of(c)->probe_end);
}

bool tcp_plpmtud_is_probe_alone(const struct tcp_conn *c, uint32_t lost)
{
    if ((c->flags & TCP_F_MTU_PROBE) == 0)
        return false;
    const struct tcp_sent *s = tcp_board_next_lost(&c->tx->board);
    return s != NULL && is_probe(c, s) && tcp_sent_len(s) == lost;
}

/* The size does not pass. */
static void fail(struct tcp_conn *c, uint16_t high)
{
    struct tcp_plpmtud *p = state_of(c);
    stat_inc(c->tcp->core, STAT_tcp_pmtu_probes_lost);
    c->flags &= ~(uint32_t)TCP_F_MTU_PROBE;
    p->probe_ms = tcp_now_ms(c->tcp) + TCP_PMTU_PROBE_MS;
    if (high == p->probe && ++p->tries < TCP_PMTU_TRIES_MAX)
        return; /* it may have been lost as anything may */
    p->tries = 0;
    p->high = high;
}

void tcp_plpmtud_on_cut(struct tcp_conn *c, const struct tcp_sent *s)
{
    ASSERT_HOT(c->flags & TCP_F_MTU_PROBE);
    if (is_probe(c, s))
        fail(c, state_of(c)->probe);
}

bool tcp_plpmtud_on_too_big(struct tcp_conn *c, seq_t seq, uint16_t mtu)
{
    struct tcp_plpmtud *p = state_of(c);
    ASSERT_HOT(c->flags & TCP_F_MTU_PROBE);
    seq_t start = {p->probe_end.v - tcp_mss_on_path(c, p->probe)};
    if (!seq_eq(seq, start) || mtu < c->path_mtu || mtu >= p->probe)
        return false;
    LIST_EACH_SAFE (node, next, &c->tx->board.in_flight) {
        struct tcp_sent *s = container_of(node, struct tcp_sent, by_place);
        if (is_probe(c, s))
            tcp_board_lose(&c->tx->board, s); /* and when it is sent again, in pieces */
    }
    net_path_mtu_learn(c->tcp->net, &c->tuple.remote, mtu, true);
    fail(c, (uint16_t)(mtu + 1));
    tcp_program_output(c);
    return true;
}
