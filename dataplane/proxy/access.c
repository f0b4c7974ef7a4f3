/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the access log is told of a request: one record when it has ended. The log is an observation
 * like others (obs/obs.h): housekeeping asks for requests, and takes the records; a ring that is
 * full loses them, counted.
 *
 * A request's head is often gone when its end comes, so what the record needs of it is copied when
 * the request begins, into the note that belongs to the exchange's place in the pool. The worker's
 * chance is drawn then, once for all who look: whoever wants one of ten gets some of those that
 * whoever wants one of two gets. With OBSERVE_WANTS_ERRORS all are noted, and the end decides.
 *
 * Thread: the worker. Bound: a note for each exchange. Cost without a log: a branch a request.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "http/http_glimpse.h"
#include "proxy/l4.h"

/* What is kept of a request's head. */
struct access_note {
    uint32_t chance;
    uint8_t flags;       /* enum access_flag */
    uint8_t query_flags; /* the same, for those who want the query */
    uint16_t text_bytes[ACCESS_TEXTS];
    uint8_t text[ACCESS_TEXT_BYTES_MAX]; /* the texts one behind the other */
};

void access_init(struct proxy *p, uint32_t exchanges)
{
    p->notes = core_memory(p->core, exchanges * sizeof(struct access_note), "access log");
}

/* What any of those who look may want of this request. False: nobody will want it. */
static bool is_wanted(struct obs *o, uint32_t chance, uint32_t *ret_wants)
{
    bool is_any = false;
    *ret_wants = 0;
    for (struct obs_lane *lane = NULL; (lane = obs_lane_next(o, OBSERVE_REQUESTS, lane)) != NULL;) {
        is_any |= obs_request_wants(&lane->request, true, chance);
        *ret_wants |= lane->request.wants;
    }
    return is_any;
}

/* Returns ACCESS_IS_CUT if it does not fit. */
static uint8_t add_text(struct access_note *note, enum access_text which, struct slice text,
                        size_t most)
{
    size_t used = 0;
    for (unsigned i = 0; i < ACCESS_TEXTS; i++)
        used += note->text_bytes[i];
    size_t room = min64(most, ACCESS_TEXT_BYTES_MAX - used);
    size_t n = min64(text.len, room);
    if (n > 0)
        memcpy(note->text + used, text.ptr, n);
    note->text_bytes[which] = (uint16_t)n;
    return n < text.len ? ACCESS_IS_CUT : 0;
}

/* All but the query. */
static void take_texts(struct access_note *note, struct slice method, struct slice host,
                       struct slice path, uint32_t chance)
{
    note->chance = chance;
    note->query_flags = 0;
    memset(note->text_bytes, 0, sizeof(note->text_bytes));
    note->flags = add_text(note, ACCESS_METHOD, method, ACCESS_METHOD_BYTES_MAX);
    note->flags |= add_text(note, ACCESS_HOST, host, ACCESS_HOST_BYTES_MAX);
    note->flags |= add_text(note, ACCESS_PATH, path, ACCESS_TEXT_BYTES_MAX);
}

static void take_note(struct access_note *note, const struct http_head *head, uint32_t chance,
                      uint32_t wants)
{
    take_texts(note, head->method_text, head->host, head->path, chance);
    if (head->has_query && wants & OBSERVE_WANTS_QUERY)
        note->query_flags =
            ACCESS_HAS_QUERY | add_text(note, ACCESS_QUERY, head->query, ACCESS_TEXT_BYTES_MAX);
}

void access_note(struct exchange *e)
{
    struct proxy *p = e->proxy;
    ASSERT(e->note == NULL && e->client->http.request != NULL);
    uint32_t chance = (uint32_t)(rng_next(&p->core->rng) >> 32);
    uint32_t wants;
    if (!is_wanted(&p->core->obs, chance, &wants))
        return;
    e->note = &p->notes[pool_index(&p->exchanges, e)];
    take_note(e->note, &e->client->http.request->head, chance, wants);
}

/* Where in the image the request went. */
static void fill_places(const struct exchange *e, struct access_record *r)
{
    const struct image_view *v = e->image.view;
    enum route_outcome outcome = e->route.outcome;
    bool has_listener = e->is_matched && outcome != ROUTE_OUTCOME_NO_LISTENER;
    bool has_rule = e->is_matched && outcome == ROUTE_OUTCOME_RULE;
    r->generation = v != NULL ? v->header->generation : e->generation;
    r->listener = has_listener ? e->route.listener : ACCESS_NONE;
    r->rule = has_rule ? e->route.rule : ACCESS_NONE;
    r->backend = e->target != NULL ? (uint32_t)(e->target - v->backends) : ACCESS_NONE;
    if (e->is_tunnel)
        r->backend = e->backend_index;
}

/* Who talked to whom. */
static void fill_ends(const struct exchange *e, struct access_record *r)
{
    const struct stream_addrs *addrs = &e->client->addrs;
    const struct upstream_conn_id *asked =
        e->backend != NULL ? upstream_conn_id(e->backend) : &e->failed;
    r->client = addrs->remote;
    r->client_port = addrs->remote_port;
    r->local = addrs->local;
    r->local_port = addrs->local_port;
    r->endpoint = asked->addr;
    r->endpoint_port = asked->port;
}

static void fill(const struct exchange *e, enum stat_id why, uint64_t now_us,
                 struct access_record *r)
{
    fill_places(e, r);
    fill_ends(e, r);
    r->end = (uint16_t)why;
    r->status = e->status;
    r->tries = e->tries;
    r->request_bytes = e->request_bytes;
    r->response_bytes = e->response_bytes;
    r->total_us = now_us - e->begin_us;
    r->head_us = e->head_us == ACCESS_NO_TIME ? ACCESS_NO_TIME : e->head_us - e->begin_us;
    r->connect_us = e->connect_us;
}

/* Puts it into one lane's ring, or counts it as lost there. */
static void put(struct exchange *e, enum stat_id why, struct obs_lane *lane)
{
    const struct access_note *note = e->note;
    struct core *core = e->proxy->core;
    bool has_query = (lane->request.wants & OBSERVE_WANTS_QUERY) != 0;
    uint32_t bytes = 0;
    for (unsigned i = 0; i < ACCESS_TEXTS; i++)
        bytes += i == ACCESS_QUERY && !has_query ? 0 : note->text_bytes[i];
    struct access_record *r = obs_take(&core->obs, lane, OBSERVE_RECORD_REQUEST,
                                       (uint32_t)sizeof(*r) + bytes, core->now_us);
    if (r == NULL) {
        obs_lose(lane);
        return;
    }
    fill(e, why, core->now_us, r);
    r->flags = note->flags | (e->client->parent != NULL ? ACCESS_IS_H2 : 0) |
               (has_query ? note->query_flags : 0);
    memcpy(r->text_bytes, note->text_bytes, sizeof(r->text_bytes));
    if (!has_query)
        r->text_bytes[ACCESS_QUERY] = 0;
    memcpy(r->text, note->text, bytes);
    obs_put(&core->obs, lane, r);
}

/* To each of those who look, if it is meant for him. */
static void tell(struct exchange *e, enum stat_id why)
{
    struct obs *o = &e->proxy->core->obs;
    const struct stream_addrs *addrs = &e->client->addrs;
    bool is_error = e->status >= 500 || !e->is_answered;
    for (struct obs_lane *lane = NULL; (lane = obs_lane_next(o, OBSERVE_REQUESTS, lane)) != NULL;) {
        const struct control_observe *request = &lane->request;
        if (obs_request_wants(request, is_error, e->note->chance) &&
            obs_request_has(request, &addrs->local, addrs->local_port, &addrs->remote,
                            addrs->remote_port))
            put(e, why, lane);
    }
}

void access_tell(struct exchange *e, enum stat_id why)
{
    ASSERT(e->note != NULL && why >= STAT_proxy_end_complete && why <= STAT_proxy_end_client_gone);
    tell(e, why);
}

/* Stands for the exchange that there was not. */
static struct exchange no_exchange(struct proxy_conn *c, struct access_note *note, uint16_t status)
{
    ASSERT(c->exchange == NULL);
    return (struct exchange){.proxy = c->proxy,
                             .client = c,
                             .note = note,
                             .status = status,
                             .is_answered = true,
                             .begin_us = c->proxy->core->now_us,
                             .head_us = ACCESS_NO_TIME,
                             .connect_us = ACCESS_NO_TIME};
}

void access_tell_unserved(struct proxy_conn *c)
{
    struct core *core = c->proxy->core;
    struct access_note note;
    struct exchange e = no_exchange(c, &note, 503);
    uint32_t chance = (uint32_t)(rng_next(&core->rng) >> 32);
    uint32_t wants;
    if (!is_wanted(&core->obs, chance, &wants))
        return;
    take_note(&note, &c->http.request->head, chance, wants);
    tell(&e, STAT_proxy_end_no_exchange);
}

void access_tell_refused(struct proxy_conn *c, enum http_fault fault)
{
    struct core *core = c->proxy->core;
    const struct http_head_buf *request = c->http.request;
    struct access_note note;
    struct exchange e = no_exchange(c, &note, http_fault_status(fault));
    uint32_t chance = (uint32_t)(rng_next(&core->rng) >> 32);
    uint32_t wants;
    struct http_glimpse seen = {0};
    if (!is_wanted(&core->obs, chance, &wants))
        return;
    if (request != NULL)
        http_glimpse(slice_of(request->bytes, request->len), &seen);
    take_texts(&note, seen.method, seen.host, seen.path, chance);
    tell(&e, proxy_fault_stat(fault, false));
}

void access_tell_l4(const struct l4 *l, enum stat_id why)
{
    struct core *core = l->proxy->core;
    struct access_note note;
    struct exchange e = no_exchange(l->client, &note, 0);
    uint32_t chance = (uint32_t)(rng_next(&core->rng) >> 32);
    uint32_t wants;
    if (!is_wanted(&core->obs, chance, &wants))
        return;
    take_texts(&note, SLICE_LIT(""), slice_of_str(l->server_name), SLICE_LIT(""), chance);
    e.is_answered = why == STAT_proxy_l4_end_complete;
    e.failed = l->asked;
    e.is_tunnel = true; /* as one it has no image any more, but the places in it */
    e.is_matched = true;
    e.generation = l->generation;
    e.backend_index = l->backend;
    e.route = (struct route_result){
        .outcome = ROUTE_OUTCOME_RULE, .listener = l->listener, .rule = l->rule};
    e.tries = l->tries;
    e.request_bytes = l->up_bytes;
    e.response_bytes = l->down_bytes;
    e.begin_us = l->begin_us;
    e.connect_us = l->connect_us;
    tell(&e, why);
}
