/* SPDX-License-Identifier: Apache-2.0 */
/* The backends: an HTTP/1.1 server as small as can be on struct stream. */
#include "sim_server.h"

#include "base/assert.h"
#include "base/container.h"
#include "sim.h"

#include <stdio.h>
#include <string.h>

static void run(struct sim_server *c);

static void close_connection(struct sim_server *c)
{
    wheel_disarm(&c->host->core.wheel, &c->timer);
    stream_release(c->stream);
    c->stream = NULL;
}

static void reset_connection(struct sim_server *c)
{
    stream_abort(c->stream);
    close_connection(c);
}

static void on_event(struct stream *s, unsigned events)
{
    struct sim_server *c = s->owner;
    ASSERT(c->stream == s);
    if ((events & STREAM_CLOSED) != 0)
        close_connection(c);
    else
        run(c);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct sim_server *c = container_of(timer, struct sim_server, timer);
    c->host->is_awake = true;
    if (c->request == NULL) {
        close_connection(c);
        return;
    }
    c->is_ready = true;
    run(c);
}

/* What the appliance has to leave as it was, and what it has to take away. */
static void check_head(struct sim_server *c, const struct sim_request *q)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "%s %s%u HTTP/1.1\r\n", q->method,
                     sim_target_path(q->target), q->id);
    if (strncmp(c->head.text, line, (size_t)n) != 0)
        sim_fail(c->sim, "request %u: line is %.40s", q->id, c->head.text);
    if (!sim_head_has(&c->head, "Host", "www.sim.test"))
        sim_fail(c->sim, "request %u: another Host", q->id);
    if (sim_head_has(&c->head, "Upgrade", "websocket") != q->is_tunnel)
        sim_fail(c->sim, "request %u: Upgrade came, or did not", q->id);
    if (q->target != SIM_TARGET_group_a && q->target != SIM_TARGET_group_b)
        sim_fail(c->sim, "request %u: not meant for any backend", q->id);
    long long length = sim_head_number(&c->head, "Content-Length");
    if (length >= 0 && length != q->up_bytes)
        sim_fail(c->sim, "request %u: Content-Length %lld, not %u", q->id, length, q->up_bytes);
}

/* A health check gets its answer, and the connection ends. */
static void answer_check(struct sim_server *c)
{
    struct slice answer = SLICE_LIT("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    if (!sim_head_has(&c->head, "User-Agent", "sluice-health") ||
        sim_head_has(&c->head, "Connection", "close") == c->is_h2)
        sim_fail(c->sim, "a health check is %.80s", c->head.text);
    stream_write(c->stream, &answer, 1); /* there is room: nothing was written before */
    close_connection(c);
}

static void begin_request(struct sim_server *c)
{
    struct sim *sim = c->sim;
    static const char check[] = "GET " SIM_CHECK_PATH " HTTP/1.1\r\n";
    if (sim->plan.is_checked && strncmp(c->head.text, check, sizeof(check) - 1) == 0) {
        answer_check(c);
        return;
    }
    long long id = sim_head_number(&c->head, "X-Sim-Id");
    if (id < 0 || id >= sim->plan.n_requests) {
        sim_fail(sim, "a backend got a request without a known X-Sim-Id");
        return;
    }
    struct sim_request *q = &sim->plan.requests[id];
    check_head(c, q);
    q->seen++;
    c->request = q;
    wheel_disarm(&c->host->core.wheel, &c->timer);
    long long length = sim_head_number(&c->head, "Content-Length");
    enum sim_body_mode mode = sim_head_has(&c->head, "Transfer-Encoding", "chunked")
                                  ? SIM_BODY_CHUNKED
                              : q->is_tunnel ? SIM_BODY_CLOSE
                              : length > 0   ? SIM_BODY_LENGTH
                                             : SIM_BODY_NONE;
    if (q->up_bytes > 0 && mode == SIM_BODY_NONE)
        sim_fail(sim, "request %u: its body is gone", q->id);
    sim_in_begin(&c->in, mode, sim_up_key(q->id), true, length < 0 ? 0 : (uint64_t)length);
    c->is_reading = mode != SIM_BODY_NONE;
    c->is_ready = false;
    if (!c->is_reading)
        q->whole++;
    if (sim_head_has(&c->head, "Expect", "100-continue") && c->is_reading) {
        struct slice go_on = SLICE_LIT("HTTP/1.1 100 Continue\r\n\r\n");
        stream_write(c->stream, &go_on, 1); /* there is room: nothing was written since */
    }
    sim_note(sim, "request %u: order %s, seen %u times", q->id, sim_order_name(q->order), q->seen);
}

static void begin_answer(struct sim_server *c)
{
    const struct sim_request *q = c->request;
    struct sim_out *o = &c->out;
    char *at = (char *)o->stage;
    bool is_head = strcmp(q->method, "HEAD") == 0;
    if (q->order == SIM_ORDER_hints)
        at += sprintf(at, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    if (q->is_tunnel)
        at += sprintf(at,
                      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                      "Upgrade: websocket\r\nSec-WebSocket-Accept: " SIM_ACCEPT
                      "\r\nX-Sim-Id: %u\r\n",
                      q->id);
    else
        at += sprintf(at, "HTTP/1.1 %s\r\nX-Sim-Id: %u\r\nX-Sim-Pad: %0*u\r\n",
                      q->order == SIM_ORDER_no_content ? "204 No Content" : "200 OK", q->id,
                      (int)q->pad_bytes, 0);
    if (q->down_mode == SIM_BODY_LENGTH)
        at += sprintf(at, "Content-Length: %u\r\n", q->down_bytes);
    else if (q->down_mode == SIM_BODY_CHUNKED)
        at += sprintf(at, "Transfer-Encoding: chunked\r\n");
    if (q->order == SIM_ORDER_say_close)
        at += sprintf(at, "Connection: close\r\n");
    at += sprintf(at, "\r\n");
    o->stage_len = (size_t)(at - (char *)o->stage);
    sim_out_begin(o, is_head ? SIM_BODY_NONE : q->down_mode, sim_down_key(q->id), q->down_bytes,
                  c->sim->plan.seed - q->id);
    o->has_extras = q->has_extras;
    if ((q->order == SIM_ORDER_reset_body || q->order == SIM_ORDER_close_body) && !is_head)
        o->cut_at = q->order_at;
    c->closes = q->order == SIM_ORDER_say_close || q->order == SIM_ORDER_close_after ||
                q->order == SIM_ORDER_close_body || q->down_mode == SIM_BODY_CLOSE;
    c->has_shut = false;
    c->is_answering = true;
}

/* Takes what is there of the request's body. Returns true if anything moved. */
static bool read_body(struct sim_server *c)
{
    struct slice v;
    size_t used = 0;
    if (stream_peek(c->stream, &v, 1) == 0)
        return false;
    enum sim_in_status status = sim_in_feed(&c->in, v.ptr, v.len, &used);
    stream_consume(c->stream, used);
    if (status == SIM_IN_BAD)
        sim_fail(c->sim, "request %u: its body is damaged at %lu", c->request->id, c->in.bytes);
    if (status == SIM_IN_DONE) {
        if (c->in.bytes != c->request->up_bytes)
            sim_fail(c->sim, "request %u: %lu bytes of body, not %u", c->request->id, c->in.bytes,
                     c->request->up_bytes);
        c->request->whole++;
        c->is_reading = false;
    }
    return true;
}

/* What it does to the request. Where the appliance tries again, what would leave the client without
 * an answer happens once. */
static enum sim_order order_of(const struct sim_server *c)
{
    const struct sim_request *q = c->request;
    bool is_silent = q->order == SIM_ORDER_reset_head || q->order == SIM_ORDER_reset_upload ||
                     q->order == SIM_ORDER_hang;
    return c->sim->plan.is_retried && is_silent && q->seen > 1 ? SIM_ORDER_answer : q->order;
}

/* Between the request and its answer. Returns true if anything moved. */
static bool obey(struct sim_server *c)
{
    const struct sim_request *q = c->request;
    if (c->is_answering || c->is_hanging)
        return false;
    if (c->is_reading && q->order != SIM_ORDER_early && !q->is_tunnel)
        return false;
    if (order_of(c) == SIM_ORDER_hang) {
        c->is_hanging = true;
        return false;
    }
    if (!c->is_ready && q->delay_ms > 0) {
        if (!wheel_timer_is_armed(&c->timer))
            wheel_arm(&c->host->core.wheel, &c->timer, c->sim->now_us + q->delay_ms * 1000ull);
        return false;
    }
    begin_answer(c);
    return true;
}

/* The answer is with tcp, and the request whole. False: the connection is gone. */
static bool end_answer(struct sim_server *c)
{
    if (c->request->order == SIM_ORDER_reset_body && c->out.cut_at != UINT64_MAX) {
        reset_connection(c);
        return false;
    }
    if (c->closes) {
        close_connection(c);
        return false;
    }
    c->is_answering = false;
    c->request = NULL;
    c->head.len = 0;
    if (c->sim->plan.backend_idle_ms > 0)
        wheel_arm(&c->host->core.wheel, &c->timer,
                  c->sim->now_us + c->sim->plan.backend_idle_ms * 1000ull);
    return true;
}

/* Each direction of a tunnel ends by itself. */
static void tend_tunnel(struct sim_server *c)
{
    if (sim_out_is_done(&c->out) && !c->has_shut) {
        stream_shutdown(c->stream);
        c->has_shut = true;
    }
    if (!c->is_reading || !stream_is_eof(c->stream))
        return;
    if (c->in.bytes != c->request->up_bytes)
        sim_fail(c->sim, "request %u: %lu bytes came through the tunnel, not %u", c->request->id,
                 c->in.bytes, c->request->up_bytes);
    c->request->whole++;
    c->is_reading = false;
}

/* One step of whatever can go on. Returns false when nothing can, or the connection is gone. */
static bool step(struct sim_server *c)
{
    bool has_moved = false;
    if (c->request == NULL) {
        size_t budget = SIZE_MAX;
        enum sim_in_status status = sim_head_read(&c->head, c->stream, &budget);
        if (status == SIM_IN_BAD)
            sim_fail(c->sim, "a backend got a head that is too long");
        if (status != SIM_IN_DONE)
            return false;
        begin_request(c);
        return c->request != NULL;
    }
    if (c->is_reading && !c->is_hanging)
        has_moved = read_body(c);
    if (c->request->is_tunnel && c->is_answering)
        tend_tunnel(c);
    bool is_at = c->in.bytes >= c->request->order_at;
    enum sim_order order = order_of(c);
    if ((order == SIM_ORDER_reset_upload && is_at) ||
        (order == SIM_ORDER_reset_head && !c->is_reading)) {
        reset_connection(c);
        return false;
    }
    has_moved |= obey(c);
    if (c->is_answering) {
        has_moved |= sim_out_pump(&c->out, c->stream, SIZE_MAX) > 0;
        if (sim_out_is_done(&c->out) && !c->is_reading)
            return end_answer(c);
    }
    return has_moved;
}

static void run(struct sim_server *c)
{
    while (!sim_has_failed(c->sim) && step(c))
        ;
    /* The appliance is done with this connection; an answer under way still goes out. */
    if (c->stream != NULL && stream_is_eof(c->stream) && !c->is_answering)
        close_connection(c);
}

bool sim_server_accept(struct sim_host *host, struct stream *s, bool is_h2)
{
    struct sim *sim = host->sim;
    for (unsigned i = 0; i < SIM_SERVER_CONNS_MAX; i++) {
        struct sim_server *c = &sim->servers[i];
        if (c->stream != NULL)
            continue;
        *c = (struct sim_server){.sim = sim,
                                 .host = host,
                                 .stream = s,
                                 .timer = {.on_expire = on_timer},
                                 .is_h2 = is_h2};
        s->on_event = on_event;
        s->owner = c;
        return true;
    }
    return false;
}
