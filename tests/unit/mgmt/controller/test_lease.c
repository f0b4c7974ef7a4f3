/* SPDX-License-Identifier: Apache-2.0 */
/* The lease: its rules with made-up times, and the candidate with a server that the test is. */
#include "controller/lease_view.h"
#include "held_calls.h"
#include "loop/loop.h"
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define S UINT64_C(1000000)
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/sluice-system/leases"

/* A lease that `holder` renewed; `beat` tells renewals apart. */
static json_t *lease_of(const char *holder, int beat, int version)
{
    return json_pack("{s:{s:o}, s:{s:s, s:i, s:o, s:s, s:i}}", "metadata", "resourceVersion",
                     json_sprintf("%d", version), "spec", "holderIdentity", holder,
                     "leaseDurationSeconds", 15, "renewTime",
                     json_sprintf("2026-11-28T19:00:%02d.000000Z", beat), "acquireTime",
                     "2026-11-28T18:00:00.000000Z", "leaseTransitions", 4);
}

static void see(struct lease_view *v, const char *holder, int beat, uint64_t now_us)
{
    json_t *object = lease_of(holder, beat, 100 + beat);
    lease_view_take(v, object, now_us);
    json_decref(object);
}

/* ---- the rules ---- */

TEST(a_lease_that_is_not_there_or_was_given_back_is_free)
{
    struct lease_view v = {0};
    lease_view_take(&v, NULL, 5 * S);
    CHECK(lease_view_is_ours_to_take(&v, "me", 5 * S));
    see(&v, "", 0, 6 * S);
    CHECK(lease_view_is_ours_to_take(&v, "me", 6 * S));
    see(&v, "me", 0, 7 * S);
    CHECK(lease_view_is_ours_to_take(&v, "me", 7 * S));
}

TEST(another_ones_lease_is_free_when_it_did_not_change_for_its_duration_by_our_clock)
{
    struct lease_view v = {0};
    see(&v, "other", 0, 100 * S); /* what time its writer took it for says nothing */
    CHECK(!lease_view_is_ours_to_take(&v, "me", 114 * S));
    CHECK(lease_view_is_ours_to_take(&v, "me", 115 * S));
    see(&v, "other", 0, 110 * S); /* read again and the same: time goes on */
    CHECK(lease_view_is_ours_to_take(&v, "me", 115 * S));
    see(&v, "other", 1, 114 * S); /* renewed */
    CHECK(!lease_view_is_ours_to_take(&v, "me", 128 * S));
    CHECK(lease_view_is_ours_to_take(&v, "me", 129 * S));
}

static const json_t *spec_of(const json_t *object)
{
    return json_object_get(object, "spec");
}

TEST(a_claim_counts_a_transition_and_a_renewal_keeps_since_when)
{
    struct lease_view v = {0};
    see(&v, "other", 0, 0);
    json_t *claim = lease_view_claim(&v, "ns", "name", "me", 15000, 1764356400123456);
    CHECK_EQ(json_integer_value(json_object_get(spec_of(claim), "leaseTransitions")), 5);
    CHECK_EQ(json_integer_value(json_object_get(spec_of(claim), "leaseDurationSeconds")), 15);
    CHECK_STR(kube_text_at(claim, "spec.acquireTime"), "2025-11-28T19:00:00.123456Z");
    CHECK_STR(kube_text_at(claim, "metadata.resourceVersion"), "100");
    lease_view_take(&v, claim, S);
    json_decref(claim);
    claim = lease_view_claim(&v, "ns", "name", "me", 15000, 1764356402000000);
    CHECK_EQ(json_integer_value(json_object_get(spec_of(claim), "leaseTransitions")), 5);
    CHECK_STR(kube_text_at(claim, "spec.acquireTime"), "2025-11-28T19:00:00.123456Z");
    CHECK_STR(kube_text_at(claim, "spec.renewTime"), "2025-11-28T19:00:02.000000Z");
    json_decref(claim);
}

TEST(what_is_given_back_is_nobodys_and_runs_out_at_once)
{
    struct lease_view v = {0};
    see(&v, "me", 0, 0);
    json_t *claim = lease_view_claim(&v, "ns", "name", "", 15000, 0);
    CHECK_STR(kube_text_at(claim, "spec.holderIdentity"), "");
    CHECK_EQ(json_integer_value(json_object_get(spec_of(claim), "leaseDurationSeconds")), 1);
    CHECK_EQ(json_integer_value(json_object_get(spec_of(claim), "leaseTransitions")), 4);
    json_decref(claim);
}

/* ---- the candidate ---- */

static struct loop *loop;
static struct lease *lease;
static int leads; /* what on_change said last; -1: nothing */
static unsigned changes;
static bool is_released;

static void on_change(void *owner, bool is_leader)
{
    leads = is_leader;
    changes++;
}

static void on_released(void *owner)
{
    is_released = true;
}

static void begin(unsigned duration_ms, unsigned deadline_ms, unsigned retry_ms)
{
    held_reset();
    leads = -1;
    changes = 0;
    is_released = false;
    REQUIRE(loop_new(&loop) == 0);
    struct lease_config config = {
        .loop = loop,
        .namespace_ = "sluice-system",
        .name = "sluice-controller",
        .identity = "me",
        .duration_ms = duration_ms,
        .renew_deadline_ms = deadline_ms,
        .retry_ms = retry_ms,
        .on_change = on_change,
    };
    REQUIRE(lease_new(&config, &lease) == 0);
}

static void end(void)
{
    lease_free(lease);
    loop_free(loop);
    held_reset();
}

/* Rounds until there is a call to answer. */
static struct held_call *next_call(void)
{
    for (int i = 0; i < 10000 && held_open() == NULL; i++) {
        loop_round(loop, 1000);
    }
    REQUIRE(held_open() != NULL);
    return held_open();
}

static struct held_call *next_call_is(const char *method, const char *path)
{
    struct held_call *call = next_call();
    CHECK_STR(call->method, method);
    CHECK_STR(call->path, path);
    return call;
}

/* The server takes the claim that is open. */
static void take_claim(int status, const char *version)
{
    struct held_call *call = next_call();
    json_t *object = json_deep_copy(call->body);
    json_object_set_new(json_object_get(object, "metadata"), "resourceVersion",
                        json_string(version));
    held_answer(call, status, object);
}

static void become_leader(void)
{
    held_answer(next_call_is("GET", LEASES "/sluice-controller"), 404, NULL);
    CHECK_EQ(leads, -1);
    next_call_is("POST", LEASES);
    take_claim(201, "7");
    CHECK_EQ(leads, 1);
    CHECK(lease_is_leader(lease));
}

TEST(the_first_one_makes_the_lease_and_renews_it)
{
    begin(60000, 40000, 5);
    become_leader();
    struct held_call *call = next_call_is("PUT", LEASES "/sluice-controller");
    CHECK_STR(kube_text_at(call->body, "metadata.resourceVersion"), "7");
    take_claim(200, "8");
    CHECK_EQ(changes, 1);
    CHECK_STR(lease_holder(lease), "me");
    end();
}

TEST(who_finds_a_holder_waits_and_takes_it_over_when_it_is_silent)
{
    begin(60000, 40000, 50);
    json_t *short_one = lease_of("other", 0, 3);
    json_object_set_new(json_object_get(short_one, "spec"), "leaseDurationSeconds",
                        json_integer(1));
    held_answer(next_call_is("GET", LEASES "/sluice-controller"), 200, json_incref(short_one));
    while (strcmp(next_call()->method, "GET") == 0) { /* it is asked again until then */
        CHECK(leads != 1);
        held_answer(next_call(), 200, json_incref(short_one));
    }
    next_call_is("PUT", LEASES "/sluice-controller");
    CHECK(held_calls_n > 3); /* not at once */
    take_claim(200, "4");
    CHECK_EQ(leads, 1);
    json_decref(short_one);
    end();
}

TEST(who_loses_a_race_for_it_asks_again)
{
    begin(60000, 40000, 5);
    held_answer(next_call(), 404, NULL);
    held_answer(next_call_is("POST", LEASES), 409, NULL);
    held_answer(next_call_is("GET", LEASES "/sluice-controller"), 200, lease_of("other", 0, 3));
    CHECK(leads != 1);
    CHECK_STR(lease_holder(lease), "other");
    end();
}

TEST(who_cannot_renew_leads_no_more_after_the_deadline)
{
    begin(300, 200, 5);
    become_leader();
    for (int i = 0; i < 10000 && leads == 1; i++) {
        if (held_open() != NULL) {
            held_answer(held_open(), -ECONNREFUSED, NULL);
        }
        loop_round(loop, 1000);
    }
    CHECK_EQ(leads, 0);
    CHECK(!lease_is_leader(lease));
    end();
}

TEST(a_failure_or_two_within_the_deadline_are_no_loss)
{
    begin(60000, 40000, 5);
    become_leader();
    held_answer(next_call(), 500, NULL);
    held_answer(next_call(), -ETIMEDOUT, NULL);
    take_claim(200, "9");
    CHECK_EQ(changes, 1);
    end();
}

TEST(who_sees_another_holder_leads_no_more_at_once)
{
    begin(60000, 40000, 5);
    become_leader();
    held_answer(next_call_is("PUT", LEASES "/sluice-controller"), 409, NULL);
    held_answer(next_call_is("GET", LEASES "/sluice-controller"), 200, lease_of("other", 0, 12));
    CHECK_EQ(leads, 0);
    end();
}

TEST(a_conflict_that_was_none_is_a_renewal)
{
    begin(60000, 40000, 5);
    become_leader();
    held_answer(next_call(), 409, NULL);
    held_answer(next_call_is("GET", LEASES "/sluice-controller"), 200, lease_of("me", 0, 12));
    struct held_call *call = next_call_is("PUT", LEASES "/sluice-controller");
    CHECK_STR(kube_text_at(call->body, "metadata.resourceVersion"), "12");
    take_claim(200, "13");
    CHECK_EQ(changes, 1);
    end();
}

TEST(a_leader_gives_it_back_and_leads_no_more_before_it_is_gone)
{
    begin(60000, 40000, 5);
    become_leader();
    lease_release(lease, on_released);
    CHECK_EQ(leads, 0);
    struct held_call *call = next_call_is("PUT", LEASES "/sluice-controller");
    CHECK_STR(kube_text_at(call->body, "spec.holderIdentity"), "");
    CHECK(!is_released);
    take_claim(200, "9");
    CHECK(is_released);
    end();
}

TEST(giving_back_ends_also_when_nobody_answers_or_there_is_nothing)
{
    begin(60000, 40000, 5);
    become_leader();
    lease_release(lease, on_released);
    for (int i = 0; i < 10000 && !is_released; i++) {
        loop_round(loop, 1000);
    }
    CHECK(is_released);
    end();
    begin(60000, 40000, 5);
    lease_release(lease, on_released);
    for (int i = 0; i < 10000 && !is_released; i++) {
        loop_round(loop, 1000);
    }
    CHECK(is_released);
    CHECK_EQ(held_calls_n, 0);
    end();
}

TEST(times_that_cannot_work_are_refused)
{
    struct lease *none = NULL;
    REQUIRE(loop_new(&loop) == 0);
    struct lease_config config = {.loop = loop, .namespace_ = "n", .name = "l", .identity = "me"};
    config.duration_ms = config.renew_deadline_ms = 10000;
    CHECK_EQ(lease_new(&config, &none), -EINVAL);
    config.duration_ms = 15000;
    config.retry_ms = 9000;
    CHECK_EQ(lease_new(&config, &none), -EINVAL);
    loop_free(loop);
}

UNIT_MAIN("controller/lease", T(a_lease_that_is_not_there_or_was_given_back_is_free),
          T(another_ones_lease_is_free_when_it_did_not_change_for_its_duration_by_our_clock),
          T(a_claim_counts_a_transition_and_a_renewal_keeps_since_when),
          T(what_is_given_back_is_nobodys_and_runs_out_at_once),
          T(the_first_one_makes_the_lease_and_renews_it),
          T(who_finds_a_holder_waits_and_takes_it_over_when_it_is_silent),
          T(who_loses_a_race_for_it_asks_again),
          T(who_cannot_renew_leads_no_more_after_the_deadline),
          T(a_failure_or_two_within_the_deadline_are_no_loss),
          T(who_sees_another_holder_leads_no_more_at_once),
          T(a_conflict_that_was_none_is_a_renewal),
          T(a_leader_gives_it_back_and_leads_no_more_before_it_is_gone),
          T(giving_back_ends_also_when_nobody_answers_or_there_is_nothing),
          T(times_that_cannot_work_are_refused))
