/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a request goes to a backend once more. Always only while nothing of a response went to the
 * client, and nothing of its body has moved, but for a short one, which is kept (kept_body.c).
 *
 * By itself, once, at once, when that can do no harm: the backend cannot have acted on the first
 * try (the connection was never established, or by HTTP/2 the stream was refused unseen: RFC 9113,
 * section 8.7), or acting twice is the same as once: the method is idempotent, and the connection
 * was a reused one that ended without a byte of an answer, as happens when a backend closes an idle
 * connection at the moment that we use it (RFC 9112, section 9.3.1).
 *
 * By the rule's retry policy (HTTPRouteRetry), as often as it says, whatever the method: for the
 * answers that it lists, and when a connection was lost before a byte of an answer came ("should
 * retry on connection errors if a retry stanza is configured": who writes one knows what his
 * application does with a request that comes twice). Where the method is idempotent, also when a
 * connection was lost within an answer's head, or a try took too long. The last try's answer is the
 * client's. Between tries lies at least
 * the rule's backoff, twice as long each time, and up to a quarter more by chance, so that requests
 * that failed together do not come back together.
 *
 * A backend in trouble must not get more because it is in trouble: each group has a budget of one
 * retry for five requests, and some a second for those who ask little (Finagle's idea). Beyond it
 * the answer is the client's.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "proxy/proxy_priv.h"

#define BUDGET_MILLI_MAX (PROXY_RETRY_BUDGET_MAX * 1000u)

static bool is_idempotent(enum http_method m)
{
    return m == HTTP_GET || m == HTTP_HEAD || m == HTTP_PUT || m == HTTP_DELETE ||
           m == HTTP_OPTIONS || m == HTTP_TRACE;
}

static bool is_request_idempotent(const struct exchange *e)
{
    return is_idempotent(e->client->http.request->head.method);
}

/* Tries without a policy: a request with sessions asks the endpoint of a connection that was idle
 * too long once more, before it goes elsewhere. */
static uint32_t own_tries_max(const struct exchange *e)
{
    return PROXY_TRIES_MAX + (e->persistence != NULL);
}

static uint32_t tries_max(const struct exchange *e)
{
    uint32_t by_rule = e->retry != NULL ? 1u + e->retry->attempts : 0;
    return max32(own_tries_max(e), by_rule);
}

/* Nothing that was used up is in the way. */
static bool can_go_again(const struct exchange *e)
{
    return e->tries < tries_max(e) && !e->has_body_moved && !e->has_response_head &&
           e->client->http.request != NULL;
}

bool retry_needs_head(const struct exchange *e)
{
    if (!can_go_again(e))
        return false;
    return e->retry != NULL || upstream_conn_may_refuse(e->backend) ||
           (upstream_conn_is_reused(e->backend) && is_request_idempotent(e));
}

static struct retry_budget *budget_of(const struct exchange *e)
{
    return &e->proxy->retry_budgets[e->target->group % PROXY_SHARES];
}

void retry_note_request(struct exchange *e)
{
    struct retry_budget *b = budget_of(e);
    b->milli = min32(b->milli + 1000 / PROXY_RETRY_ONE_IN, BUDGET_MILLI_MAX);
}

/* Takes one retry out of the group's budget. */
static bool take_from_budget(struct exchange *e)
{
    struct retry_budget *b = budget_of(e);
    uint64_t now_us = e->proxy->core->now_us;
    uint64_t earned =
        min64((now_us - b->since_us) * PROXY_RETRY_PER_SECOND / 1000, BUDGET_MILLI_MAX);
    b->since_us = now_us;
    b->milli = min32(b->milli + (uint32_t)earned, BUDGET_MILLI_MAX);
    if (b->milli < 1000) {
        stat_inc(e->proxy->core, STAT_proxy_retries_denied);
        return false;
    }
    b->milli -= 1000;
    return true;
}

/* May the rule's policy send it again, for a reason that it names? */
static bool may_by_rule(struct exchange *e)
{
    return e->retry != NULL && can_go_again(e) && take_from_budget(e);
}

static enum retry_when by_rule_if(struct exchange *e, bool is_reason)
{
    return is_reason && may_by_rule(e) ? RETRY_LATER : RETRY_NEVER;
}

enum retry_when retry_after_end(struct exchange *e, enum http_client_end end, bool was_reused)
{
    bool is_unsent = end == HTTP_CLIENT_END_OPEN_FAILED || end == HTTP_CLIENT_END_IDLE_CLOSED ||
                     end == HTTP_CLIENT_END_IDLE_BYTES;
    bool is_silent = end == HTTP_CLIENT_END_NO_RESPONSE;
    bool is_cut = end == HTTP_CLIENT_END_CUT;
    if (!can_go_again(e))
        return RETRY_NEVER;
    bool is_stale = is_silent && was_reused && is_request_idempotent(e);
    if (e->tries < own_tries_max(e) && (is_unsent || is_stale))
        return RETRY_NOW;
    return by_rule_if(e, is_unsent || is_silent || (is_cut && is_request_idempotent(e)));
}

enum retry_when retry_after_status(struct exchange *e, uint16_t status)
{
    return by_rule_if(e, e->retry != NULL && image_retry_has(e->retry, status));
}

enum retry_when retry_after_timeout(struct exchange *e)
{
    return by_rule_if(e, can_go_again(e) && is_request_idempotent(e));
}

/* How long the next try waits: not less than the rule says, and longer each time. */
static uint64_t backoff_us(const struct exchange *e)
{
    uint64_t least_us = (uint64_t)e->retry->backoff_ms * 1000;
    uint64_t us = least_us << min32(e->tries - 1u, PROXY_BACKOFF_DOUBLINGS_MAX);
    return us + rng_below(&e->proxy->core->rng, (uint32_t)min64(us / 4 + 1, UINT32_MAX));
}

void exchange_retry(struct exchange *e, enum retry_when when)
{
    ASSERT(when != RETRY_NEVER && e->backend == NULL && e->tries > 0);
    stat_inc(e->proxy->core, STAT_proxy_retries);
    e->has_request_head = false;
    if (when == RETRY_NOW)
        exchange_try(e);
    else
        exchange_wait(e, e->proxy->core->now_us + backoff_us(e));
}
