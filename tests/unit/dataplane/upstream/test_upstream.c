/* SPDX-License-Identifier: Apache-2.0 */
/* Which endpoint is chosen, and how connections are kept, aged and limited. */
#include "core/core.h"
#include "core/endpoint_health.h"
#include "core/endpoint_table.h"
#include "core/rcu.h"
#include "fake_env.h"
#include "fake_stream.h"
#include "http2/h2.h"
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
static struct h2 *h2;
static struct upstream *u;
static enum tcp_congestion wanted;        /* by get() */
static enum image_proxy_header header;    /* likewise */
static struct upstream_keep *keep;        /* likewise */
static const struct upstream_tls *secure; /* likewise */
static uint16_t record_flags;             /* of put_group() */

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

static uint8_t without_way; /* the host that no way leads to; 0: none */

static bool has_way(void *owner, const struct ip_addr *remote)
{
    return remote->bytes[15] != without_way;
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
    r->count = (uint16_t)n;
    r->flags = record_flags;
    r->version = ++version;
    for (unsigned i = 0; i < n; i++)
        r->endpoints[i] =
            (struct endpoint){.addr = ip_addr_from_v4((uint8_t[]){10, 0, 0, rows[i].host}),
                              .port = 80,
                              .weight = rows[i].weight,
                              .flags = rows[i].flags};
    enum endpoints_fault fault;
    REQUIRE(endpoint_table_put(table, r, core.now_us, &fault));
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
    record_flags = 0;
    header = IMAGE_PROXY_HEADER_NONE;
    keep = NULL;
    secure = NULL;
    h2 = h2_new(
        &core, &env.env,
        &(struct h2_config){
            .sessions_max = 8, .streams_max = 32, .pieces_max = 8, .heap_bytes_max = 1u << 20});
    u = upstream_new(&core, table, &env.env, h2, config != NULL ? config : &small);
    upstream_set_dialer(u, &(struct upstream_dialer){.open = dial, .has_way = has_way});
}

static void end(void)
{
    upstream_done(u);
    h2_done(h2);
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

static void on_writable(struct http_client *h)
{
    if (h->phase != HTTP_CLIENT_READY)
        return;
    struct http_request r = {
        .method = SLICE_LIT("GET"), .path = SLICE_LIT("/"), .authority = SLICE_LIT("a")};
    REQUIRE(http_client_send_head(h, &r));
    http_client_end_request(h);
}

static void on_answer(struct http_client *h)
{
}

static void on_end(struct http_client *h, enum http_client_end why)
{
    upstream_drop(u, h->owner);
}

static const struct http_client_ops ops = {
    .on_writable = on_writable, .on_response = on_answer, .on_body = on_answer, .on_end = on_end};

/* A connection of group 1, asked; NULL: none was given (the reason is in *ret_why). */
static struct upstream_conn *get(enum upstream_result *ret_why)
{
    struct upstream_conn *c = NULL;
    struct upstream_ask ask = {
        .group = 1, .congestion = wanted, .header = header, .keep = keep, .tls = secure};
    *ret_why = upstream_get(u, &ask, &ops, NULL, &c);
    if (*ret_why != UPSTREAM_OK)
        return NULL;
    struct http_client *h = upstream_conn_http(c);
    h->owner = c;
    fake_stream_dispatch((struct fake_stream *)h->stream);
    if (h->phase == HTTP_CLIENT_READY)
        on_writable(h);
    return c;
}

static void answer_and_put(struct upstream_conn *c)
{
    struct fake_stream *f = (struct fake_stream *)upstream_conn_http(c)->stream;
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

TEST(an_idle_connection_is_of_no_use_while_there_is_no_way)
{
    static const struct row here[] = {{1, 1, READY}};
    enum upstream_result why;
    begin(NULL);
    put_group(here, 1);
    struct upstream_conn *c = get(&why);
    answer_and_put(c);
    without_way = 1;
    CHECK(get(&why) == NULL);
    CHECK_EQ(why, UPSTREAM_OPEN_FAILED);
    CHECK_EQ(n_streams, 1);
    without_way = 0;
    CHECK(get(&why) == c);
    answer_and_put(c);
    end();
}

TEST(an_endpoint_that_no_way_leads_to_is_passed_over)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}};
    enum upstream_result why;
    begin(NULL);
    put_group(rows, 2);
    without_way = 2;
    for (unsigned i = 0; i < 50; i++) {
        struct upstream_conn *c = get(&why);
        REQUIRE(c != NULL);
        CHECK_EQ(upstream_conn_id(c)->addr.bytes[15], 1);
        answer_and_put(c);
    }
    without_way = 0;
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

TEST(an_idle_connection_serves_who_wants_it_secured_in_the_same_way)
{
    static const struct row rows[] = {{1, 1, READY}};
    static const struct upstream_tls one = {.id = {{1}}}, other = {.id = {{1, 0, 0, 2}}};
    enum upstream_result why;
    begin(NULL);
    put_group(rows, 1);
    struct upstream_conn *plain = get(&why), *first = get(&why), *second = get(&why);
    first->tls = one.id; /* as if TLS had been opened with it */
    second->tls = other.id;
    answer_and_put(plain);
    answer_and_put(first);
    answer_and_put(second);
    CHECK_EQ(upstream_idle_count(u), 3);
    secure = &one;
    struct upstream_conn *c = get(&why);
    CHECK(c == first && upstream_conn_is_secured(c));
    secure = &other;
    struct upstream_conn *d = get(&why);
    CHECK(d == second);
    secure = NULL;
    struct upstream_conn *e = get(&why);
    CHECK(e == plain && !upstream_conn_is_secured(e));
    struct upstream_conn *f = get(&why); /* there is none left */
    CHECK_EQ(n_streams, 4);
    answer_and_put(c);
    answer_and_put(d);
    answer_and_put(e);
    answer_and_put(f);
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
    *ret_is_found = upstream_find(u, &ask, is_host, &host, &found);
    ask.avoid = is_avoided ? &id : NULL;
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
        .group = 1, .congestion = wanted, .balancing = IMAGE_BALANCING_TURNS, .avoid = avoid};
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

#define KEYS 1000

/* The connection of a key; NULL: none was given. */
static struct upstream_conn *get_hashed(uint64_t hash, const struct upstream_conn_id *avoid)
{
    struct upstream_ask ask = {.group = 1,
                               .congestion = wanted,
                               .balancing = IMAGE_BALANCING_MAGLEV,
                               .hash = hash,
                               .avoid = avoid};
    struct upstream_conn *c = NULL;
    return upstream_get(u, &ask, &ops, NULL, &c) == UPSTREAM_OK ? c : NULL;
}

/* The host that it leads to; 0: none. Nothing stays open. */
static uint8_t host_of(uint64_t hash, const struct upstream_conn_id *avoid)
{
    struct upstream_conn *c = get_hashed(hash, avoid);
    if (c == NULL)
        return 0;
    uint8_t host = upstream_conn_id(c)->addr.bytes[15];
    upstream_abort(u, c);
    n_streams = 0; /* they are used again */
    return host;
}

static uint64_t key(unsigned i)
{
    return (i + 1) * 0x9e3779b97f4a7c15u;
}

static void read_hosts(uint8_t *ret, const struct upstream_conn_id *avoid)
{
    for (unsigned i = 0; i < KEYS; i++)
        ret[i] = host_of(key(i), avoid);
}

/* How many keys are not where they were, although it was not `gone` that had them. */
static unsigned moved(const uint8_t *before, const uint8_t *after, uint8_t gone)
{
    unsigned n = 0;
    for (unsigned i = 0; i < KEYS; i++) {
        CHECK(after[i] != gone);
        n += before[i] != gone && before[i] != after[i];
    }
    return n;
}

TEST(a_hash_leads_to_one_endpoint_and_few_move_when_one_goes)
{
    static const struct row all[] = {{1, 1, READY}, {2, 1, READY}, {3, 1, READY}, {4, 1, READY}},
                            less[] = {{4, 1, READY}, {3, 1, 0}, {1, 1, READY}, {2, 1, READY}};
    uint8_t before[KEYS], after[KEYS];
    unsigned counts[5] = {0};
    begin(NULL);
    record_flags = ENDPOINT_RECORD_HASHED;
    put_group(all, 4);
    read_hosts(before, NULL);
    read_hosts(after, NULL);
    CHECK(memcmp(before, after, KEYS) == 0);
    for (unsigned i = 0; i < KEYS; i++)
        counts[before[i]]++;
    for (unsigned host = 1; host <= 4; host++)
        CHECK(counts[host] > 200 && counts[host] < 300);
    put_group(less, 4);
    read_hosts(after, NULL);
    CHECK(moved(before, after, 3) < KEYS / 20);
    put_group(all, 4);
    read_hosts(after, NULL);
    CHECK(memcmp(before, after, KEYS) == 0);
    CHECK_EQ(stats.counters[STAT_upstream_maglev_none], 0);
    CHECK_EQ(stats.counters[STAT_upstream_maglev_misses], 0);
    end();
}

TEST(only_the_keys_of_an_endpoint_that_may_not_be_asked_go_elsewhere_and_to_all_others)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}, {3, 1, READY}, {4, 1, READY}};
    struct upstream_conn_id avoid = {ip_addr_from_v4((uint8_t[]){10, 0, 0, 2}), 80};
    uint8_t before[KEYS], after[KEYS];
    unsigned taken_over[5] = {0};
    begin(NULL);
    record_flags = ENDPOINT_RECORD_HASHED;
    put_group(rows, 4);
    read_hosts(before, NULL);
    read_hosts(after, &avoid);
    CHECK_EQ(moved(before, after, 2), 0);
    for (unsigned i = 0; i < KEYS; i++)
        taken_over[before[i] == 2 ? after[i] : 0]++;
    for (unsigned host = 1; host <= 4; host++)
        CHECK(host == 2 || taken_over[host] > 50);
    end();
}

TEST(keys_of_an_endpoint_at_its_limit_go_elsewhere_meanwhile)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}};
    static const struct upstream_config one_busy = {.conns_max = 4,
                                                    .endpoints_max = 4,
                                                    .idle_max = 1,
                                                    .idle_per_endpoint_max = 1,
                                                    .busy_per_endpoint_max = 1,
                                                    .idle_timeout_ms = 1,
                                                    .connect_timeout_ms = 1};
    begin(&one_busy);
    record_flags = ENDPOINT_RECORD_HASHED;
    put_group(rows, 2);
    struct upstream_conn *first = get_hashed(7, NULL), *second = get_hashed(7, NULL);
    REQUIRE(first != NULL && second != NULL);
    uint8_t host = upstream_conn_id(first)->addr.bytes[15];
    CHECK_EQ(upstream_conn_id(second)->addr.bytes[15], 3 - host);
    CHECK(get_hashed(7, NULL) == NULL);
    CHECK_EQ(stats.counters[STAT_upstream_limit], 1);
    upstream_abort(u, first);
    first = get_hashed(7, NULL);
    CHECK_EQ(upstream_conn_id(first)->addr.bytes[15], host);
    upstream_abort(u, first);
    upstream_abort(u, second);
    end();
}

TEST(without_a_table_a_hash_leads_to_one_endpoint_and_none_moves_that_need_not)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}, {3, 1, 0}},
                            more[] = {{3, 1, READY}, {2, 1, READY}, {1, 1, READY}};
    uint8_t before[KEYS], after[KEYS];
    unsigned counts[4] = {0};
    begin(NULL);
    put_group(rows, 3);
    read_hosts(before, NULL);
    read_hosts(after, NULL);
    CHECK(memcmp(before, after, KEYS) == 0);
    for (unsigned i = 0; i < KEYS; i++)
        counts[before[i]]++;
    CHECK(counts[1] > 400 && counts[2] > 400 && counts[3] == 0);
    CHECK_EQ(stats.counters[STAT_upstream_maglev_none], 2 * KEYS);
    put_group(more, 3);
    read_hosts(after, NULL);
    put_group(rows, 3);
    CHECK_EQ(moved(after, before, 3), 0);
    end();
}

TEST(where_no_place_near_has_one_that_may_be_asked_all_draw)
{
    static const struct row rows[] = {{1, UINT16_MAX, READY}, {2, 1, READY}};
    struct upstream_conn_id heavy = {ip_addr_from_v4((uint8_t[]){10, 0, 0, 1}), 80};
    begin(NULL);
    record_flags = ENDPOINT_RECORD_HASHED;
    put_group(rows, 2);
    for (unsigned i = 0; i < KEYS; i++)
        CHECK_EQ(host_of(key(i), &heavy), 2);
    CHECK(stats.counters[STAT_upstream_maglev_misses] > KEYS / 2);
    end();
}

static const struct image_health seen = {.failures = 2,
                                         .base_ejection_ms = 1000,
                                         .max_ejection_ms = 1000,
                                         .max_ejected_percent = 100,
                                         .panic_percent = 50};

static struct upstream_conn_id id_of(uint8_t host)
{
    return (struct upstream_conn_id){ip_addr_from_v4((uint8_t[]){10, 0, 0, host}), 80};
}

/* How many of `n` requests each host gets. `ask`: without its group. */
static void spread(struct upstream_ask ask, unsigned n, unsigned ret[8])
{
    ask.group = 1;
    memset(ret, 0, 8 * sizeof(ret[0]));
    while (n-- > 0) {
        struct upstream_conn *c;
        if (upstream_get(u, &ask, &ops, NULL, &c) != UPSTREAM_OK) {
            ret[0]++;
            continue;
        }
        ret[upstream_conn_id(c)->addr.bytes[15]]++;
        upstream_abort(u, c);
        n_streams--;
        fake_stream_done(&streams[n_streams]);
    }
}

static void fail_twice(uint8_t host)
{
    struct upstream_ask ask = {.group = 1, .health = &seen};
    struct upstream_conn_id id = id_of(host);
    upstream_note(u, &ask, &id, false);
    upstream_note(u, &ask, &id, false);
}

TEST(an_ejected_endpoint_gets_nothing_however_endpoints_are_chosen)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}, {3, 1, READY}};
    unsigned to[8];
    begin(NULL);
    put_group(rows, 3);
    fail_twice(2);
    CHECK_EQ(stats.counters[STAT_upstream_failures], 2);
    CHECK_EQ(stats.counters[STAT_upstream_ejected], 1);
    struct upstream_conn_id two = id_of(2), found;
    const struct upstream_ask ways[] = {{.health = &seen},
                                        {.health = &seen, .balancing = IMAGE_BALANCING_TURNS},
                                        {.health = &seen, .wanted = &two}};
    for (unsigned i = 0; i < array_len(ways); i++) {
        spread(ways[i], 60, to);
        CHECK_EQ(to[2], 0);
        CHECK(to[1] > 0 && to[3] > 0 && to[1] + to[3] == 60);
    }
    uint8_t host = 2;
    struct upstream_ask ask = {.group = 1, .health = &seen};
    CHECK(!upstream_find(u, &ask, is_host, &host, &found));
    spread((struct upstream_ask){.balancing = IMAGE_BALANCING_TURNS}, 60,
           to); /* without the policy */
    CHECK_EQ(to[2], 20);
    core.now_us += 1000 * 1000;
    spread(ways[1], 60, to);
    CHECK_EQ(to[2], 20);
    CHECK(upstream_find(u, &ask, is_host, &host, &found));
    CHECK_EQ(stats.counters[STAT_upstream_panic], 0);
    end();
}

/* Where each key leads under the policy; `wanted`: whose sessions they are, NULL: nobody's. */
static void read_hosts_seen(uint8_t *ret, const struct upstream_conn_id *wanted_id)
{
    unsigned to[8];
    for (unsigned i = 0; i < KEYS; i++) {
        spread((struct upstream_ask){.balancing = IMAGE_BALANCING_MAGLEV,
                                     .hash = key(i),
                                     .health = &seen,
                                     .wanted = wanted_id},
               1, to);
        for (uint8_t host = 0; host < 8; host++)
            ret[i] = to[host] > 0 ? host : ret[i];
    }
}

TEST(only_the_keys_of_an_ejected_endpoint_go_elsewhere_and_they_come_back)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}, {3, 1, READY}, {4, 1, READY}};
    uint8_t before[KEYS], after[KEYS];
    unsigned taken_over[5] = {0};
    begin(NULL);
    record_flags = ENDPOINT_RECORD_HASHED;
    put_group(rows, 4);
    read_hosts_seen(before, NULL);
    fail_twice(2);
    read_hosts_seen(after, NULL);
    CHECK_EQ(moved(before, after, 2), 0);
    for (unsigned i = 0; i < KEYS; i++)
        taken_over[before[i] == 2 ? after[i] : 0]++;
    for (unsigned host = 1; host <= 4; host++)
        CHECK(host == 2 || taken_over[host] > 50);
    core.now_us += 1000 * 1000;
    read_hosts_seen(after, NULL);
    CHECK(memcmp(before, after, KEYS) == 0);
    end();
}

TEST(a_session_goes_before_the_hash_until_its_endpoint_is_ejected)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}, {3, 1, READY}, {4, 1, READY}};
    struct upstream_conn_id two = id_of(2);
    uint8_t by_hash[KEYS], by_session[KEYS];
    begin(NULL);
    record_flags = ENDPOINT_RECORD_HASHED;
    put_group(rows, 4);
    read_hosts_seen(by_session, &two);
    for (unsigned i = 0; i < KEYS; i++)
        CHECK_EQ(by_session[i], 2);
    fail_twice(2);
    read_hosts_seen(by_hash, NULL);
    read_hosts_seen(by_session, &two);
    CHECK(memcmp(by_hash, by_session, KEYS) == 0);
    end();
}

TEST(an_unhealthy_endpoint_gets_nothing_where_checks_count)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}};
    static const struct image_health asked = {.check = IMAGE_HEALTH_CHECK_TCP,
                                              .healthy_checks = 1,
                                              .unhealthy_checks = 1,
                                              .panic_percent = 50};
    unsigned to[8];
    begin(NULL);
    put_group(rows, 2);
    endpoint_health_report(endpoint_group_get(table, 1), 0, false, &asked, core.now_us);
    spread((struct upstream_ask){.health = &asked}, 40, to);
    CHECK_EQ(to[2], 40);
    spread((struct upstream_ask){.health = &seen}, 40, to);
    CHECK(to[1] > 0);
    end();
}

TEST(when_too_few_are_usable_all_that_are_ready_get_requests)
{
    static const struct row rows[] = {{1, 1, READY},
                                      {2, 1, READY},
                                      {3, 1, READY},
                                      {4, 1, 0},
                                      {5, 1, ENDPOINT_SERVING | ENDPOINT_TERMINATING}};
    struct image_health never = seen;
    never.panic_percent = 0;
    unsigned to[8];
    begin(NULL);
    put_group(rows, 5);
    fail_twice(1);
    fail_twice(2); /* one of three is left: less than half */
    spread((struct upstream_ask){.health = &seen, .balancing = IMAGE_BALANCING_TURNS}, 30, to);
    CHECK_EQ(to[1], 10);
    CHECK_EQ(to[2], 10);
    CHECK_EQ(to[3], 10);
    CHECK_EQ(stats.counters[STAT_upstream_panic], 30);
    spread((struct upstream_ask){.health = &never, .balancing = IMAGE_BALANCING_TURNS}, 30, to);
    CHECK_EQ(to[3], 30);
    fail_twice(3);
    spread((struct upstream_ask){.health = &never}, 30, to);
    CHECK_EQ(to[5], 30); /* the last resort */
    struct upstream_conn_id five = id_of(5);
    spread((struct upstream_ask){.health = &never, .avoid = &five}, 30, to);
    CHECK_EQ(to[5], 30); /* and the only one */
    spread((struct upstream_ask){.health = &seen}, 30, to);
    CHECK_EQ(to[5], 0);
    CHECK_EQ(stats.counters[STAT_upstream_panic], 60);
    end();
}

TEST(a_new_endpoint_gets_a_tenth_at_first_and_all_in_the_end)
{
    static const struct row old[] = {{1, 1, READY}, {2, 1, READY}, {3, 1, READY}},
                            new[] = {{1, 1, READY}, {2, 1, READY}, {3, 1, READY}, {4, 1, READY}};
    static const struct image_health slow = {.slow_start_ms = 10000};
    const struct upstream_ask ways[] = {{.health = &slow},
                                        {.health = &slow, .balancing = IMAGE_BALANCING_TURNS}};
    unsigned to[8];
    begin(NULL);
    put_group(old, 3);
    core.now_us += 1000 * 1000;
    put_group(new, 4);
    for (unsigned i = 0; i < array_len(ways); i++) { /* 7 of 199 parts */
        spread(ways[i], 1000, to);
        CHECK(to[4] >= 20 && to[4] <= 55);
        CHECK(to[1] > 250 && to[2] > 250 && to[3] > 250);
    }
    core.now_us += 5000 * 1000; /* 35 of 227 */
    for (unsigned i = 0; i < array_len(ways); i++) {
        spread(ways[i], 1000, to);
        CHECK(to[4] >= 110 && to[4] <= 200);
    }
    spread((struct upstream_ask){.balancing = IMAGE_BALANCING_TURNS}, 1000, to);
    CHECK_EQ(to[4], 250); /* without the policy */
    core.now_us += 5000 * 1000;
    spread(ways[1], 1000, to);
    CHECK_EQ(to[4], 250);
    end();
}

TEST(what_is_said_of_an_endpoint_that_is_gone_is_said_of_nobody)
{
    static const struct row rows[] = {{1, 1, READY}, {2, 1, READY}};
    begin(NULL);
    fail_twice(1); /* no list at all */
    put_group(rows, 2);
    fail_twice(9);
    struct upstream_ask ask = {.group = 1};
    struct upstream_conn_id one = id_of(1);
    upstream_note(u, &ask, &one, false);
    upstream_note(u, &ask, &one, false);
    CHECK_EQ(stats.counters[STAT_upstream_failures], 0);
    CHECK_EQ(endpoint_group_get(table, 1)->health[0].failures, 0);
    end();
}

/* ---- goodbyes ---- */

static void check_ends(uint64_t by_backend, uint64_t stale, uint64_t broken)
{
    CHECK_EQ(stats.counters[STAT_upstream_closed_by_backend], by_backend);
    CHECK_EQ(stats.counters[STAT_upstream_closed_stale], stale);
    CHECK_EQ(stats.counters[STAT_upstream_broken], broken);
    CHECK_EQ(stats.counters[STAT_upstream_opened], by_backend + stale + broken);
}

/* A connection that had one request, and if so has another. */
static struct fake_stream *begin_rested(bool is_used)
{
    static const struct row rows[] = {{1, 1, READY}};
    enum upstream_result why;
    begin(NULL);
    put_group(rows, 1);
    answer_and_put(get(&why));
    CHECK_EQ(upstream_idle_count(u), 1);
    if (is_used)
        CHECK(get(&why) != NULL && n_streams == 1);
    return &streams[0];
}

TEST(a_backend_that_ends_an_idle_connection_breaks_nothing)
{
    struct fake_stream *f = begin_rested(false);
    fake_stream_push_eof(f);
    fake_stream_dispatch(f);
    check_ends(1, 0, 0);
    end();
    f = begin_rested(true); /* the same, but a request crosses it */
    fake_stream_push_eof(f);
    fake_stream_dispatch(f);
    check_ends(0, 1, 0);
    end();
}

TEST(a_connection_that_ends_under_a_request_is_broken)
{
    static const struct row rows[] = {{1, 1, READY}};
    struct fake_stream *f = begin_rested(true);
    fake_stream_break(f, STREAM_END_RESET);
    fake_stream_dispatch(f);
    check_ends(0, 0, 1);
    end();
    f = begin_rested(true);
    fake_stream_push(f, SLICE_LIT("HTTP/1.1 2"));
    fake_stream_push_eof(f);
    fake_stream_dispatch(f);
    check_ends(0, 0, 1);
    end();
    begin(NULL); /* it has not answered anything before */
    put_group(rows, 1);
    enum upstream_result why;
    REQUIRE(get(&why) != NULL);
    fake_stream_push_eof(&streams[0]);
    fake_stream_dispatch(&streams[0]);
    check_ends(0, 0, 1);
    end();
}

#define H2_SETTINGS "\0\0\0\4\0\0\0\0\0"
#define H2_ANSWER "\0\0\1\1\5\0\0\0\1\x88" /* 200 to the first request, and its end */
#define H2_GOAWAY "\0\0\10\7\0\0\0\0\0\0\0\0\1\0\0\0\0"

static void on_h2_body(struct http_client *h)
{
    http_client_body_ready(h);
    if (http_client_body_is_done(h))
        upstream_put(u, h->owner);
}

/* A session with a request under way. */
static struct fake_stream *begin_h2(void)
{
    static const struct http_client_ops h2_ops = {.on_writable = on_writable,
                                                  .on_response = on_answer,
                                                  .on_body = on_h2_body,
                                                  .on_end = on_end};
    static const struct row rows[] = {{1, 1, READY}};
    struct upstream_ask ask = {.group = 1, .protocol = IMAGE_BACKEND_HTTP2};
    struct upstream_conn *c;
    begin(NULL);
    put_group(rows, 1);
    REQUIRE(upstream_get(u, &ask, &h2_ops, NULL, &c) == UPSTREAM_OK);
    upstream_conn_http(c)->owner = c;
    fake_stream_dispatch(&streams[0]);
    return &streams[0];
}

/* What the backend says until it ends, if it does, and what becomes of that. */
static void h2_ends_by(struct slice said, bool is_ended)
{
    struct fake_stream *f = begin_h2();
    fake_stream_push(f, said);
    if (is_ended)
        fake_stream_push_eof(f);
    for (unsigned i = 0; i < 10; i++) {
        core.now_us += WHEEL_TICK_US;
        wheel_run(&core.wheel, core.now_us, 100);
        if (!f->is_released)
            fake_stream_dispatch(f);
    }
    CHECK(f->is_released);
}

TEST(goodbyes_of_http_2_are_told_from_breaks)
{
    h2_ends_by(SLICE_LIT(H2_SETTINGS H2_ANSWER), true);
    check_ends(1, 0, 0);
    end();
    h2_ends_by(SLICE_LIT(H2_SETTINGS H2_ANSWER H2_GOAWAY), false);
    check_ends(1, 0, 0);
    end();
    h2_ends_by(SLICE_LIT(H2_SETTINGS H2_GOAWAY H2_ANSWER), true);
    check_ends(1, 0, 0);
    end();
    h2_ends_by(SLICE_LIT(H2_SETTINGS), true); /* without an answer */
    check_ends(0, 0, 1);
    end();
    h2_ends_by(SLICE_LIT(H2_SETTINGS H2_GOAWAY), true);
    check_ends(0, 0, 1);
    end();
}

TEST(an_idle_session_of_http_2_may_end_at_any_time)
{
    static const struct {
        struct slice said;
        bool is_ended;
    } rows[] = {{SLICE_LIT(H2_GOAWAY), false}, {SLICE_LIT(H2_GOAWAY), true}, {{NULL, 0}, true}};
    for (unsigned i = 0; i < array_len(rows); i++) {
        struct fake_stream *f = begin_h2();
        fake_stream_push(f, SLICE_LIT(H2_SETTINGS H2_ANSWER));
        fake_stream_dispatch(f);
        CHECK(!f->is_released);
        if (rows[i].said.len > 0)
            fake_stream_push(f, rows[i].said);
        if (rows[i].is_ended)
            fake_stream_push_eof(f);
        fake_stream_dispatch(f);
        CHECK(f->is_released);
        check_ends(1, 0, 0);
        end();
    }
}

UNIT_MAIN("upstream", T(an_ejected_endpoint_gets_nothing_however_endpoints_are_chosen),
          T(only_the_keys_of_an_ejected_endpoint_go_elsewhere_and_they_come_back),
          T(a_session_goes_before_the_hash_until_its_endpoint_is_ejected),
          T(an_unhealthy_endpoint_gets_nothing_where_checks_count),
          T(when_too_few_are_usable_all_that_are_ready_get_requests),
          T(a_new_endpoint_gets_a_tenth_at_first_and_all_in_the_end),
          T(what_is_said_of_an_endpoint_that_is_gone_is_said_of_nobody),
          T(load_goes_by_weight_while_requests_are_under_way),
          T(an_endpoint_that_hangs_gets_less_than_its_neighbours),
          T(idle_connections_are_limited_and_the_longest_unused_go_first),
          T(an_idle_connection_is_of_no_use_while_there_is_no_way),
          T(an_endpoint_that_no_way_leads_to_is_passed_over),
          T(an_idle_connection_makes_room_for_one_that_is_needed),
          T(an_idle_connection_serves_who_wants_its_congestion_control),
          T(an_idle_connection_serves_who_wants_it_secured_in_the_same_way),
          T(a_connection_that_tells_a_client_is_that_clients_alone),
          T(a_clients_connection_is_left_when_it_is_of_the_wrong_kind_or_idle_too_long),
          T(an_idle_connection_of_the_other_kind_makes_room), T(limits_are_answers),
          T(endpoints_in_turn_get_the_same_number_of_requests),
          T(a_hash_leads_to_one_endpoint_and_few_move_when_one_goes),
          T(only_the_keys_of_an_endpoint_that_may_not_be_asked_go_elsewhere_and_to_all_others),
          T(keys_of_an_endpoint_at_its_limit_go_elsewhere_meanwhile),
          T(without_a_table_a_hash_leads_to_one_endpoint_and_none_moves_that_need_not),
          T(where_no_place_near_has_one_that_may_be_asked_all_draw),
          T(the_endpoint_that_is_wanted_is_taken_as_long_as_it_may_get_requests),
          T(a_backend_that_ends_an_idle_connection_breaks_nothing),
          T(a_connection_that_ends_under_a_request_is_broken),
          T(goodbyes_of_http_2_are_told_from_breaks),
          T(an_idle_session_of_http_2_may_end_at_any_time))
