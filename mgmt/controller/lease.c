/* SPDX-License-Identifier: Apache-2.0 */
/* Taking, renewing, losing and giving back the lease. See lease.h. */
#include "controller/lease.h"

#include "base/assert.h"
#include "base/container.h"
#include "controller/lease_view.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define LEASE_API "coordination.k8s.io/v1"

enum step { STEP_NONE, STEP_READ, STEP_CLAIM, STEP_GIVE_BACK };

struct lease {
    struct lease_config config;
    char namespace_[254], name[254], identity[LEASE_IDENTITY_BYTES];
    struct lease_view view;
    struct kube_call *call;
    enum step step;          /* what the call is for */
    uint64_t sent_us;        /* when it was sent */
    uint64_t renewed_us;     /* when the last claim that was taken was sent */
    struct wheel_timer next; /* the next try */
    struct wheel_timer end;  /* of the renew deadline, or of giving back */
    bool is_leader;
    void (*on_released)(void *owner); /* set: we give it back and ask no more */
};

static uint64_t now_us(const struct lease *l)
{
    return loop_now_us(l->config.loop);
}

static int64_t unix_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void set_leader(struct lease *l, bool is_leader)
{
    if (l->is_leader != is_leader) {
        l->is_leader = is_leader;
        l->config.on_change(l->config.owner, is_leader);
    }
}

/* Candidates that began together do not go on together. */
static void try_later(struct lease *l)
{
    uint64_t us = (uint64_t)l->config.retry_ms * 1000;
    uint64_t chance = 0;
    if (!l->is_leader && getrandom(&chance, sizeof(chance), 0) == sizeof(chance)) {
        us += chance % (us / 5 + 1);
    }
    loop_timer_arm(l->config.loop, &l->next, us);
}

/* ---- calls ---- */

static void on_answer(void *owner, const struct kube_answer *answer);

static bool send(struct lease *l, enum step step, const char *method, const char *name,
                 const json_t *body)
{
    char path[KUBE_PATH_MAX];
    struct kube_request request = {
        .method = method,
        .path = path,
        .body = body,
        .deadline_ms = l->config.renew_deadline_ms / 2,
        .is_urgent = true,
        .on_done = on_answer,
        .owner = l,
    };
    ASSERT(l->call == NULL);
    l->step = step;
    l->sent_us = now_us(l);
    return kube_path(path, LEASE_API, "leases", l->namespace_, name, NULL) &&
           kube_call(l->config.kube, &request, &l->call) == 0;
}

static bool claim(struct lease *l, enum step step)
{
    const char *identity = step == STEP_GIVE_BACK ? "" : l->identity;
    json_t *object = lease_view_claim(&l->view, l->namespace_, l->name, identity,
                                      l->config.duration_ms, unix_us());
    bool is_sent = l->view.is_there ? send(l, step, "PUT", l->name, object)
                                    : send(l, step, "POST", NULL, object);
    json_decref(object);
    return is_sent;
}

static void begin(struct lease *l)
{
    /* Who leads knows the lease; if somebody has changed it nevertheless, a conflict says so. */
    bool is_sent = l->is_leader && l->view.version[0] != '\0'
                       ? claim(l, STEP_CLAIM)
                       : send(l, STEP_READ, "GET", l->name, NULL);
    if (!is_sent) {
        try_later(l);
    }
}

static void released(struct lease *l)
{
    void (*on_released)(void *) = l->on_released;
    loop_timer_disarm(l->config.loop, &l->end);
    if (l->call != NULL) {
        kube_call_cancel(l->call);
        l->call = NULL;
    }
    l->on_released = NULL;
    if (on_released != NULL) {
        on_released(l->config.owner);
    }
}

/* ---- answers ---- */

static void was_read(struct lease *l, const struct kube_answer *answer)
{
    if (answer->status != 200 && answer->status != 404) {
        try_later(l);
        return;
    }
    lease_view_take(&l->view, answer->status == 200 ? answer->body : NULL, now_us(l));
    bool is_ours = lease_view_is_ours_to_take(&l->view, l->identity, now_us(l));
    if (!is_ours) {
        set_leader(l, false); /* somebody holds it: the deadline need not pass first */
    }
    if (!is_ours || !claim(l, STEP_CLAIM)) {
        try_later(l);
    }
}

static void was_claimed(struct lease *l, const struct kube_answer *answer)
{
    if (answer->status == 200 || answer->status == 201) {
        lease_view_take(&l->view, answer->body, now_us(l));
        l->renewed_us = l->sent_us;
        uint64_t since = now_us(l) - l->renewed_us;
        uint64_t deadline = (uint64_t)l->config.renew_deadline_ms * 1000;
        if (since < deadline) {
            loop_timer_disarm(l->config.loop, &l->end);
            loop_timer_arm(l->config.loop, &l->end, deadline - since);
            set_leader(l, true);
        }
    } else if (answer->status == 409 || answer->status == 404) {
        l->view.version[0] = '\0'; /* somebody was there: the next try reads first */
        if (l->is_leader && send(l, STEP_READ, "GET", l->name, NULL)) {
            return;
        }
    }
    try_later(l);
}

static void on_answer(void *owner, const struct kube_answer *answer)
{
    struct lease *l = owner;
    l->call = NULL;
    if (l->on_released != NULL) {
        released(l);
    } else if (l->step == STEP_READ) {
        was_read(l, answer);
    } else {
        was_claimed(l, answer);
    }
}

/* ---- timers ---- */

static void on_next(struct wheel_timer *timer, uint64_t at_us)
{
    struct lease *l = container_of(timer, struct lease, next);
    if (l->call == NULL) {
        begin(l);
    }
}

/* The deadline has passed and nothing was renewed; or nobody takes the lease back. */
static void on_end(struct wheel_timer *timer, uint64_t at_us)
{
    struct lease *l = container_of(timer, struct lease, end);
    if (l->on_released != NULL) {
        released(l);
        return;
    }
    l->view.version[0] = '\0';
    set_leader(l, false);
}

/* ---- all ---- */

static void set_identity(struct lease *l, const char *identity)
{
    char host[128] = "";
    uint64_t chance = 0;
    if (identity != NULL) {
        snprintf(l->identity, sizeof(l->identity), "%s", identity);
        return;
    }
    gethostname(host, sizeof(host) - 1);
    if (getrandom(&chance, sizeof(chance), 0) != sizeof(chance)) {
        chance = (uint64_t)getpid();
    }
    snprintf(l->identity, sizeof(l->identity), "%s_%016llx", host, (unsigned long long)chance);
}

int lease_new(const struct lease_config *config, struct lease **ret)
{
    struct lease *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return -ENOMEM;
    }
    l->config = *config;
    struct lease_config *c = &l->config;
    c->duration_ms = c->duration_ms != 0 ? c->duration_ms : LEASE_DURATION_MS;
    c->renew_deadline_ms =
        c->renew_deadline_ms != 0 ? c->renew_deadline_ms : LEASE_RENEW_DEADLINE_MS;
    c->retry_ms = c->retry_ms != 0 ? c->retry_ms : LEASE_RETRY_MS;
    if (c->duration_ms <= c->renew_deadline_ms || c->renew_deadline_ms <= c->retry_ms / 5 * 6) {
        free(l);
        return -EINVAL;
    }
    snprintf(l->namespace_, sizeof(l->namespace_), "%s", config->namespace_);
    snprintf(l->name, sizeof(l->name), "%s", config->name);
    set_identity(l, config->identity);
    l->next.on_expire = on_next;
    l->end.on_expire = on_end;
    loop_timer_arm(c->loop, &l->next, 0);
    *ret = l;
    return 0;
}

void lease_free(struct lease *l)
{
    if (l == NULL) {
        return;
    }
    if (l->call != NULL) {
        kube_call_cancel(l->call);
    }
    loop_timer_disarm(l->config.loop, &l->next);
    loop_timer_disarm(l->config.loop, &l->end);
    free(l);
}

bool lease_is_leader(const struct lease *l)
{
    return l->is_leader && now_us(l) < l->renewed_us + (uint64_t)l->config.renew_deadline_ms * 1000;
}

const char *lease_holder(const struct lease *l)
{
    return l->view.holder;
}

const char *lease_identity(const struct lease *l)
{
    return l->identity;
}

void lease_release(struct lease *l, void (*on_done)(void *owner))
{
    bool was_leader = l->is_leader;
    ASSERT(on_done != NULL && l->on_released == NULL);
    loop_timer_disarm(l->config.loop, &l->next);
    loop_timer_disarm(l->config.loop, &l->end);
    if (l->call != NULL) {
        kube_call_cancel(l->call);
        l->call = NULL;
    }
    l->on_released = on_done;
    set_leader(l, false);
    bool is_sent = was_leader && l->view.version[0] != '\0' && claim(l, STEP_GIVE_BACK);
    loop_timer_arm(l->config.loop, &l->end, is_sent ? (uint64_t)l->config.retry_ms * 1000 : 0);
}
