/* SPDX-License-Identifier: Apache-2.0 */
/* The dump of flows: what is told of one, and that many flows are told in small steps. */
#include "abi/flow.h"
#include "harness.h"
#include "obs/hub.h"
#include "unit.h"

#include <string.h>
#include <time.h>

static struct obs_hub *hub;
static unsigned slot;

/* Asks the world for its flows; 0 states: all. */
static void ask(struct world *w, uint32_t states, uint16_t port)
{
    struct control_observe request = {.kind = OBSERVE_FLOWS,
                                      .workers = 1,
                                      .states = states,
                                      .records_max = UINT64_MAX,
                                      .bytes_max = UINT64_MAX,
                                      .ms_max = 1000,
                                      .n_matches = port != 0};
    request.matches[0].a.port = port;
    hub = obs_hub_new(1);
    obs_join(hub, 0, &w->core.obs);
    REQUIRE(obs_hub_begin(hub, &request, &slot));
    obs_poll(&w->core.obs);
}

static void forget(void)
{
    obs_hub_free(hub);
}

/* The next flow; NULL: none was told yet. */
static const struct observe_flow *next(void)
{
    const struct observe_record *record = obs_hub_peek(hub, slot);
    static struct observe_flow copy;
    if (record == NULL)
        return NULL;
    CHECK_EQ(record->bytes, sizeof(copy));
    memcpy(&copy, record, sizeof(copy));
    obs_hub_drop(hub, slot, record);
    return &copy;
}

TEST(a_flow_that_sends_is_told_with_windows_queues_and_timers)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    write_pattern(s, 1, 4000);
    run(w);
    w->core.now_us += 50000;
    ask(w, 0, 0);
    while (obs_watches(&w->core.obs, OBSERVE_FLOWS))
        tcp_tell_flows(w->tcp, true);
    const struct observe_flow *f = next();
    REQUIRE(f != NULL);
    CHECK(ip_addr_eq(&f->local, &w->local) && ip_addr_eq(&f->remote, &w->remote));
    CHECK_EQ(f->local_port, 80);
    CHECK_EQ(f->remote_port, 40000);
    CHECK_EQ(f->state, FLOW_ESTABLISHED);
    CHECK_EQ(f->owner, FLOW_OWNER_listener);
    CHECK_EQ(f->flight_bytes, 4000);
    CHECK_EQ(f->unsent_bytes, 0);
    CHECK_EQ(f->sndq_bytes, 4000);
    CHECK_EQ(f->sndq_true_bytes, f->sndq_mbufs * w->tcp->mbuf_bytes);
    CHECK(f->sndq_true_bytes > 4000);
    CHECK_EQ(f->snd_wnd_bytes, 65535);
    CHECK_EQ(f->mss_bytes, 1448);
    CHECK_EQ(f->path_mtu_bytes, 1500);
    CHECK_EQ(f->cwnd_bytes, 14480);
    CHECK(f->timer == FLOW_TIMER_tlp || f->timer == FLOW_TIMER_rto);
    CHECK(f->timer_due_us != 0 && f->delack_due_us == 0);
    CHECK(f->age_ms >= 50 && f->idle_ms >= 50);
    CHECK_EQ(f->flags & 1u << FLOW_FLAG_SACK, 1u << FLOW_FLAG_SACK);
    CHECK_EQ(f->flags & 1u << FLOW_FLAG_ACTIVE, 0);
    CHECK_STR(f->congestion_control, "cubic");
    CHECK(next() == NULL);
    forget();
    world_free(w);
}

TEST(what_was_sent_again_is_counted_with_its_flow)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    write_pattern(s, 1, 4000);
    run(w);
    pass(w, 3000000);
    ask(w, 0, 0);
    tcp_tell_flows(w->tcp, true);
    const struct observe_flow *f = next();
    REQUIRE(f != NULL);
    CHECK(f->timeouts >= 1 && f->backoff >= 1);
    CHECK_EQ(f->retransmits, stat(w, STAT_tcp_retransmits));
    CHECK_EQ(f->timeouts, stat(w, STAT_tcp_rto));
    CHECK((f->flags & 1u << FLOW_FLAG_LOSS) != 0);
    CHECK_EQ(f->flight_bytes + f->lost_bytes + f->sacked_bytes, 4000);
    forget();
    world_free(w);
}

TEST(half_open_and_timewait_flows_are_told_and_states_are_chosen_by)
{
    struct world *w = world_new(&WORLD_DEFAULT);
    struct stream *s = world_accept(w);
    stream_shutdown(s);
    run(w);
    peer(w, SEG(.flags = A, .seq = 1, .ack = 2));
    peer(w, SEG(.flags = A | F, .seq = 1, .ack = 2));
    run(w);
    CHECK_EQ(tcp_timewait_count(w->tcp), 1);
    stream_release(s);
    run(w);
    drop_all(w);
    w->remote_port = 40001;
    peer(w, SEG(.flags = S, .seq = 0));
    run(w);
    drop_all(w);
    ask(w, 0, 0);
    while (obs_watches(&w->core.obs, OBSERVE_FLOWS))
        tcp_tell_flows(w->tcp, true);
    const struct observe_flow *f = next();
    REQUIRE(f != NULL);
    CHECK_EQ(f->state, FLOW_SYN_RCVD);
    CHECK_EQ(f->owner, FLOW_OWNER_opening);
    CHECK_EQ(f->owner_id, 7); /* the bind */
    CHECK_EQ(f->timer, FLOW_TIMER_syn);
    f = next();
    REQUIRE(f != NULL);
    CHECK_EQ(f->state, FLOW_TIME_WAIT);
    CHECK_EQ(f->remote_port, 40000);
    CHECK(f->wait_due_us > 0);
    forget();
    ask(w, 1u << FLOW_TIME_WAIT, 0);
    while (obs_watches(&w->core.obs, OBSERVE_FLOWS))
        tcp_tell_flows(w->tcp, true);
    f = next();
    REQUIRE(f != NULL);
    CHECK_EQ(f->state, FLOW_TIME_WAIT);
    CHECK(next() == NULL);
    forget();
    world_free(w);
}

enum { MANY = 3000 };

/* A world with many half-open flows: from ports 10000 on. */
static struct world *crowd(void)
{
    struct world_config config = WORLD_DEFAULT;
    config.tcp.conns_max = MANY;
    config.tcp.passive_max = 2 * MANY; /* none of the places is kept for proven peers */
    config.tcp.half_open_max = MANY + 1;
    config.tcp.half_open_listener_max = MANY + 1;
    struct world *w = world_new(&config);
    for (unsigned i = 0; i < MANY; i++) {
        w->remote_port = (uint16_t)(10000 + i);
        peer(w, SEG(.flags = S, .seq = 0));
        run(w);
        drop_all(w);
    }
    CHECK_EQ(tcp_conn_count(w->tcp), MANY);
    return w;
}

TEST(a_crowd_is_told_in_bounded_rounds_and_nothing_is_lost_to_a_slow_reader)
{
    struct control_observed totals;
    struct world *w = crowd();
    static bool seen[MANY];
    unsigned told = 0;
    unsigned rounds = 0;
    memset(seen, 0, sizeof(seen));
    ask(w, 0, 0);
    while (obs_watches(&w->core.obs, OBSERVE_FLOWS)) {
        unsigned looks = tcp_tell_flows(w->tcp, true);
        CHECK(looks <= OBS_LOOKS_PER_ROUND_MAX);
        rounds++;
        if (looks > 0)
            continue;
        const struct observe_flow *f = next(); /* its ring is full: now somebody reads */
        if (f == NULL)
            break; /* that round ended it */
        for (unsigned i = 0; f != NULL; i++, f = i < 500 ? next() : NULL) {
            CHECK(!seen[f->remote_port - 10000]);
            seen[f->remote_port - 10000] = true;
            told++;
        }
    }
    for (const struct observe_flow *f; (f = next()) != NULL; told++)
        CHECK(!seen[f->remote_port - 10000]);
    CHECK_EQ(told, MANY);
    CHECK(rounds >= MANY / OBS_FLOWS_PER_ROUND_MAX);
    obs_hub_totals(hub, slot, &totals);
    CHECK_EQ(totals.looked, MANY);
    CHECK_EQ(totals.lost, 0);
    CHECK_EQ(totals.is_whole, 1);
    forget();
    world_free(w);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

TEST(looking_for_one_flow_among_many_costs_a_round_little)
{
    struct world *w = crowd();
    uint64_t longest_ns = 0;
    unsigned rounds = 0;
    ask(w, 0, 10000 + MANY / 2);
    while (obs_watches(&w->core.obs, OBSERVE_FLOWS)) {
        uint64_t before_ns = now_ns();
        CHECK(tcp_tell_flows(w->tcp, true) <= OBS_LOOKS_PER_ROUND_MAX);
        uint64_t took_ns = now_ns() - before_ns;
        longest_ns = took_ns > longest_ns ? took_ns : longest_ns;
        rounds++;
    }
    CHECK(rounds <= MANY / OBS_LOOKS_PER_ROUND_MAX + 3);
    printf("  the longest of %u rounds of looking took %.1f us\n", rounds,
           (double)longest_ns / 1000);
    REQUIRE(next() != NULL);
    CHECK(next() == NULL);
    forget();
    world_free(w);
}

UNIT_MAIN("tcp/flows", T(a_flow_that_sends_is_told_with_windows_queues_and_timers),
          T(what_was_sent_again_is_counted_with_its_flow),
          T(half_open_and_timewait_flows_are_told_and_states_are_chosen_by),
          T(a_crowd_is_told_in_bounded_rounds_and_nothing_is_lost_to_a_slow_reader),
          T(looking_for_one_flow_among_many_costs_a_round_little))
