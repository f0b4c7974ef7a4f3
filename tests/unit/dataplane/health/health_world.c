/* SPDX-License-Identifier: Apache-2.0 */
/* See health_world.h. */
#include "health_world.h"

#include "core/rcu.h"
#include "tls_peer.h"

#include <stdlib.h>

#define STREAMS_MAX 16384
#define STEP_US 5000

struct talk {
    struct fake_stream stream;
    struct h2_peer h2;   /* if it is asked so */
    struct tls_peer tls; /* likewise */
    uint8_t host;
    bool is_h2;
    bool is_tls;
    bool is_answered;
    bool is_over;
};

struct world w;
static struct talk *talks[STREAMS_MAX];
static unsigned n_talks;
static struct rcu *rcu;
static struct image_view view;
static struct image_health in_force[4];
static uint8_t strings[256];
static uint32_t n_strings;

static void hear(struct heard *to, uint16_t port)
{
    uint64_t since_us = w.core.now_us - to->last_us;
    if (to->n == 0)
        to->first_us = w.core.now_us;
    if (to->n == 1 || (to->n > 1 && since_us < to->least_us))
        to->least_us = since_us;
    if (to->n > 0 && since_us > to->most_us)
        to->most_us = since_us;
    to->last_us = w.core.now_us;
    to->port = port;
    to->n++;
}

static enum tcp_open_fault dial(void *owner, const struct tcp_open_args *args,
                                struct stream **ret_stream)
{
    uint8_t host = args->remote.bytes[15];
    REQUIRE(n_talks < STREAMS_MAX);
    if (w.hosts[host] == NO_PORT)
        return TCP_OPEN_NO_PORT;
    hear(&w.heard[host], args->remote_port);
    struct talk *t = calloc(1, sizeof(*t));
    fake_stream_init(&t->stream, w.hosts[host] == HASTY ? 1 : w.room > 0 ? w.room : SIZE_MAX);
    if (w.slice_max > 0)
        t->stream.slice_max = w.slice_max;
    t->host = host;
    talks[n_talks++] = t;
    *ret_stream = &t->stream.stream;
    return TCP_OPEN_OK;
}

static void establish(struct talk *t)
{
    switch (w.hosts[t->host]) {
    case REFUSES:
        fake_stream_break(&t->stream, STREAM_END_REFUSED);
        break;
    case UNREACHABLE:
        fake_stream_break(&t->stream, STREAM_END_UNREACHABLE);
        break;
    case SILENT:
        return;
    default:
        t->stream.events |= STREAM_WRITABLE;
    }
    fake_stream_dispatch(&t->stream);
}

/* How the host answers by HTTP/2. */
static struct h2_peer peer_of(enum behaviour does)
{
    static const uint8_t serving[] = {0, 0, 0, 0, 2, 8, 1};
    static const uint8_t much[3 * HEALTH_BODY_BYTES_MAX];
    if (does == WELL && w.peer.http_status != NULL)
        return w.peer;
    struct h2_peer peer = {.http_status = does == ILL ? "503" : "200",
                           .grpc_status = does == ILL ? "14" : "0",
                           .answer = serving,
                           .answer_len = sizeof(serving)};
    if (does == TALKS) {
        peer.answer = much;
        peer.answer_len = sizeof(much);
    }
    return peer;
}

/* True: it is asked by HTTP/2, and does what it does. */
static bool answer_h2(struct talk *t)
{
    enum behaviour does = w.hosts[t->host];
    struct slice written = fake_stream_written(&t->stream);
    bool is_able = does == WELL || does == ILL || does == TALKS;
    if (!t->is_h2 && slice_has_prefix(written, SLICE_LIT("P")) && is_able) { /* of PRI */
        t->is_h2 = true;
        t->h2 = peer_of(does);
        h2_peer_init(&t->h2);
    }
    if (!t->is_h2)
        return false;
    struct heard *heard = &w.heard[t->host];
    h2_peer_serve(&t->h2, &t->stream);
    snprintf(heard->request, sizeof(heard->request), "%s", t->h2.fields);
    memcpy(heard->message, t->h2.message, t->h2.message_len);
    heard->message_len = t->h2.message_len;
    return true;
}

/* Likewise by TLS, of which the first byte says that it is a handshake. */
static bool answer_tls(struct talk *t)
{
    enum behaviour does = w.hosts[t->host];
    struct slice written = fake_stream_written(&t->stream);
    bool is_able = does == WELL || does == ILL || does == TALKS || does == HASTY;
    if (!t->is_tls && slice_has_prefix(written, SLICE_LIT("\x16")) && is_able) {
        t->is_tls = true;
        tls_peer_init(&t->tls, does != ILL);
        t->tls.talk_bytes = does == TALKS ? 4096 : 0;
        t->tls.is_rude = does == HASTY;
    }
    if (!t->is_tls)
        return false;
    tls_peer_serve(&t->tls, &t->stream);
    snprintf(w.heard[t->host].request, sizeof(w.heard[0].request), "%s", t->tls.asked);
    w.heard[t->host].goodbyes += t->tls.is_notified && !t->is_answered;
    t->is_answered |= t->tls.is_notified;
    return true;
}

static void answer(struct talk *t)
{
    static const char *const answers[] = {
        [WELL] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        [ILL] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
        [CUTS] = "HTTP/1.1 200 OK\r\nServ",
        [RAVES] = "220 mail.example.com ESMTP\r\n\r\n",
        [TALKS] = "HTTP/1.1 200 OK\r\n\r\n",
        [HALTS] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        [HASTY] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        [NO_PORT] = NULL,
    };
    const char *text = answers[w.hosts[t->host]];
    struct slice request = fake_stream_written(&t->stream);
    if (t->is_answered || request.len == 0 || text == NULL)
        return;
    t->is_answered = true;
    REQUIRE(request.len < sizeof(w.heard[0].request));
    memcpy(w.heard[t->host].request, request.ptr, request.len);
    w.heard[t->host].request[request.len] = 0;
    fake_stream_push(&t->stream, slice_of_str(text));
    if (w.hosts[t->host] == CUTS)
        fake_stream_push_eof(&t->stream);
}

/* A backend does what it does in one step of time. */
static void serve(struct talk *t)
{
    static const uint8_t much[4096];
    bool is_open = t->stream.end == STREAM_END_OPEN;
    if (!t->stream.is_released && is_open) {
        establish(t);
        if (!t->stream.is_released && !answer_h2(t) && !answer_tls(t))
            answer(t);
        if (!t->stream.is_released && t->is_answered && !t->is_tls && w.hosts[t->host] == TALKS)
            fake_stream_push(&t->stream, slice_of(much, sizeof(much)));
    }
    if (!t->stream.is_released)
        fake_stream_dispatch(&t->stream);
    if (!t->stream.is_released || t->is_over)
        return;
    t->is_over = true;
    w.heard[t->host].resets += t->stream.end == STREAM_END_ABORTED;
    w.heard[t->host].shutdowns += t->stream.end == STREAM_END_OPEN;
}

void world_run(uint32_t ms)
{
    uint64_t until_us = w.core.now_us + (uint64_t)ms * 1000;
    while (w.core.now_us < until_us) {
        w.core.now_us += STEP_US;
        wheel_run(&w.core.wheel, w.core.now_us, 10000);
        while (health_poll(w.health) > 0)
            check_health(w.health);
        for (unsigned i = 0; i < n_talks; i++) {
            if (!talks[i]->is_over)
                serve(talks[i]);
        }
        check_health(w.health);
    }
}

void world_begin(uint8_t worker, uint8_t workers, uint32_t probes_max, uint32_t checks_max)
{
    struct health_config config;
    health_config_default(&config, 10000);
    if (probes_max > 0)
        config.probes_max = probes_max;
    if (checks_max > 0)
        config.checks_max = checks_max;
    memset(&w, 0, sizeof(w));
    core_init(&w.core, &(struct core_config){.now_us = 1000000,
                                             .worker = worker,
                                             .workers = workers,
                                             .socket = -1,
                                             .stats = &w.stats,
                                             .rng_seed = 5});
    rcu = rcu_new(1);
    w.table = endpoint_table_new(rcu);
    n_talks = 0;
    n_strings = 0;
    w.health = health_new(&w.core, w.table, &config);
    health_set_dialer(w.health, &(struct upstream_dialer){.open = dial});
}

static void check_books(void)
{
    uint64_t sum = 0;
#define X(name, verdict, help) sum += w.stats.counters[STAT_health_end_##name];
    HEALTH_END_LIST(X)
#undef X
    CHECK_EQ(sum, world_stat(STAT_health_started));
    CHECK_EQ(world_stat(STAT_health_checks_now), 0);
    CHECK_EQ(world_stat(STAT_health_probes_now), 0);
    CHECK_EQ(world_stat(STAT_health_unhealthy_now), 0);
}

void world_end(void)
{
    struct health_counts counts;
    health_done(w.health);
    health_counts(w.health, &counts);
    CHECK_EQ(counts.probes + counts.checks + counts.heads, 0);
    CHECK_EQ(w.core.wheel.armed, 0);
    check_books();
    for (unsigned i = 0; i < n_talks; i++) {
        CHECK(talks[i]->stream.is_released);
        fake_stream_done(&talks[i]->stream);
        if (talks[i]->is_h2)
            h2_peer_done(&talks[i]->h2);
        if (talks[i]->is_tls)
            tls_peer_done(&talks[i]->tls);
        free(talks[i]);
    }
    endpoint_table_free(w.table);
    rcu_free(rcu);
    core_done(&w.core);
}

struct image_string world_string(const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    REQUIRE(n_strings + length <= sizeof(strings));
    memcpy(strings + n_strings, text, length);
    n_strings += length;
    return (struct image_string){n_strings - length, length};
}

struct image_health *world_policy(enum image_health_check check)
{
    struct image_health *p = &w.policies[0];
    w.n_policies = 1;
    *p = (struct image_health){.group = GROUP,
                               .interval_ms = 1000,
                               .tls = IMAGE_NONE,
                               .timeout_ms = 500,
                               .healthy_checks = 2,
                               .unhealthy_checks = 3,
                               .check = (uint8_t)check};
    if (check == IMAGE_HEALTH_CHECK_HTTP) {
        p->path = world_string("/healthz?full=1");
        p->statuses[0] = (struct image_status_range){200, 299};
        p->statuses[1] = (struct image_status_range){404, 404};
        p->n_statuses = 2;
    }
    return p;
}

void world_image(void)
{
    memcpy(in_force, w.policies, sizeof(in_force));
    view = (struct image_view){
        .strings = strings, .n_strings = n_strings, .health = in_force, .n_health = w.n_policies};
    health_set_image(w.health, &view, NULL);
}

void world_list(uint32_t group, unsigned first, unsigned last)
{
    static uint64_t version;
    uint32_t n = last + 1 - first;
    struct endpoint_record *r = calloc(1, sizeof(*r) + n * sizeof(struct endpoint));
    *r = (struct endpoint_record){.group = group, .count = n, .version = ++version};
    for (uint32_t i = 0; i < n; i++)
        r->endpoints[i] =
            (struct endpoint){.addr = ip_addr_from_v4((uint8_t[]){10, 0, 0, (uint8_t)(first + i)}),
                              .port = 80,
                              .weight = 1,
                              .flags = ENDPOINT_READY | ENDPOINT_SERVING};
    enum endpoints_fault fault;
    REQUIRE(endpoint_table_put(w.table, r, w.core.now_us, &fault));
    free(r);
}

uint32_t world_checked(unsigned host)
{
    const struct endpoint_group *g = endpoint_group_get(w.table, GROUP);
    struct ip_addr addr = ip_addr_from_v4((uint8_t[]){10, 0, 0, (uint8_t)host});
    uint32_t index = endpoint_group_find(g, &addr, 80);
    REQUIRE(index < g->count);
    return g->health[index].checked;
}

enum health_end world_first_end(void)
{
    static const enum stat_id ends[] = {
#define X(name, verdict, help) STAT_health_end_##name,
        HEALTH_END_LIST(X)
#undef X
    };
    for (unsigned step = 0; step < 20000; step++) {
        for (unsigned i = 0; i < array_len(ends); i++) {
            if (world_stat(ends[i]) > 0)
                return (enum health_end)i;
        }
        world_run(STEP_US / 1000);
    }
    REQUIRE(!"no check ends");
    return HEALTH_END_COUNT;
}

uint64_t world_stat(enum stat_id id)
{
    return w.stats.counters[id];
}
