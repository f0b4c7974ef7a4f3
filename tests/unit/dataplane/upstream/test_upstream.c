/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoint is chosen, and how connections are kept, aged and limited. */
#include "core/core.h"
#include "core/endpoint_table.h"
#include "core/rcu.h"
#include "fake_env.h"
#include "fake_stream.h"
#include "unit.h"
#include "upstream/upstream.h"
#include "upstream/upstream_priv.h"

#include <stdlib.h>

#define STREAMS_MAX 512
#define READY (ENDPOINT_READY | ENDPOINT_SERVING)

static struct stats_worker stats;
static struct core core;
static struct rcu *rcu;
static struct endpoint_table *table;
static struct fake_env env;
static struct fake_stream streams[STREAMS_MAX];
static uint8_t hosts[STREAMS_MAX];       /* where each leads */
static uint8_t congestions[STREAMS_MAX]; /* with what each was opened */
static unsigned n_streams;
static struct upstream *u;
static enum tcp_congestion wanted;     /* by get() */
static enum image_proxy_header header; /* likewise */
static struct upstream_keep *keep;     /* likewise */

static enum tcp_open_fault dial(void *owner, const struct tcp_open_args *args,
                                struct stream **ret_stream)
{
    REQUIRE(n_streams < STREAMS_MAX);
    fake_stream_init(&streams[n_streams], SIZE_MAX);
    streams[n_streams].events = STREAM_WRITABLE;
    hosts[n_streams] = args->remote.bytes[15];
    congestions[n_streams] = args->congestion;
    *ret_stream = &streams[n_streams++].stream;
    return TCP_OPEN_OK;
}

struct row {
    uint8_t host;
    uint16_t weight;
    uint32_t flags;
};

static void put_group(const struct row *rows, unsigned n)
{
    static uint64_t version;
    struct endpoint_record *r = calloc(1, sizeof(*r) + n * sizeof(struct endpoint));
    r->group = 1;
    r->count = n;
    r->version = ++version;
    for (unsigned i = 0; i < n; i++)
        r->endpoints[i] =
            (struct endpoint){.addr = ip_addr_from_v4((uint8_t[]){10, 0, 0, rows[i].host}),
                              .port = 80,
                              .weight = rows[i].weight,
                              .flags = rows[i].flags};
    enum endpoints_fault fault;
    REQUIRE(endpoint_table_put(table, r, &fault));
    free(r);
}

/* Room for one connection. */
static const struct upstream_config one_conn = {.conns_max = 1,
                                                .endpoints_max = 1,
                                                .idle_max = 1,
                                                .idle_per_endpoint_max = 1,
                                                .busy_per_endpoint_max = 1,
                                                .idle_timeout_ms = 1000,
                                                .connect_timeout_ms = 1};

static void begin(const struct upstream_config *config)
{
    static const struct upstream_config small = {.conns_max = 400,
                                                 .endpoints_max = 8,
                                                 .idle_max = 4,
                                                 .idle_per_endpoint_max = 3,
                                                 .busy_per_endpoint_max = 300,
                                                 .idle_timeout_ms = 1000,
                                                 .connect_timeout_ms = 1000};
    memset(&stats, 0, sizeof(stats));
    core_init(&core, &(struct core_config){
                         .now_us = 1, .workers = 1, .socket = -1, .stats = &stats, .rng_seed = 3});
    rcu = rcu_new(1);
    table = endpoint_table_new(rcu);
    fake_env_init(&env, 1000);
    n_streams = 0;
    wanted = TCP_CONGESTION_CUBIC;
    header = IMAGE_PROXY_HEADER_NONE;
    keep = NULL;
    u = upstream_new(&core, table, &env.env, config != NULL ? config : &small);
    upstream_set_dialer(u, &(struct upstream_dialer){.open = dial});
}

static void end(void)
{
    upstream_done(u);
    CHECK_EQ(env.bufs, 0);
    CHECK_EQ(core.wheel.armed, 0);
    for (unsigned i = 0; i < n_streams; i++) {
        CHECK(streams[i].is_released);
        fake_stream_done(&streams[i]);
    }
    uint64_t closed = 0;
    for (int id = STAT_upstream_closed_done; id <= STAT_upstream_broken; id++)
        closed += stats.counters[id];
    CHECK(closed <= stats.counters[STAT_upstream_opened]);
    endpoint_table_free(table);
    rcu_free(rcu);
    core_done(&core);
}

static void on_writable(struct h1_client *h)
{
    if (h->phase != H1_CLIENT_READY)
        return;
    struct h1_request r = {
        .method = SLICE_LIT("GET"), .path = SLICE_LIT("/"), .authority = SLICE_LIT("a")};
    REQUIRE(h1_client_send_head(h, &r));
    h1_client_end_request(h);
}

static void on_answer(struct h1_client *h)
{
}

static void on_end(struct h1_client *h, enum h1_client_end why)
{
    upstream_drop(u, h->owner);
}

static const struct h1_client_ops ops = {
    .on_writable = on_writable, .on_response = on_answer, .on_body = on_answer, .on_end = on_end};

/* A connection of group 1, asked; NULL: none was given (the reason is in *ret_why). */
static struct upstream_conn *get(enum upstream_result *ret_why)
{
    struct upstream_conn *c = NULL;
    struct upstream_ask ask = {.group = 1, .congestion = wanted, .header = header, .keep = keep};
    *ret_why = upstream_get(u, &ask, &ops, NULL, &c);
    if (*ret_why != UPSTREAM_OK)
        return NULL;
    struct h1_client *h = upstream_conn_h1(c);
    h->owner = c;
    fake_stream_dispatch((struct fake_stream *)h->stream);
    if (h->phase == H1_CLIENT_READY)
        on_writable(h);
    return c;
}

static void answer_and_put(struct upstream_conn *c)
{
    struct fake_stream *f = (struct fake_stream *)upstream_conn_h1(c)->stream;
    fake_stream_push(f, SLICE_LIT("HTTP/1.1 204 No Content\r\n\r\n"));
    fake_stream_dispatch(f);
    upstream_put(u, c);
    check_upstream(u);
}

TEST(load_goes_by_weight_while_requests_are_under_way)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 3, READY}, {3, 1, 0}};
    begin(NULL);
    put_group(rows, 3);
    struct upstream_conn *conns[200];
    enum upstream_result why;
    unsigned to[4] = {0};
    for (unsigned i = 0; i < 200; i++) {
        conns[i] = get(&why);
        REQUIRE(conns[i] != NULL);
        to[upstream_conn_id(conns[i])->addr.bytes[15]]++;
    }
    CHECK_EQ(to[3], 0);
    CHECK(to[2] >= 140 && to[2] <= 160);
    CHECK_EQ(to[1] + to[2], 200);
    for (unsigned i = 0; i < 200; i++)
        upstream_abort(u, conns[i]);
    end();
}

TEST(an_endpoint_that_hangs_gets_less_than_its_neighbours)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}, {3, 1, READY}};
    begin(NULL);
    put_group(rows, 3);
    enum upstream_result why;
    struct upstream_conn *hanging[300];
    unsigned n_hanging = 0;
    for (unsigned i = 0; i < 300; i++) {
        struct upstream_conn *c = get(&why);
        REQUIRE(c != NULL);
        if (upstream_conn_id(c)->addr.bytes[15] == 1)
            hanging[n_hanging++] = c; /* never answers */
        else
            answer_and_put(c);
    }
    CHECK(n_hanging > 0 && n_hanging < 60); /* a third would be 100 */
    while (n_hanging > 0)
        upstream_abort(u, hanging[--n_hanging]);
    end();
}

TEST(idle_connections_are_limited_and_the_longest_unused_go_first)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}};
    begin(NULL);
    put_group(rows, 2);
    enum upstream_result why;
    struct upstream_conn *conns[20];
    for (unsigned i = 0; i < 20; i++)
        conns[i] = get(&why);
    for (unsigned i = 0; i < 20; i++)
        answer_and_put(conns[i]);
    CHECK(upstream_idle_count(u) <= 4 && upstream_idle_count(u) >= 3);
    CHECK_EQ(upstream_busy_count(u), 0);
    CHECK(stats.counters[STAT_upstream_closed_idle_limit] >= 16);
    core.now_us += 1100 * 1000;
    wheel_run(&core.wheel, core.now_us, 100);
    CHECK_EQ(upstream_idle_count(u), 0);
    end();
}

TEST(an_idle_connection_makes_room_for_one_that_is_needed)
{
    static const struct row here[] = {{1, 1, READY}};
    static const struct row there[] = {{2, 1, READY}};
    enum upstream_result why;
    begin(&one_conn);
    put_group(here, 1);
    struct upstream_conn *c = get(&why);
    answer_and_put(c);
    CHECK(get(&why) == c); /* reused */
    answer_and_put(c);
    put_group(there, 1);
    c = get(&why);
    REQUIRE(c != NULL);
    CHECK_EQ(upstream_conn_id(c)->addr.bytes[15], 2);
    CHECK_EQ(upstream_idle_count(u), 0);
    answer_and_put(c);
    end();
}

TEST(an_idle_connection_serves_who_wants_its_congestion_control)
{
    static const struct row rows[] = {{1, 1, READY}};
    enum upstream_result why;
    begin(NULL);
    put_group(rows, 1);
    struct upstream_conn *cubic = get(&why);
    answer_and_put(cubic);
    wanted = TCP_CONGESTION_BBR;
    struct upstream_conn *bbr = get(&why);
    CHECK_EQ(n_streams, 2);
    CHECK_EQ(congestions[0], TCP_CONGESTION_CUBIC);
    CHECK_EQ(congestions[1], TCP_CONGESTION_BBR);
    CHECK_EQ(upstream_idle_count(u), 1); /* the other one was neither taken nor closed */
    answer_and_put(bbr);
    CHECK(get(&why) == bbr);
    answer_and_put(bbr);
    wanted = TCP_CONGESTION_CUBIC;
    CHECK(get(&why) == cubic);
    answer_and_put(cubic);
    CHECK_EQ(upstream_idle_count(u), 2);
    put_group(rows, 0); /* the endpoint is listed no more: both kinds go */
    while (upstream_poll(u) > 0)
        check_upstream(u);
    CHECK_EQ(upstream_idle_count(u), 0);
    CHECK_EQ(stats.counters[STAT_upstream_closed_vanished], 2);
    CHECK_EQ(n_streams, 2);
    end();
}

TEST(a_connection_that_tells_a_client_is_that_clients_alone)
{
    static const struct row rows[] = {{1, 1, READY}};
    enum upstream_result why;
    struct upstream_keep one = {0}, other = {0};
    begin(NULL);
    put_group(rows, 1);
    answer_and_put(get(&why)); /* anybody's: not for those with a header */
    header = IMAGE_PROXY_HEADER_V2;
    keep = &one;
    struct upstream_conn *c = get(&why);
    CHECK_EQ(n_streams, 2);
    CHECK(!upstream_conn_is_reused(c));
    answer_and_put(c);
    CHECK(one.conn == c);
    CHECK(get(&why) == c); /* the same client */
    CHECK(one.conn == NULL && upstream_conn_is_reused(c));
    answer_and_put(c);
    keep = &other;
    struct upstream_conn *d = get(&why); /* another client */
    CHECK_EQ(n_streams, 3);
    answer_and_put(d);
    CHECK(one.conn == c && other.conn == d);
    header = IMAGE_PROXY_HEADER_NONE;
    keep = NULL;
    struct upstream_conn *e = get(&why); /* whoever tells nothing */
    CHECK(e != c && e != d);
    CHECK_EQ(n_streams, 3);
    answer_and_put(e);
    upstream_keep_drop(u, &one); /* the client goes, and so does its connection */
    CHECK(one.conn == NULL && streams[1].is_released && streams[1].is_shutdown);
    CHECK_EQ(stats.counters[STAT_upstream_closed_client_gone], 1);
    upstream_keep_drop(u, &one);
    CHECK_EQ(upstream_idle_count(u), 2);
    end();
    CHECK(other.conn == NULL);
}

TEST(a_clients_connection_is_left_when_it_is_of_the_wrong_kind_or_idle_too_long)
{
    static const struct row rows[] = {{1, 1, READY}};
    enum upstream_result why;
    struct upstream_keep one = {0};
    begin(NULL);
    put_group(rows, 1);
    header = IMAGE_PROXY_HEADER_V2;
    keep = &one;
    answer_and_put(get(&why));
    header = IMAGE_PROXY_HEADER_V1; /* the policy changed */
    struct upstream_conn *c = get(&why);
    CHECK_EQ(n_streams, 2);
    answer_and_put(c); /* takes the other one's place, which has the same endpoint */
    CHECK(one.conn == c && streams[0].is_released);
    CHECK_EQ(upstream_idle_count(u), 1);
    core.now_us += 1100 * 1000;
    wheel_run(&core.wheel, core.now_us, 100);
    CHECK(one.conn == NULL && streams[1].is_released);
    CHECK_EQ(stats.counters[STAT_upstream_closed_idle_timeout], 1);
    keep = NULL; /* nobody keeps it, as of a mirror */
    answer_and_put(get(&why));
    CHECK_EQ(upstream_idle_count(u), 0);
    CHECK_EQ(stats.counters[STAT_upstream_closed_done], 1);
    end();
}

TEST(an_idle_connection_of_the_other_kind_makes_room)
{
    static const struct row rows[] = {{1, 1, READY}};
    enum upstream_result why;
    begin(&one_conn);
    put_group(rows, 1);
    answer_and_put(get(&why));
    wanted = TCP_CONGESTION_BBR;
    struct upstream_conn *c = get(&why);
    REQUIRE(c != NULL);
    CHECK_EQ(congestions[1], TCP_CONGESTION_BBR);
    CHECK_EQ(stats.counters[STAT_upstream_closed_idle_limit], 1);
    upstream_abort(u, c);
    end();
}

TEST(limits_are_answers)
{
    static const struct row rows[] = {{1, 1, READY}};
    static const struct upstream_config two_conns = {.conns_max = 2,
                                                     .endpoints_max = 1,
                                                     .idle_max = 1,
                                                     .idle_per_endpoint_max = 1,
                                                     .busy_per_endpoint_max = 10,
                                                     .idle_timeout_ms = 1,
                                                     .connect_timeout_ms = 1};
    enum upstream_result why;
    begin(&two_conns);
    CHECK(get(&why) == NULL);
    CHECK_EQ(why, UPSTREAM_NO_ENDPOINT);
    put_group(rows, 1);
    struct upstream_conn *a = get(&why);
    struct upstream_conn *b = get(&why);
    CHECK(get(&why) == NULL);
    CHECK_EQ(why, UPSTREAM_NO_CONN);
    upstream_abort(u, a);
    upstream_abort(u, b);
    end();
    struct upstream_config one_busy = two_conns;
    one_busy.busy_per_endpoint_max = 1;
    begin(&one_busy);
    put_group(rows, 1);
    a = get(&why);
    CHECK(get(&why) == NULL);
    CHECK_EQ(why, UPSTREAM_LIMIT);
    CHECK_EQ(stats.counters[STAT_upstream_limit], 1);
    upstream_abort(u, a);
    end();
}

static bool is_host(const void *arg, const struct upstream_conn_id *id)
{
    return id->addr.bytes[15] == *(const uint8_t *)arg;
}

/* The host that is taken when that one is wanted (0: there was none to be taken), and whether it is
 * found. */
static uint8_t take_wanted(uint8_t host, bool is_avoided, bool *ret_is_found)
{
    struct upstream_conn_id id = {ip_addr_from_v4((uint8_t[]){10, 0, 0, host}), 80}, found;
    struct upstream_ask ask = {.group = 1, .congestion = wanted, .wanted = &id};
    struct upstream_conn *c;
    ask.avoid = is_avoided ? &id : NULL;
    *ret_is_found = upstream_find(u, 1, is_host, &host, &found);
    CHECK(!*ret_is_found || found.addr.bytes[15] == host);
    if (upstream_get(u, &ask, &ops, NULL, &c) != UPSTREAM_OK)
        return 0;
    uint8_t taken = upstream_conn_id(c)->addr.bytes[15];
    upstream_abort(u, c);
    return taken;
}

TEST(the_endpoint_that_is_wanted_is_taken_as_long_as_it_may_get_requests)
{
    static const uint32_t going = ENDPOINT_SERVING | ENDPOINT_TERMINATING;
    static const struct row some[] = {{1, 1, READY}, {2, 999, READY}, {3, 1, going}},
                            none[] = {{1, 1, going}, {2, 1, going}, {3, 1, 0}};
    bool is_found;
    begin(NULL);
    CHECK_EQ(take_wanted(1, false, &is_found), 0);
    CHECK(!is_found);
    put_group(some, 3);
    for (unsigned i = 0; i < 20; i++) {
        CHECK_EQ(take_wanted(1, false, &is_found), 1);
        CHECK(is_found);
        CHECK(take_wanted(3, false, &is_found) != 3);
        CHECK(!is_found);
        CHECK_EQ(take_wanted(2, true, &is_found), 1); /* it just failed */
        CHECK(take_wanted(9, false, &is_found) != 9);
        CHECK(!is_found);
    }
    put_group(none, 3); /* the last resort */
    for (unsigned i = 0; i < 20; i++) {
        CHECK_EQ(take_wanted(2, false, &is_found), 2);
        CHECK(is_found);
        CHECK(take_wanted(3, false, &is_found) != 3);
        CHECK(!is_found);
    }
    end();
}

/* The host whose turn it is; 0: nobody's. */
static uint8_t take_next(const struct upstream_conn_id *avoid)
{
    struct upstream_ask ask = {
        .group = 1, .congestion = wanted, .is_in_turn = true, .avoid = avoid};
    struct upstream_conn *c;
    if (upstream_get(u, &ask, &ops, NULL, &c) != UPSTREAM_OK)
        return 0;
    uint8_t host = upstream_conn_id(c)->addr.bytes[15];
    upstream_abort(u, c);
    return host;
}

TEST(endpoints_in_turn_get_the_same_number_of_requests)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}, {3, 1, 0}, {4, 1, READY}},
                            heavy[] = {{1, 1, READY}, {2, 3, READY}};
    unsigned counts[5] = {0};
    begin(NULL);
    CHECK_EQ(take_next(NULL), 0);
    put_group(rows, 4);
    uint8_t first = take_next(NULL), second = take_next(NULL), third = take_next(NULL);
    CHECK(first != second && second != third && first != third);
    for (unsigned i = 0; i < 30; i++) {
        CHECK_EQ(take_next(NULL), first);
        CHECK_EQ(take_next(NULL), second);
        CHECK_EQ(take_next(NULL), third);
    }
    struct upstream_conn_id avoid = {ip_addr_from_v4((uint8_t[]){10, 0, 0, 2}), 80};
    for (unsigned i = 0; i < 30; i++)
        CHECK(take_next(&avoid) != 2);
    put_group(heavy, 2);
    for (unsigned i = 0; i < 40; i++)
        counts[take_next(NULL)]++;
    CHECK_EQ(counts[1], 10);
    CHECK_EQ(counts[2], 30);
    end();
}

UNIT_MAIN("upstream", T(load_goes_by_weight_while_requests_are_under_way),
          T(an_endpoint_that_hangs_gets_less_than_its_neighbours),
          T(idle_connections_are_limited_and_the_longest_unused_go_first),
          T(an_idle_connection_makes_room_for_one_that_is_needed),
          T(an_idle_connection_serves_who_wants_its_congestion_control),
          T(a_connection_that_tells_a_client_is_that_clients_alone),
          T(a_clients_connection_is_left_when_it_is_of_the_wrong_kind_or_idle_too_long),
          T(an_idle_connection_of_the_other_kind_makes_room), T(limits_are_answers),
          T(endpoints_in_turn_get_the_same_number_of_requests),
          T(the_endpoint_that_is_wanted_is_taken_as_long_as_it_may_get_requests))
