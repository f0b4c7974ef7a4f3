/* SPDX-License-Identifier: Apache-2.0 */
/* The clients' reading half: answers in their order, each checked against its request. */
#include "base/assert.h"
#include "sim.h"
#include "sim_client.h"

#include <stdio.h>
#include <string.h>

/* The answer is whole. */
static void end_answer(struct sim_client *c)
{
    struct sim_request *q = &c->requests[c->next_answer];
    bool is_planned = q->status == sim_request_status(q);
    sim_client_end_request(c, c->next_answer,
                           is_planned ? SIM_OUTCOME_complete : SIM_OUTCOME_refused);
    q->took_us = c->sim->now_us - q->begun_us;
    bool is_head = strcmp(q->method, "HEAD") == 0;
    bool has_body = q->status / 100 == 2 || q->status == 101;
    if (has_body && !is_head && c->in.bytes != q->down_bytes)
        sim_fail(c->sim, "request %u: %lu bytes of body, not %u", q->id, c->in.bytes,
                 q->down_bytes);
    c->next_answer++;
    c->is_in_body = false;
    c->is_in_tunnel = false;
    c->head.len = 0;
    c->must_reopen = c->is_close_announced;
    c->may_reopen = q->order == SIM_ORDER_early;
    c->is_close_announced = false;
    c->think_until_us = c->sim->now_us + c->plan->think_ms * 1000ull;
    if (c->plan->think_ms != 0 && !wheel_timer_is_armed(&c->timer))
        wheel_arm(&c->host->core.wheel, &c->timer, c->think_until_us);
}

static enum sim_body_mode mode_of_answer(struct sim_client *c, const struct sim_request *q,
                                         long long *ret_length)
{
    const struct sim_head *h = &c->head;
    *ret_length = sim_head_number(h, "Content-Length");
    if (strcmp(q->method, "HEAD") == 0 || q->status == 204 || q->status == 304)
        return SIM_BODY_NONE;
    if (sim_head_has(h, "Transfer-Encoding", "chunked")) {
        if (c->plan->is_http10)
            sim_fail(c->sim, "request %u: chunks for a client of HTTP/1.0", q->id);
        return SIM_BODY_CHUNKED;
    }
    return *ret_length >= 0 ? SIM_BODY_LENGTH : SIM_BODY_CLOSE;
}

/* There is no tunnel: what would go through it does not leave. */
static void drop_upload(struct sim_client *c)
{
    if (!c->is_sending)
        return;
    c->is_sending = false;
    c->next_send++;
}

/* A whole head is there. */
static void begin_answer(struct sim_client *c)
{
    struct sim_request *q = &c->requests[c->next_answer];
    unsigned status;
    if (sscanf(c->head.text, "HTTP/1.%*1[01] %3u", &status) != 1) {
        sim_fail(c->sim, "request %u: not a status line: %.40s", q->id, c->head.text);
        return;
    }
    if (q->is_tunnel && status >= 200)
        drop_upload(c);
    c->out.is_held = q->is_tunnel && status < 200 && status != 101 && c->out.is_held;
    if (status < 200 && status != 101) {
        c->head.len = 0;
        return;
    }
    q->status = (uint16_t)status;
    long long length;
    enum sim_body_mode mode = mode_of_answer(c, q, &length);
    c->is_in_tunnel = status == 101;
    if (c->is_in_tunnel && (!q->is_tunnel || !sim_head_has(&c->head, "Upgrade", "websocket") ||
                            !sim_head_has(&c->head, "Sec-WebSocket-Accept", SIM_ACCEPT)))
        sim_fail(c->sim, "request %u: not the 101 that was asked for", q->id);
    if ((status / 100 == 2 || status == 101) && sim_head_number(&c->head, "X-Sim-Id") != q->id)
        sim_fail(c->sim, "request %u: the answer of another", q->id);
    if (status == 200 && length >= 0 && length != q->down_bytes)
        sim_fail(c->sim, "request %u: Content-Length %lld, not %u", q->id, length, q->down_bytes);
    sim_in_begin(&c->in, mode, sim_down_key(q->id), status == 200 || status == 101,
                 length < 0 ? 0 : (uint64_t)length);
    c->is_in_body = true;
    c->is_close_announced = mode == SIM_BODY_CLOSE || c->plan->is_http10 ||
                            sim_head_has(&c->head, "Connection", "close");
    sim_note(c->sim, "request %u: status %u%s", q->id, status,
             c->is_close_announced ? ", close" : "");
}

/* Takes what is there of a body. */
static enum sim_in_status take_body(struct sim_client *c, size_t *budget)
{
    enum sim_in_status status = SIM_IN_MORE;
    if (c->in.mode == SIM_BODY_NONE || (c->in.mode == SIM_BODY_LENGTH && c->in.bytes_total == 0))
        return SIM_IN_DONE;
    struct slice v;
    while (status == SIM_IN_MORE && *budget > 0 && stream_peek(c->stream, &v, 1) > 0) {
        size_t used;
        status = sim_in_feed(&c->in, v.ptr, v.len < *budget ? v.len : *budget, &used);
        stream_consume(c->stream, used);
        *budget -= used;
        if (used == 0)
            break;
    }
    return status;
}

void sim_client_end_body(struct sim_client *c)
{
    if (c->is_in_body && c->in.mode == SIM_BODY_CLOSE)
        end_answer(c);
}

bool sim_client_read(struct sim_client *c)
{
    size_t budget = c->read_budget;
    if (budget > 0 && !c->is_in_body && c->next_answer == c->next_send && !c->is_sending &&
        stream_readable(c->stream) > 0) {
        sim_fail(c->sim, "session %u: bytes that nobody asked for", c->plan->first_request);
        return false;
    }
    enum sim_in_status status;
    if (!c->is_in_body) {
        status = sim_head_read(&c->head, c->stream, &budget);
        if (status == SIM_IN_DONE)
            begin_answer(c);
    } else {
        status = take_body(c, &budget);
        if (status == SIM_IN_DONE)
            end_answer(c);
    }
    if (status == SIM_IN_BAD)
        sim_fail(c->sim, "session %u: answer %u is damaged", c->plan->first_request,
                 c->next_answer);
    size_t n = c->read_budget - budget;
    c->answer_bytes += n;
    if (c->plan->read_pace != 0)
        c->read_budget = budget;
    return n > 0 || status == SIM_IN_DONE;
}
