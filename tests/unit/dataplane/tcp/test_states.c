/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 9293, 3.10.7 as a table: each state, each of the 64 combinations of flags, each place of the
 * sequence number. The stack reads a segment in numbered steps, which order does not let one see
 * at a glance what a cell does; here every cell stands written out and every one is tried.
 */
#include "harness.h"
#include "unit.h"

#include <stdio.h>

#define FLAGS 64u /* FIN SYN RST PSH ACK URG */

/* Where the segment begins. */
enum place { OLD, NEXT, INSIDE, BEYOND, PLACES };

/* What it is, by the first that is true of it: the order of the steps. */
enum kind { HAS_RST, HAS_SYN, NO_ACK, HAS_FIN, ONLY_ACK, KINDS };

/* What happens:
 *   .  nothing is said, the state stays     X  the connection ends, nothing is said
 *   a  an acknowledgement, the state stays  F  the FIN is taken and acknowledged
 *   e  ESTABLISHED, nothing is said         E  ESTABLISHED, an acknowledgement
 * Columns: RST, SYN, neither and no ACK, ACK and FIN, ACK alone. */
struct row {
    enum tcp_state state;
    enum tcp_state after_fin;
    const char *cells[PLACES];
};

static const struct row rows[] = {
    /* state          after a FIN     old      next     inside   beyond the window */
    {TCP_SYN_RCVD, TCP_CLOSE_WAIT, {".aaaa", "Xa.Fe", "aa.Ee", ".aaaa"}},
    {TCP_ESTABLISHED, TCP_CLOSE_WAIT, {".aaaa", "Xa.F.", "aa.a.", ".aaaa"}},
    {TCP_FIN_WAIT_1, TCP_CLOSING, {".aaaa", "Xa.F.", "aa.a.", ".aaaa"}},
    {TCP_FIN_WAIT_2, TCP_CLOSED, {".aaaa", "Xa.F.", "aa.a.", ".aaaa"}}, /* TIME_WAIT: a record */
    {TCP_CLOSE_WAIT, TCP_CLOSE_WAIT, {".aaaa", "Xa.a.", "aa.a.", ".aaaa"}},
    {TCP_CLOSING, TCP_CLOSING, {".aaaa", "Xa.a.", "aa.a.", ".aaaa"}},
    {TCP_LAST_ACK, TCP_LAST_ACK, {".aaaa", "Xa.a.", "aa.a.", ".aaaa"}},
};

static enum kind kind_of(uint8_t flags)
{
    if (flags & R)
        return HAS_RST;
    if (flags & S)
        return HAS_SYN;
    if ((flags & A) == 0)
        return NO_ACK;
    return (flags & F) != 0 ? HAS_FIN : ONLY_ACK;
}

static struct world *small_world(void)
{
    struct world_config config = WORLD_DEFAULT;
    config.mbufs = 255; /* worlds are many */
    config.has_timestamps = false;
    config.tcp.mbufs_low = 8;
    config.tcp.conns_max = 4;
    return world_new(&config);
}

/* The only connection; NULL: there is none any more. */
static struct tcp_conn *only_conn(struct world *w)
{
    for (uint32_t i = 0; i < w->tcp->conns.capacity; i++) {
        struct tcp_conn *c = pool_at(&w->tcp->conns, i);
        if (c->state != TCP_FREE)
            return c;
    }
    return NULL;
}

/* Brings a connection into the state; nothing is left in the output. */
static void bring(struct world *w, enum tcp_state state)
{
    bool is_peer_first = state == TCP_CLOSE_WAIT || state == TCP_LAST_ACK;
    if (state == TCP_SYN_RCVD) {
        peer(w, SEG(.flags = S));
        run(w);
    } else {
        struct stream *s = world_accept(w);
        if (is_peer_first)
            peer(w, SEG(.flags = F | A, .seq = 1, .ack = 1));
        if (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT)
            stream_shutdown(s);
        run(w);
        if (state == TCP_FIN_WAIT_2)
            peer(w, SEG(.flags = A, .seq = 1, .ack = 2));
        if (state == TCP_CLOSING)
            peer(w, SEG(.flags = F | A, .seq = 1, .ack = 1));
        run(w);
    }
    drop_all(w);
    REQUIRE(only_conn(w)->state == state);
}

/* What was said and what became of the connection, as a letter of the table. */
static char outcome(struct world *w, const struct row *row)
{
    const struct tcp_conn *c = only_conn(w);
    enum tcp_state now = c == NULL ? TCP_CLOSED : (enum tcp_state)c->state;
    struct seg g = {0};
    bool is_said = take(w, &g);
    if (w->n_out != 0 || (is_said && (g.flags != A || g.len != 0)))
        return '?';
    if (now == row->state)
        return is_said ? 'a' : '.';
    if (now == row->after_fin && is_said)
        return 'F';
    if (now == TCP_ESTABLISHED)
        return is_said ? 'E' : 'e';
    return now == TCP_CLOSED && !is_said ? 'X' : '?';
}

/* The number where such a segment begins, relative to the peer's ISS. */
static uint32_t number_at(const struct world *w, const struct tcp_conn *c, enum place place)
{
    uint32_t next = c->rcv_nxt.v - w->config.peer_iss;
    uint32_t window = (uint32_t)seq_diff(c->rcv_adv, c->rcv_nxt);
    return place == OLD      ? next - 3
           : place == NEXT   ? next
           : place == INSIDE ? next + 100
                             : next + window + 100;
}

static void try_cell(const struct row *row, uint8_t flags, enum place place)
{
    struct world *w = small_world();
    bring(w, row->state);
    const struct tcp_conn *c = only_conn(w);
    uint32_t una = row->state == TCP_SYN_RCVD ? 1 : c->snd_una.v - w->our_iss;
    char want = row->cells[place][kind_of(flags)];
    peer(w, SEG(.flags = flags, .seq = number_at(w, c, place), .ack = una));
    run(w);
    char got = outcome(w, row);
    if (got != want)
        printf("  %s, flags 0x%02x, place %d: %c, not %c\n", tcp_state_name(row->state), flags,
               place, got, want);
    CHECK_EQ(got, want);
    drop_all(w);
    world_free(w);
}

TEST(every_cell_of_states_flags_and_places_does_what_the_table_says)
{
    for (unsigned i = 0; i < array_len(rows); i++) {
        for (unsigned flags = 0; flags < FLAGS; flags++) {
            for (enum place place = OLD; place < PLACES; place++)
                try_cell(&rows[i], (uint8_t)flags, place);
        }
    }
}

/* What a segment makes of a world without a connection: ., R: a reset, A: an acknowledgement, S: a
 * SYN-ACK and a half-open connection. */
static char answer(struct world *w)
{
    struct seg g = {0};
    if (!take(w, &g))
        return '.';
    if (g.flags == (S | A))
        return only_conn(w) != NULL && only_conn(w)->state == TCP_SYN_RCVD ? 'S' : '?';
    return (g.flags & R) != 0 ? 'R' : g.flags == A ? 'A' : '?';
}

TEST(listen_and_closed_answer_every_combination_of_flags)
{
    for (unsigned flags = 0; flags < FLAGS; flags++) {
        for (unsigned is_listening = 0; is_listening < 2; is_listening++) {
            struct world *w = small_world();
            w->listening = is_listening;
            peer(w, SEG(.flags = (uint8_t)flags, .seq = 0, .ack = 1));
            run(w);
            bool is_open = is_listening && (flags & (S | A | R | F)) == S;
            CHECK_EQ(answer(w), is_open ? 'S' : (flags & R) != 0 ? '.' : 'R');
            world_free(w);
        }
    }
}

TEST(time_wait_answers_every_combination_of_flags)
{
    for (unsigned flags = 0; flags < FLAGS; flags++) {
        for (unsigned is_newer = 0; is_newer < 2; is_newer++) {
            struct world *w = small_world();
            bring(w, TCP_FIN_WAIT_2);
            peer(w, SEG(.flags = F | A, .seq = 1, .ack = 2));
            run(w);
            stream_release(w->accepted);
            run(w);
            drop_all(w);
            w->knows_iss = false;
            peer(w, SEG(.flags = (uint8_t)flags, .seq = is_newer ? 1000 : 1, .ack = 2));
            run(w);
            bool is_open = is_newer && (flags & (S | A | R | F)) == S;
            bool is_answered = (flags & R) == 0 && (flags & (S | F)) != 0;
            CHECK_EQ(answer(w), is_open ? 'S' : is_answered ? 'A' : '.');
            world_free(w);
        }
    }
}

/* 3.10.7.3: the acknowledgement first, then RST, SYN. `ack` of 1 is right. */
static char in_syn_sent(uint8_t flags, uint32_t ack)
{
    struct world *w = small_world();
    struct tcp_open_args args = {.remote = w->remote, .remote_port = w->remote_port};
    struct stream *s = NULL;
    struct seg g = {0};
    REQUIRE(tcp_open(w->tcp, &args, &s) == TCP_OPEN_OK);
    s->on_event = world_on_event;
    w->local_port = conn(s)->tuple.local_port;
    run(w);
    drop_all(w);
    peer(w, SEG(.flags = flags, .seq = 77, .ack = ack));
    run(w);
    bool is_said = take(w, &g);
    uint8_t state = conn(s)->state;
    char got = '?';
    if (state == TCP_SYN_SENT)
        got = !is_said ? '.' : (g.flags & R) != 0 ? 'R' : '?';
    else if (state == TCP_SYN_RCVD && is_said && g.flags == (S | A))
        got = 'S';
    else if (state == TCP_ESTABLISHED && is_said && g.flags == A)
        got = 'E';
    else if (state == TCP_CLOSED && !is_said && stream_end(s) == STREAM_END_REFUSED)
        got = 'X';
    drop_all(w);
    world_free(w);
    return got;
}

TEST(syn_sent_answers_every_combination_of_flags)
{
    for (unsigned i = 0; i < FLAGS; i++) {
        uint8_t flags = (uint8_t)i;
        if ((flags & A) != 0)
            CHECK_EQ(in_syn_sent(flags, 2), (flags & R) != 0 ? '.' : 'R');
        char want = (flags & A) != 0 ? 'E' : 'S';
        if (flags & R)
            want = (flags & A) != 0 ? 'X' : '.';
        else if ((flags & S) == 0)
            want = '.';
        CHECK_EQ(in_syn_sent(flags, 1), want);
    }
}

UNIT_MAIN("tcp/states", T(every_cell_of_states_flags_and_places_does_what_the_table_says),
          T(listen_and_closed_answer_every_combination_of_flags),
          T(time_wait_answers_every_combination_of_flags),
          T(syn_sent_answers_every_combination_of_flags))
