/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes that take turns: by the worker, by crypto cores that the test plays, by a device. */
#include "fake_pair.h"
#include "test_certs.h"

#include "base/jobs.h"
#include "base/siphash.h"
#include "base/wheel.h"
#include "tls/tls.h"
#include "tls/tls_crypto.h"
#include "tls/tls_device.h"
#include "tls/tls_identity.h"
#include "tls/tls_priv.h"
#include "unit.h"

#include <openssl/async.h>
#include <stdlib.h>
#include <string.h>

#define CORES 2u

/* One client and the server's end for it. */
struct pair {
    struct fake_end low_client, low_server;
    struct stream *client, *server;
    unsigned client_events, server_events;
    size_t received;
};

struct world {
    struct wheel wheel;
    uint64_t now_us;
    bool is_loaded;
    struct tls_context *client_context, *server_context;
    struct tls_identity *identity;
    struct job_lane *lanes[CORES];
    unsigned n_lanes;
    struct tls_crypto *crypto;
    unsigned ends[TLS_HANDSHAKE_lost + 1];
    unsigned n;
    struct pair *pairs;
};

static void pick(void *arg, const char *server_name, struct tls_choice *ret)
{
    struct world *w = arg;
    if (strcmp(server_name, "box.test") == 0)
        ret->identities[ret->n++] = w->identity;
}

static void on_handshake(void *arg, enum tls_handshake end)
{
    struct world *w = arg;
    w->ends[end]++;
}

static void on_client(struct stream *s, unsigned events)
{
    struct pair *p = s->owner;
    p->client_events |= events;
}

static void on_server(struct stream *s, unsigned events)
{
    struct pair *p = s->owner;
    p->server_events |= events;
    p->received += stream_readable(s);
    stream_consume(s, stream_readable(s));
}

static struct world *world_new(unsigned n_lanes, unsigned n_pairs)
{
    static const struct tls_front_ops ops = {.pick = pick, .on_handshake = on_handshake};
    const struct test_certs *c = test_certs();
    struct world *w = calloc(1, sizeof(*w));
    struct tls_client_config client = {.ca = c->ca.certificate};
    wheel_init(&w->wheel, 0);
    REQUIRE(tls_identity_new(c->server.certificate, c->server.key, &w->identity) == TLS_FAULT_OK);
    REQUIRE(tls_front_new("http/1.1", &ops, NULL, &w->server_context) == TLS_FAULT_OK);
    REQUIRE(tls_client_new(&client, &w->client_context) == TLS_FAULT_OK);
    for (unsigned i = 0; i < n_lanes; i++)
        w->lanes[i] = job_lane_new();
    w->n_lanes = n_lanes;
    w->crypto = tls_crypto_new(w->lanes, n_lanes, &(struct siphash_key){1, 2});
    w->n = n_pairs;
    w->pairs = calloc(n_pairs, sizeof(*w->pairs));
    return w;
}

/* A connection; the server's end waits for its client. */
static struct pair *open_pair(struct world *w, unsigned i)
{
    struct pair *p = &w->pairs[i];
    fake_join(&p->low_client, &p->low_server, FAKE_CAPACITY_MAX);
    p->server = tls_accept_by_name(w->server_context, &p->low_server.stream, &w->wheel, w);
    REQUIRE(p->server != NULL);
    tls_use_crypto(p->server, w->crypto);
    p->server->owner = p;
    p->server->on_event = on_server;
    return p;
}

/* The same with a client of ours. */
static struct pair *connect_pair(struct world *w, unsigned i)
{
    struct pair *p = open_pair(w, i);
    p->client = tls_connect(w->client_context, &p->low_client.stream, &w->wheel, "box.test");
    REQUIRE(p->client != NULL);
    p->client->owner = p;
    p->client->on_event = on_client;
    return p;
}

static struct tls_crypto_counts counts_of(const struct world *w)
{
    struct tls_crypto_counts counts;
    tls_crypto_counts(w->crypto, &counts);
    return counts;
}

/* All but the turns. */
static void move(struct world *w)
{
    w->now_us += WHEEL_TICK_US;
    wheel_run(&w->wheel, w->now_us, 100000);
    for (unsigned i = 0; i < w->n; i++) {
        fake_dispatch(&w->pairs[i].low_client);
        fake_dispatch(&w->pairs[i].low_server);
    }
}

/* What the cores do in a while. Returns how many jobs. */
static unsigned run_cores(struct world *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->n_lanes; i++) {
        for (struct job *job; (job = job_lane_get(w->lanes[i])) != NULL; n++) {
            REQUIRE(job->run(job) == JOB_DONE);
            job->spent_ns += 10;
            job_lane_put(w->lanes[i], job);
        }
    }
    return n;
}

static void turn(struct world *w)
{
    tls_crypto_poll(w->crypto, w->now_us, w->is_loaded);
}

/* Until the first step of the pair's server is with a core. */
static void run_until_away(struct world *w)
{
    for (unsigned i = 0; i < 10 && counts_of(w).away_now == 0; i++) {
        move(w);
        turn(w);
    }
    REQUIRE(counts_of(w).away_now == 1);
}

static void run_all(struct world *w, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        move(w);
        turn(w);
        run_cores(w);
    }
}

static void let_go(struct stream **s)
{
    if (*s != NULL)
        stream_release(*s);
    *s = NULL;
}

static void world_free(struct world *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        struct pair *p = &w->pairs[i];
        let_go(&p->server);
        if (p->client == NULL && p->low_client.stream.ops != NULL && !p->low_client.is_released)
            stream_release(&p->low_client.stream);
        let_go(&p->client);
    }
    for (unsigned i = 0; i < TLS_LINGER_MS_MAX * 1000 / WHEEL_TICK_US + 10 && w->wheel.armed > 0;
         i++)
        move(w);
    tls_crypto_free(w->crypto);
    CHECK_EQ(w->wheel.armed, 0);
    for (unsigned i = 0; i < w->n_lanes; i++) {
        CHECK_EQ(job_lane_count(w->lanes[i]), 0);
        job_lane_free(w->lanes[i]);
    }
    tls_identity_free(w->identity);
    tls_context_free(w->client_context);
    tls_context_free(w->server_context);
    free(w->pairs);
    free(w);
}

static void say(struct pair *p, const char *what)
{
    struct slice v = slice_of_str(what);
    CHECK_EQ(stream_write(p->client, &v, 1), v.len);
}

TEST(crypto_cores_take_all_steps_but_the_look_at_the_hello)
{
    struct world *w = world_new(CORES, 3);
    for (unsigned i = 0; i < 3; i++)
        connect_pair(w, i);
    run_all(w, 20);
    CHECK_EQ(w->ends[TLS_HANDSHAKE_full], 3);
    for (unsigned i = 0; i < 3; i++) {
        say(&w->pairs[i], "request");
        CHECK_STR(tls_server_name(w->pairs[i].server), "box.test");
    }
    run_all(w, 5);
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(w->pairs[i].received, 7);
    struct tls_crypto_counts counts = counts_of(w);
    CHECK_EQ(counts.here, 0);
    CHECK_EQ(counts.away, 6);
    CHECK_EQ(counts.away_ns, 60);
    CHECK_EQ(counts.away_now + counts.due_now, 0);
    world_free(w);
}

TEST(keys_are_agreed_on_by_the_best_group_that_the_library_has)
{
    bool is_hybrid = OpenSSL_version_num() >= 0x30500000L; /* X25519MLKEM768 came with 3.5 */
    struct world *w = world_new(1, 1);
    struct pair *p = connect_pair(w, 0);
    run_all(w, 10);
    REQUIRE(tls_is_established(p->server));
    SSL *ssl = tls_of(p->server)->ssl;
    const char *group = SSL_group_to_name(ssl, (int)SSL_get_negotiated_group(ssl));
    CHECK_EQ(strcasecmp(group, is_hybrid ? "X25519MLKEM768" : "X25519"), 0);
    world_free(w);
}

TEST(what_came_behind_the_last_message_of_a_handshake_is_read_by_the_worker)
{
    struct world *w = world_new(1, 1);
    struct pair *p = connect_pair(w, 0);
    run_until_away(w);
    run_cores(w);
    turn(w);
    fake_dispatch(&p->low_client); /* the client's end is done, the server's is not */
    REQUIRE(tls_is_established(p->client));
    for (unsigned i = 0; i < 4; i++)
        say(p, "early enough");
    run_until_away(w);
    CHECK_EQ(p->low_server.in_n, 0); /* all of it went with the step */
    say(p, "and more");
    run_all(w, 5);
    CHECK_EQ(w->ends[TLS_HANDSHAKE_full], 1);
    CHECK_EQ(p->received, 4 * 12 + 8);
    world_free(w);
}

/* The server's own certificate, and that of its CA so often that a flight finds no room. */
static void show_a_long_chain(struct world *w, unsigned n)
{
    const struct test_certs *c = test_certs();
    size_t each = c->ca.certificate.len, len = c->server.certificate.len;
    char *chain = malloc(len + n * each);
    memcpy(chain, c->server.certificate.ptr, len);
    for (unsigned i = 0; i < n; i++, len += each)
        memcpy(chain + len, c->ca.certificate.ptr, each);
    tls_identity_free(w->identity);
    REQUIRE(tls_identity_new(slice_of(chain, len), c->server.key, &w->identity) == TLS_FAULT_OK);
    free(chain);
}

TEST(flight_that_finds_no_room_goes_out_in_several_steps)
{
    for (unsigned is_noisy = 0; is_noisy < 2; is_noisy++) {
        struct world *w = world_new(1, 1);
        show_a_long_chain(w, 200); /* more than TLS_OUT_BYTES_MAX, less than clients take */
        struct pair *p = connect_pair(w, 0);
        move(w);
        struct slice noise = SLICE_LIT("behind the hello, what the first step leaves unread");
        if (is_noisy)
            stream_write(&p->low_client.stream, &noise, 1);
        run_all(w, 20);
        CHECK_EQ(counts_of(w).away, is_noisy ? 2 : 3);
        CHECK_EQ(w->ends[is_noisy ? TLS_HANDSHAKE_garbage : TLS_HANDSHAKE_full], 1);
        world_free(w);
    }
}

TEST(stream_released_while_its_step_is_away_stays_until_it_is_back)
{
    for (unsigned is_begun = 0; is_begun < 2; is_begun++) {
        struct world *w = world_new(1, 1);
        struct pair *p = connect_pair(w, 0);
        run_until_away(w);
        struct job *job = is_begun ? job_lane_get(w->lanes[0]) : NULL;
        let_go(&p->server);
        CHECK(p->low_server.is_released);
        CHECK_EQ(counts_of(w).away_now, 1);
        if (is_begun) {
            CHECK(job_is_unwanted(job));
            CHECK_EQ(job->run(job), JOB_DONE);
            job_lane_put(w->lanes[0], job);
        }
        run_all(w, 3);
        CHECK_EQ(counts_of(w).away_now, 0);
        for (unsigned i = 0; i <= TLS_HANDSHAKE_lost; i++)
            CHECK_EQ(w->ends[i], 0); /* its owner did not want to know */
        world_free(w);
    }
}

TEST(client_that_goes_away_meanwhile_is_told_at_once_and_once)
{
    struct world *w = world_new(1, 1);
    struct pair *p = connect_pair(w, 0);
    run_until_away(w);
    stream_abort(&p->low_client.stream);
    move(w);
    move(w);
    CHECK_EQ(p->server_events, STREAM_CLOSED);
    CHECK_EQ(stream_end(p->server), STREAM_END_RESET);
    run_all(w, 3);
    CHECK_EQ(w->ends[TLS_HANDSHAKE_lost], 1);
    CHECK_EQ(w->ends[TLS_HANDSHAKE_full], 0);
    world_free(w);
}

TEST(step_that_comes_back_too_late_is_thrown_away)
{
    struct world *w = world_new(1, 1);
    struct pair *p = connect_pair(w, 0);
    run_until_away(w);
    for (unsigned i = 0; i < TLS_HANDSHAKE_MS_MAX * 1000 / WHEEL_TICK_US + 10; i++)
        move(w);
    CHECK_EQ(stream_end(p->server), STREAM_END_TIMEOUT);
    run_all(w, 3);
    CHECK_EQ(w->ends[TLS_HANDSHAKE_slow], 1);
    CHECK_EQ(p->server_events, STREAM_CLOSED);
    world_free(w);
}

TEST(worker_ends_with_steps_under_way_and_never_begun)
{
    struct world *w = world_new(1, 3);
    for (unsigned i = 0; i < 3; i++)
        connect_pair(w, i);
    move(w);
    move(w);
    turn(w);
    CHECK_EQ(counts_of(w).away_now, 3);
    struct job *job = job_lane_get(w->lanes[0]);
    CHECK_EQ(job->run(job), JOB_DONE);
    job_lane_put(w->lanes[0], job);
    world_free(w); /* the sanitizers see what it leaves */
}

TEST(what_finds_no_room_in_the_lanes_waits_for_its_turn)
{
    const unsigned n = JOBS_PER_LANE_MAX + 3;
    struct world *w = world_new(1, n);
    for (unsigned i = 0; i < n; i++)
        connect_pair(w, i);
    move(w);
    move(w);
    turn(w);
    CHECK_EQ(counts_of(w).away_now, JOBS_PER_LANE_MAX);
    CHECK_EQ(counts_of(w).due_now, 3);
    let_go(&w->pairs[n - 1].server); /* one that waits may go, too */
    CHECK_EQ(counts_of(w).due_now, 2);
    run_all(w, 20);
    CHECK_EQ(w->ends[TLS_HANDSHAKE_full], n - 1);
    world_free(w);
}

TEST(worker_by_itself_takes_one_step_a_round_and_ends_what_it_began_first)
{
    struct world *w = world_new(0, 3);
    for (unsigned i = 0; i < 3; i++)
        connect_pair(w, i);
    move(w);
    move(w);
    for (unsigned i = 1; i <= 6; i++) {
        turn(w);
        CHECK_EQ(counts_of(w).here, i);
        move(w);
        CHECK_EQ(w->ends[TLS_HANDSHAKE_full], i / 2);
    }
    turn(w);
    CHECK_EQ(counts_of(w).here, 6);
    world_free(w);
}

TEST(rounds_that_receive_pay_for_a_step_that_took_long)
{
    struct world *w = world_new(0, 3);
    for (unsigned i = 0; i < 3; i++)
        connect_pair(w, i);
    move(w);
    move(w);
    w->is_loaded = true;
    turn(w);
    w->now_us += 4 * TLS_HERE_US_MAX; /* that round: three times its share too much */
    for (unsigned i = 0; i < 3; i++) {
        turn(w);
        CHECK_EQ(counts_of(w).here, 1);
        w->now_us++;
    }
    turn(w);
    CHECK_EQ(counts_of(w).here, 2);
    w->now_us += 1000 * TLS_HERE_US_MAX;
    w->is_loaded = false; /* nobody has to wait: nothing is owed */
    turn(w);
    CHECK_EQ(counts_of(w).here, 3);
    world_free(w);
}

/* A hello of a client, to be said again by many. */
static size_t record_hello(struct world *w, uint8_t *to)
{
    struct pair *p = &w->pairs[0];
    fake_join(&p->low_client, &p->low_server, FAKE_CAPACITY_MAX);
    p->client = tls_connect(w->client_context, &p->low_client.stream, &w->wheel, "box.test");
    move(w);
    size_t n = p->low_server.in_n;
    memcpy(to, p->low_server.in, n);
    let_go(&p->client);
    stream_release(&p->low_server.stream);
    move(w);
    return n;
}

TEST(new_handshake_that_finds_too_many_before_it_is_refused)
{
    static uint8_t hello[FAKE_CAPACITY_MAX];
    struct world *w = world_new(0, TLS_DUE_MAX + 2);
    size_t n = record_hello(w, hello);
    for (unsigned i = 0; i < w->n; i++) {
        struct pair *p = open_pair(w, i);
        struct slice v = slice_of(hello, n);
        stream_write(&p->low_client.stream, &v, 1);
    }
    move(w);
    CHECK_EQ(counts_of(w).due_now, TLS_DUE_MAX);
    CHECK_EQ(w->ends[TLS_HANDSHAKE_shed], 2);
    world_free(w);
}

/* A client of network `network` (198.18.0.0/15) has said hello. */
static struct pair *hello_from(struct world *w, unsigned i, uint8_t network, const uint8_t *hello,
                               size_t n)
{
    struct pair *p = open_pair(w, i);
    struct slice v = slice_of(hello, n);
    tls_of(p->server)->addrs.remote = ip_addr_from_v4((const uint8_t[]){198, 18, 0, network});
    stream_write(&p->low_client.stream, &v, 1);
    return p;
}

TEST(who_comes_with_many_waits_for_them_himself)
{
    static uint8_t hello[FAKE_CAPACITY_MAX];
    struct world *w = world_new(0, 52);
    size_t n = record_hello(w, hello);
    for (unsigned i = 0; i < 50; i++)
        hello_from(w, i, 1, hello, n);
    move(w);
    struct pair *second = hello_from(w, 50, 2, hello, n);
    struct pair *third = hello_from(w, 51, 3, hello, n);
    move(w);
    for (unsigned i = 0; i < 3; i++)
        turn(w);
    CHECK_EQ(counts_of(w).here, 3);
    CHECK_EQ(tls_of(w->pairs[0].server)->steps, 1);
    CHECK_EQ(tls_of(second->server)->steps, 1);
    CHECK_EQ(tls_of(third->server)->steps, 1);
    run_all(w, 60);
    CHECK_EQ(counts_of(w).here, 52);
    world_free(w);
}

TEST(when_too_many_wait_the_last_of_the_longest_queue_is_refused_for_another)
{
    static uint8_t hello[FAKE_CAPACITY_MAX];
    struct world *w = world_new(0, TLS_DUE_MAX + 2);
    size_t n = record_hello(w, hello);
    for (unsigned i = 0; i < TLS_DUE_MAX; i++)
        hello_from(w, i, 1, hello, n);
    move(w);
    struct pair *other = hello_from(w, TLS_DUE_MAX, 2, hello, n);
    move(w);
    CHECK_EQ(counts_of(w).due_now, TLS_DUE_MAX);
    CHECK_EQ(w->ends[TLS_HANDSHAKE_shed], 1);
    CHECK_EQ(tls_of(w->pairs[TLS_DUE_MAX - 1].server)->state, TLS_OVER);
    hello_from(w, TLS_DUE_MAX + 1, 1, hello, n); /* of the longest itself */
    move(w);
    CHECK_EQ(w->ends[TLS_HANDSHAKE_shed], 2);
    CHECK_EQ(tls_of(w->pairs[TLS_DUE_MAX + 1].server)->state, TLS_OVER);
    turn(w);
    turn(w);
    CHECK_EQ(tls_of(other->server)->steps, 1);
    world_free(w);
}

/* Lets go of the step once, as an operation of a device does. */
static unsigned pauses_left;

static void pause_in_the_handshake(const SSL *ssl, int where, int ret)
{
    if (pauses_left > 0 && ASYNC_get_current_job() != NULL) {
        pauses_left--;
        ASYNC_pause_job();
    }
}

/* The server's end is where a device has its first operation. */
static struct pair *connect_to_device(struct world *w, unsigned pauses)
{
    struct pair *p = connect_pair(w, 0);
    SSL_set_info_callback(tls_of(p->server)->ssl, pause_in_the_handshake);
    pauses_left = pauses;
    move(w);
    move(w);
    return p;
}

TEST(worker_looks_again_at_a_step_that_a_device_is_at)
{
    REQUIRE(tls_device_open("default"));
    struct world *w = world_new(0, 1);
    connect_to_device(w, 3);
    for (unsigned i = 0; i < 3; i++) {
        turn(w);
        CHECK_EQ(counts_of(w).here, 0);
        CHECK_EQ(counts_of(w).away_now, 1);
        CHECK(tls_crypto_next_us(w->crypto, w->now_us) <= w->now_us + TLS_AWAY_SLEEP_US_MAX);
    }
    run_all(w, 10);
    CHECK_EQ(w->ends[TLS_HANDSHAKE_full], 1);
    CHECK_EQ(pauses_left, 0);
    world_free(w);
    tls_device_close();
}

TEST(crypto_core_is_told_to_look_again_and_a_device_ends_what_it_began)
{
    REQUIRE(tls_device_open("default"));
    struct world *w = world_new(1, 1);
    struct pair *p = connect_to_device(w, 2);
    turn(w);
    struct job *job = job_lane_get(w->lanes[0]);
    REQUIRE(job != NULL);
    CHECK_EQ(job->run(job), JOB_AGAIN);
    let_go(&p->server); /* given up: but what has begun goes to its end */
    CHECK_EQ(job->run(job), JOB_AGAIN);
    CHECK_EQ(job->run(job), JOB_DONE);
    job_lane_put(w->lanes[0], job);
    turn(w);
    CHECK_EQ(counts_of(w).away_now, 0);
    world_free(w);
    tls_device_close();
}

TEST(released_stream_waits_for_the_device_of_a_worker)
{
    REQUIRE(tls_device_open("default"));
    struct world *w = world_new(0, 1);
    struct pair *p = connect_to_device(w, 3);
    turn(w);
    let_go(&p->server);
    turn(w);
    CHECK_EQ(counts_of(w).away_now, 1);
    world_free(w); /* the rest, at the end */
    CHECK_EQ(pauses_left, 0);
    tls_device_close();
}

TEST(provider_that_is_not_there_is_refused)
{
    CHECK(!tls_device_open("nothing_of_that_name"));
    CHECK(!tls_device_open("a,b=c"));
    CHECK(!tls_device_is_open());
    CHECK(tls_device_open("default") && tls_device_is_open());
    tls_device_close();
}

UNIT_MAIN("dataplane/tls_crypto", T(crypto_cores_take_all_steps_but_the_look_at_the_hello),
          T(keys_are_agreed_on_by_the_best_group_that_the_library_has),
          T(what_came_behind_the_last_message_of_a_handshake_is_read_by_the_worker),
          T(flight_that_finds_no_room_goes_out_in_several_steps),
          T(stream_released_while_its_step_is_away_stays_until_it_is_back),
          T(client_that_goes_away_meanwhile_is_told_at_once_and_once),
          T(step_that_comes_back_too_late_is_thrown_away),
          T(worker_ends_with_steps_under_way_and_never_begun),
          T(what_finds_no_room_in_the_lanes_waits_for_its_turn),
          T(worker_by_itself_takes_one_step_a_round_and_ends_what_it_began_first),
          T(rounds_that_receive_pay_for_a_step_that_took_long),
          T(new_handshake_that_finds_too_many_before_it_is_refused),
          T(who_comes_with_many_waits_for_them_himself),
          T(when_too_many_wait_the_last_of_the_longest_queue_is_refused_for_another),
          T(worker_looks_again_at_a_step_that_a_device_is_at),
          T(crypto_core_is_told_to_look_again_and_a_device_ends_what_it_began),
          T(released_stream_waits_for_the_device_of_a_worker),
          T(provider_that_is_not_there_is_refused))
