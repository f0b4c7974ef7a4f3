/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Observations: from the control socket to the workers' lanes, and the workers' records back. Who
 * may ask is who may open the socket; every begin and end is told to the operator's journal, for it
 * lets somebody read traffic. Thread: housekeeping's. Bound: OBS_PEERS_MAX, one message of memory
 * each.
 */
#include "abi/observe.h"
#include "base/assert.h"
#include "base/names.h"
#include "housekeeping_priv.h"
#include "obs/filter.h"
#include "obs/hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MESSAGE_BYTES (CONTROL_MSG_BYTES_MAX - sizeof(struct control_msg))

static struct observation *observation_of(struct housekeeping *h, const struct control_peer *peer)
{
    for (unsigned i = 0; i < OBS_PEERS_MAX; i++) {
        if (h->observations[i].peer == peer)
            return &h->observations[i];
    }
    return NULL;
}

/* Who looks at what, for the journal. */
static void tell_journal(const struct control_peer *peer, uint32_t kind, const char *what)
{
    static const char *const kinds[] = {[OBSERVE_FLOWS] = "flows",
                                        [OBSERVE_TRACE] = "trace",
                                        [OBSERVE_CAPTURE] = "capture",
                                        [OBSERVE_REQUESTS] = "requests"};
    uint32_t pid;
    uint32_t uid;
    control_peer_who(peer, &pid, &uid);
    housekeeping_report("%s of process %u, user %u, %s", kinds[kind], pid, uid, what);
}

uint64_t housekeeping_epoch_us(const struct housekeeping *h)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 - h->now_us();
}

static enum observe_fault begin(struct housekeeping *h, struct control_peer *peer, uint64_t id,
                                const struct control_observe *request)
{
    struct observation *o = observation_of(h, NULL);
    if (h->obs == NULL)
        return OBSERVE_FAULT_BLIND;
    if (observation_of(h, peer) != NULL)
        return OBSERVE_FAULT_TWICE;
    uint8_t *waiting = o != NULL ? malloc(MESSAGE_BYTES) : NULL;
    unsigned slot;
    if (waiting == NULL || !obs_hub_begin(h->obs, request, &slot)) {
        free(waiting);
        return OBSERVE_FAULT_BUSY;
    }
    *o = (struct observation){
        .peer = peer,
        .id = id,
        .slot = slot,
        .kind = request->kind,
        .wants_query = (request->wants & OBSERVE_WANTS_QUERY) != 0,
        .until_ms = housekeeping_now_ms() + request->ms_max,
        .records_left = request->records_max,
        .bytes_left = request->bytes_max,
        .waiting = waiting,
    };
    return OBSERVE_FAULT_OK;
}

/* The answer to OBSERVE. False: the peer has no room yet. */
static bool answer(struct housekeeping *h, struct control_peer *peer, uint64_t id,
                   enum observe_fault fault)
{
    static const char *const helps[] = {OBSERVE_FAULT_LIST(X_TEXT)};
    struct control_result result = {.type = CONTROL_OBSERVE, .fault = fault};
    snprintf(result.text, sizeof(result.text), "%s", helps[fault]);
    if (fault == OBSERVE_FAULT_OK)
        result.subject = housekeeping_epoch_us(h);
    return control_try_send(peer, CONTROL_RESULT, id, &result, sizeof(result));
}

/* What is granted is answered once every worker looks (attend()): who hears it may count on seeing
 * what comes after. */
bool housekeeping_observe(struct housekeeping *h, struct control_peer *peer,
                          const struct control_msg *msg, const void *body)
{
    const struct control_observe *request = body;
    enum observe_fault fault = OBSERVE_FAULT_REQUEST;
    if (obs_request_is_sound(request, msg->length))
        fault = begin(h, peer, msg->id, request);
    if (fault == OBSERVE_FAULT_OK) {
        housekeeping_count(h, STAT_core_observations);
        tell_journal(peer, request->kind, "begins");
        return true;
    }
    housekeeping_count(h, STAT_core_observations_refused);
    return answer(h, peer, msg->id, fault);
}

/* The workers are told that it is enough; what they have told already still goes out. */
static void cut(struct housekeeping *h, struct observation *o)
{
    o->is_cut = true;
    if (o->is_ending)
        return;
    o->is_ending = true;
    obs_hub_end(h->obs, o->slot);
}

bool housekeeping_stop_observing(struct housekeeping *h, const struct control_peer *peer,
                                 const struct control_msg *msg)
{
    struct observation *o = observation_of(h, peer);
    if (msg->length != 0)
        return false;
    if (o != NULL) /* else it crossed with OBSERVED */
        cut(h, o);
    return true;
}

static void forget(struct housekeeping *h, struct observation *o)
{
    struct control_observed totals;
    obs_hub_totals(h->obs, o->slot, &totals);
    h->stats->counters[STAT_core_observe_records] += o->records;
    h->stats->counters[STAT_core_observe_lost] += totals.lost;
    tell_journal(o->peer, o->kind, "ends");
    obs_hub_release(h->obs, o->slot);
    free(o->waiting);
    *o = (struct observation){.peer = NULL};
}

void housekeeping_forget_observer(struct housekeeping *h, const struct control_peer *peer)
{
    struct observation *o = observation_of(h, peer);
    if (o != NULL)
        forget(h, o);
}

/* Puts a record into the message, if the bounds on all workers together allow it. */
static void put_record(struct housekeeping *h, struct observation *o,
                       const struct observe_record *record)
{
    if (o->records_left == 0 || o->bytes_left < record->bytes) {
        cut(h, o);
        return;
    }
    memcpy(o->waiting + o->n_waiting, record, record->bytes);
    o->n_waiting += record->bytes;
    o->records_left--;
    o->bytes_left -= record->bytes;
    o->records++;
    o->bytes += record->bytes;
    if (o->records_left == 0 || o->bytes_left == 0)
        cut(h, o); /* the worker that told the last one has ended by itself; the others have not */
}

/* Fills the next message with what there is. */
static void fill(struct housekeeping *h, struct observation *o)
{
    const struct observe_record *record;
    struct access_line_room room;
    while ((record = obs_hub_peek(h->obs, o->slot)) != NULL) {
        const struct observe_record *told = record;
        if (o->kind == OBSERVE_REQUESTS)
            told = housekeeping_access_line(h, record, o->wants_query, &room);
        if (o->n_waiting + told->bytes > MESSAGE_BYTES)
            return;
        put_record(h, o, told);
        obs_hub_drop(h->obs, o->slot, record);
    }
}

/* Sends what there is, as far as the peer has room. */
static void pass(struct housekeeping *h, struct observation *o)
{
    for (unsigned n = 0; n < OBSERVE_MSGS_PER_POLL; n++) {
        fill(h, o);
        if (o->n_waiting == 0 ||
            !control_try_send(o->peer, CONTROL_RECORDS, o->id, o->waiting, o->n_waiting))
            return;
        o->n_waiting = 0;
    }
}

/* Tells the peer that it is over. False: it has no room yet. */
static bool tell_end(struct housekeeping *h, const struct observation *o)
{
    struct control_observed end;
    obs_hub_totals(h->obs, o->slot, &end);
    end.records = o->records;
    end.bytes = o->bytes;
    end.is_whole &= !o->is_cut;
    return control_try_send(o->peer, CONTROL_OBSERVED, o->id, &end, sizeof(end));
}

static void attend(struct housekeeping *h, struct observation *o)
{
    uint64_t now_ms = housekeeping_now_ms();
    if (!o->is_answered && obs_hub_has_begun(h->obs, o->slot))
        o->is_answered = answer(h, o->peer, o->id, OBSERVE_FAULT_OK);
    if (o->is_answered)
        pass(h, o);
    if (now_ms >= o->until_ms)
        cut(h, o);
    if (o->is_answered && o->n_waiting == 0 && obs_hub_is_over(h->obs, o->slot) && tell_end(h, o))
        forget(h, o);
    else if (now_ms >= o->until_ms + OBSERVE_LINGER_MS_MAX)
        control_drop(o->peer); /* it does not read; the place is for others */
}

void housekeeping_pass_records(struct housekeeping *h)
{
    for (unsigned i = 0; i < OBS_PEERS_MAX; i++) {
        if (h->observations[i].peer != NULL)
            attend(h, &h->observations[i]);
    }
}

bool housekeeping_is_observed(const struct housekeeping *h)
{
    for (unsigned i = 0; i < OBS_PEERS_MAX; i++) {
        if (h->observations[i].peer != NULL)
            return true;
    }
    return false;
}
