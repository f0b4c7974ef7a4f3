/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_visit.h. */
#include "sim_visit.h"

#include "base/assert.h"
#include "base/container.h"
#include "sim.h"
#include "sim_congestion.h"

#include <openssl/ssl.h>

#define CONNECT_TIMEOUT_MS 60000u
#define RESET_US 1000u /* at once, and the appliance never hears of the connection */

static bool is_one_of_cuts(enum sim_visit_kind kind)
{
    return kind >= SIM_VISIT_cut_fin;
}

static void end_visit(struct sim_visit *v)
{
    wheel_disarm(&v->host->core.wheel, &v->timer);
    if (v->stream != NULL)
        stream_release(v->stream);
    v->stream = NULL;
    v->is_over = true;
    sim_session_ended(v->sim);
}

void sim_visit_stop(struct sim_visit *v)
{
    if (!v->is_over)
        end_visit(v);
}

/* Hands are shaken, or the connection is there. */
static void on_open(struct sim_visit *v)
{
    struct slice text = SLICE_LIT("GET / HTTP/1.1\r\nHost: www.sim.test\r\n\r\n");
    if (v->plan->kind == SIM_VISIT_clear) {
        stream_write(v->stream, &text, 1); /* there is room: nothing was written before */
        return;
    }
    if (v->plan->kind != SIM_VISIT_leaver)
        sim_fail(v->sim, "a visitor was let in: %s", sim_visit_name(v->plan->kind));
    end_visit(v);
}

static void on_cut(struct sim_visit *v)
{
    if (v->plan->kind == SIM_VISIT_cut_reset)
        wheel_arm(&v->host->core.wheel, &v->timer, v->sim->now_us + RESET_US);
    else if (v->plan->kind == SIM_VISIT_cut_fin)
        end_visit(v);
}

/* Who asks for a name that nobody has is told so (RFC 6066, section 3). */
static void check_reason(struct sim_visit *v)
{
    enum sim_visit_kind kind = v->plan->kind;
    bool is_stranger = kind == SIM_VISIT_wrong_name || kind == SIM_VISIT_no_name;
    int reason = kind == SIM_VISIT_clear ? 0 : sim_tls_reason(v->stream);
    if (is_stranger && v->sim->plan.is_calm && reason != SSL_R_TLSV1_UNRECOGNIZED_NAME)
        sim_fail(v->sim, "a visitor with a wrong name is told %d", reason);
}

static void on_event(struct stream *s, unsigned events)
{
    struct sim_visit *v = s->owner;
    ASSERT(v->stream == s);
    stream_consume(s, stream_readable(s));
    if ((events & STREAM_CLOSED) != 0) {
        check_reason(v);
        end_visit(v);
    } else if (stream_is_eof(s)) {
        end_visit(v);
    } else if (is_one_of_cuts(v->plan->kind)) {
        if (sim_tls_is_cut(s))
            on_cut(v);
    } else if ((events & STREAM_WRITABLE) != 0) {
        on_open(v);
    }
}

static void set_want(const struct sim_visit_plan *p, struct sim_tls_want *ret)
{
    *ret = (struct sim_tls_want){.server_name = SIM_NAME,
                                 .alpn = "http/1.1",
                                 .is_tls12 = p->is_tls12,
                                 .piece_bytes = p->piece_bytes};
    switch (p->kind) {
    case SIM_VISIT_wrong_name:
        ret->server_name = "nobody.sim.test";
        break;
    case SIM_VISIT_no_name:
        ret->server_name = NULL;
        break;
    case SIM_VISIT_strange_protocol:
        ret->alpn = "h3";
        break;
    case SIM_VISIT_old_version:
        ret->is_tls11 = true;
        break;
    case SIM_VISIT_doubter:
        ret->trusts_nobody = true;
        break;
    case SIM_VISIT_leaver:
        ret->resumes = true;
        break;
    default:
        ret->cut_flight = p->cut_flight;
        ret->cut_bytes = p->cut_bytes;
        break;
    }
}

static void open_visit(struct sim_visit *v)
{
    struct sim *s = v->sim;
    struct tcp_open_args args = {.remote = v->plan->is_ip6 ? s->vip6 : s->vip4,
                                 .remote_port = SIM_TLS_PORT,
                                 .connect_timeout_ms = CONNECT_TIMEOUT_MS};
    args.congestion = sim_congestion_of(&s->plan, v->plan->client);
    if (tcp_open(v->host->tcp, &args, &v->stream) != TCP_OPEN_OK) {
        v->stream = NULL;
        end_visit(v);
        return;
    }
    struct sim_tls_want want;
    set_want(v->plan, &want);
    sim_note(s, "a visitor: %s, flight %u, %u bytes", sim_visit_name(v->plan->kind),
             want.cut_flight, want.cut_bytes);
    if (v->plan->kind != SIM_VISIT_clear)
        v->stream = sim_tls_connect(v->host, v->stream, &want);
    v->stream->on_event = on_event;
    v->stream->owner = v;
}

/* It begins, or it has been cut. */
static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct sim_visit *v = container_of(timer, struct sim_visit, timer);
    v->host->is_awake = true;
    if (v->stream == NULL) {
        open_visit(v);
        return;
    }
    stream_abort(v->stream);
    end_visit(v);
}

void sim_visit_init(struct sim_visit *v, struct sim *sim, const struct sim_visit_plan *plan)
{
    *v = (struct sim_visit){.sim = sim,
                            .plan = plan,
                            .host = &sim->hosts[plan->client],
                            .timer = {.on_expire = on_timer}};
    wheel_arm(&v->host->core.wheel, &v->timer, sim->now_us + plan->start_us);
}
