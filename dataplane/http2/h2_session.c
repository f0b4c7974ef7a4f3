/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a session. It is entered from the loop only: by an event of the lower stream, or by
 * the kick, which whatever has something to send or to tell outside of such an event arms. Each
 * entry reads, tells, writes, and then looks whether that was the end.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "http2/h2_priv.h"

void h2_session_schedule(struct h2_session *s)
{
    if (s->dispatching == 0 && !wheel_timer_is_armed(&s->kick))
        wheel_arm(&s->h2->core->wheel, &s->kick, 0);
}

void h2_session_doom(struct h2_session *s, enum h2_why why)
{
    if (s->why != H2_WHY_OPEN)
        return;
    s->why = why;
    h2_session_schedule(s);
}

/* One stream hears what happened; it may be gone afterwards. */
static void tell(struct h2_session *s, struct h2_stream *x)
{
    unsigned events = x->events;
    x->events = 0;
    if (!x->is_new) {
        x->stream.on_event(&x->stream, events);
        return;
    }
    struct http_head_buf *head = x->head;
    x->head = NULL;
    x->is_new = false;
    s->ops->on_request(s, &x->stream, head, x->fault, x->is_head_end);
}

void h2_session_deliver(struct h2_session *s)
{
    struct list_node *node;
    while ((node = list_take_front(&s->ready)) != NULL)
        tell(s, container_of(node, struct h2_stream, ready));
}

/* Who wants room gets a turn; alone, as much as there is. */
static void give_turn(struct h2_session *s, struct h2_stream *x)
{
    list_remove(&x->wanting);
    if (list_is_linked(&x->ready))
        list_remove(&x->ready);
    size_t bytes = list_is_empty(&s->wanting) ? SIZE_MAX : H2_TURN_BYTES;
    s->turn = x;
    s->turn_bytes = bytes;
    x->events |= STREAM_WRITABLE;
    tell(s, x);
    if (s->turn != NULL && s->turn_bytes == bytes) { /* it is there still, and wrote nothing */
        x->idle_wake = s->wakes;
    } else if (s->turn != NULL && s->turn_bytes > 0 && list_is_linked(&x->wanting)) {
        list_remove(&x->wanting); /* the room ended before its turn did: it is still its turn */
        list_push_front(&s->wanting, &x->wanting);
    }
    s->turn = NULL;
}

/* There may be room: those that want some get it, in turns. */
static void wake(struct h2_session *s)
{
    struct h2_stream *x;
    if (!s->is_wake_due)
        return;
    s->is_wake_due = false;
    s->wakes++;
    while ((x = h2_priority_next(s)) != NULL)
        give_turn(s, x);
}

/* Streams that both sides have ended, and that were read to the end, hear so. */
static void tell_closed(struct h2_session *s)
{
    if (!s->is_close_owed)
        return;
    s->is_close_owed = false;
    LIST_EACH (it, &s->streams) {
        struct h2_stream *x = container_of(it, struct h2_stream, link);
        bool is_over = x->is_closed && x->end == STREAM_END_ORDERLY;
        if (is_over && !x->is_released && h2_stream_readable(x) == 0)
            h2_stream_tell(x, STREAM_CLOSED);
    }
}

/* nghttp2 has no use for it any more: it gave up, or a side said goodbye and all is answered. */
static bool is_spent(const struct h2_session *s)
{
    return s->is_open && s->spill == NULL && !nghttp2_session_want_read(s->ng) &&
           !nghttp2_session_want_write(s->ng);
}

static void tell_phase(struct h2_session *s)
{
    enum h2_phase phase = s->partial.buf != NULL ? H2_HEAD : s->n_streams > 0 ? H2_BUSY : H2_IDLE;
    bool is_same = phase == s->phase && (phase != H2_HEAD || s->heads == s->heads_told);
    is_same &= !s->is_phase_due;
    s->is_phase_due = false;
    if (is_same)
        return;
    s->phase = phase;
    s->heads_told = s->heads;
    if (phase == H2_IDLE && s->is_open)
        stream_rest(s->lower);
    s->ops->on_phase(s, phase); /* the session may be gone afterwards */
}

/* The end of each entry. */
static void leave(struct h2_session *s)
{
    do {
        wake(s);
        tell_closed(s);
        h2_session_deliver(s);
        h2_flush(s);
    } while (s->why == H2_WHY_OPEN && (s->is_wake_due || !list_is_empty(&s->ready)) &&
             s->spill == NULL);
    if (s->why == H2_WHY_OPEN && is_spent(s))
        s->why = s->is_draining || s->is_goodbye || s->is_left ? H2_WHY_DONE : H2_WHY_FAULT;
    s->dispatching--;
    if (s->why == H2_WHY_OPEN)
        tell_phase(s);
    else
        h2_session_end(s);
}

static void on_kick(struct wheel_timer *timer, uint64_t now_us)
{
    struct h2_session *s = container_of(timer, struct h2_session, kick);
    ASSERT(s->dispatching == 0);
    s->dispatching++;
    if (s->is_open && s->why == H2_WHY_OPEN)
        h2_feed(s); /* bytes that were there before us */
    leave(s);
}

void h2_session_run(struct h2_session *s)
{
    if (s->dispatching == 0)
        h2_flush(s);
    h2_session_schedule(s);
}

/* The peer's requests that were under way when it heard of it are those that are served still. */
void h2_session_say_last(struct h2_session *s)
{
    if (!s->is_draining || s->is_goodbye)
        return;
    s->is_goodbye = true;
    wheel_disarm(&s->h2->core->wheel, &s->drain);
    int32_t last = nghttp2_session_get_last_proc_stream_id(s->ng);
    nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0);
}

static void on_drain(struct wheel_timer *timer, uint64_t now_us)
{
    struct h2_session *s = container_of(timer, struct h2_session, drain);
    if (s->is_lingering) {
        h2_session_end_lower(s);
        return;
    }
    s->dispatching++;
    h2_session_say_last(s);
    leave(s);
}

static void on_lower_end(struct h2_session *s)
{
    s->end = stream_end(s->lower);
    if (s->end == STREAM_END_ORDERLY)
        s->end = STREAM_END_RESET; /* of streams that were not ended */
    if (s->why == H2_WHY_OPEN)
        s->why = H2_WHY_LOST;
}

static void on_open(struct h2_session *s)
{
    s->is_open = true;
    LIST_EACH (it, &s->streams) {
        struct h2_stream *x = container_of(it, struct h2_stream, link);
        if (!x->is_connect) /* those wait for the peer's settings */
            h2_stream_tell(x, STREAM_WRITABLE);
    }
}

static void on_lower(struct stream *lower, unsigned events)
{
    struct h2_session *s = lower->owner;
    ASSERT(s->lower == lower && s->dispatching == 0);
    if (s->is_lingering) {
        h2_session_skip_lower(s);
        if ((events & STREAM_WRITABLE) != 0 && s->spill != NULL)
            h2_session_end_output(s);
        if ((events & STREAM_CLOSED) != 0 || stream_is_eof(lower))
            h2_session_end_lower(s);
        return;
    }
    s->dispatching++;
    if ((events & STREAM_CLOSED) != 0)
        on_lower_end(s);
    if ((events & STREAM_WRITABLE) != 0) {
        if (!s->is_open)
            on_open(s);
        h2_flush(s);
        s->is_wake_due = true;
    }
    bool is_going = s->why == H2_WHY_OPEN && s->is_open;
    if (is_going && (events & STREAM_READABLE) != 0 && h2_feed(s) && stream_is_eof(lower)) {
        s->end = STREAM_END_RESET;
        h2_session_doom(s, h2_session_is_whole(s) ? H2_WHY_DONE : H2_WHY_LOST);
    }
    leave(s);
}

static bool submit_settings(struct h2_session *s)
{
    static const nghttp2_settings_entry server[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, H2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_BYTES_MAX},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
    static const nghttp2_settings_entry client[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW_BYTES},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_HEAD_BYTES_MAX}};
    int failed = nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, s->is_server ? server : client,
                                         s->is_server ? array_len(server) : array_len(client));
    failed |=
        nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0, H2_SESSION_WINDOW_BYTES);
    return failed == 0;
}

/* A block for its memory, if that is how it is to be. False: there is none. */
static bool take_block(struct h2_session *s)
{
    struct h2 *h = s->h2;
    if (h->config.session_bytes == 0)
        return true;
    s->block = pool_get(&h->blocks);
    if (s->block != NULL)
        h2_block_init(s->block, h->config.session_bytes);
    return s->block != NULL;
}

static bool make_session(struct h2_session *s)
{
    nghttp2_mem mem = h2_memory(s);
    const nghttp2_session_callbacks *callbacks = s->h2->callbacks;
    int failed = s->is_server
                     ? nghttp2_session_server_new3(&s->ng, callbacks, s, s->h2->option, &mem)
                     : nghttp2_session_client_new3(&s->ng, callbacks, s, s->h2->option, &mem);
    if (failed != 0)
        return false;
    if (submit_settings(s))
        return true;
    nghttp2_session_del(s->ng);
    return false;
}

static struct h2_session *session_new(struct h2 *h, struct stream *lower, bool is_server,
                                      const struct h2_session_ops *ops, void *owner)
{
    struct h2_session *s = pool_get(&h->sessions);
    if (s == NULL)
        return NULL;
    *s = (struct h2_session){.h2 = h,
                             .lower = lower,
                             .ops = ops,
                             .owner = owner,
                             .kick = {.on_expire = on_kick},
                             .drain = {.on_expire = on_drain},
                             .credit = H2_CREDIT_MAX,
                             .credit_tick = h->core->wheel.now_tick,
                             .preface_left = is_server ? sizeof(HTTP_H2_PREFACE) - 1 : 0,
                             .wakes = 1,
                             .is_server = is_server};
    list_init(&s->streams);
    list_init(&s->ready);
    list_init(&s->wanting);
    if (!take_block(s) || !make_session(s)) {
        if (s->block != NULL)
            pool_put(&h->blocks, s->block);
        pool_put(&h->sessions, s);
        return NULL;
    }
    stream_addrs(lower, &s->addrs);
    lower->on_event = on_lower;
    lower->owner = s;
    h->core->stats->counters[STAT_h2_sessions_now]++;
    return s;
}

struct h2_session *h2_accept(struct h2 *h, struct stream *lower, const struct h2_session_ops *ops,
                             void *owner)
{
    struct h2_session *s = session_new(h, lower, true, ops, owner);
    if (s == NULL)
        return NULL;
    s->is_open = true;
    stat_inc(h->core, STAT_h2_sessions_accepted);
    h2_session_schedule(s);
    return s;
}

struct h2_session *h2_connect(struct h2 *h, struct stream *lower, bool is_tls,
                              const struct h2_session_ops *ops, void *owner)
{
    struct h2_session *s = session_new(h, lower, false, ops, owner);
    if (s == NULL)
        return NULL;
    s->is_tls = is_tls;
    stat_inc(h->core, STAT_h2_sessions_opened);
    return s;
}

struct stream *h2_open(struct h2_session *s, bool is_connect)
{
    struct h2_stream *x = h2_stream_new(s);
    s->is_phase_due |= x != NULL;
    if (x == NULL)
        return NULL;
    x->is_connect = is_connect;
    return &x->stream;
}

bool h2_session_is_open(const struct h2_session *s)
{
    return s->is_open;
}

bool h2_session_has_settings(const struct h2_session *s)
{
    return s->is_open && s->has_settings;
}

bool h2_session_takes_connect(const struct h2_session *s)
{
    return s->has_settings && nghttp2_session_get_remote_settings(
                                  s->ng, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

bool h2_session_has_room(const struct h2_session *s)
{
    uint32_t peers =
        nghttp2_session_get_remote_settings(s->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return s->why == H2_WHY_OPEN && !s->is_goodbye && !s->is_draining &&
           nghttp2_session_check_request_allowed(s->ng) != 0 &&
           s->n_streams < min32(peers, H2_STREAMS_MAX);
}

uint32_t h2_session_streams(const struct h2_session *s)
{
    return s->n_streams;
}

bool h2_session_has_answered(const struct h2_session *s)
{
    return s->has_answered;
}

bool h2_session_is_faulty(const struct h2_session *s)
{
    return s->why == H2_WHY_FAULT || s->why == H2_WHY_CALM || s->why == H2_WHY_MEMORY;
}

bool h2_session_is_done(const struct h2_session *s)
{
    return s->why == H2_WHY_DONE;
}

bool h2_session_put_preface(struct h2_session *s, struct slice bytes)
{
    return s->is_open && stream_write(s->lower, &bytes, 1) == bytes.len;
}

void *h2_session_owner(const struct h2_session *s)
{
    return s->owner;
}

bool h2_session_is_draining(const struct h2_session *s)
{
    return s->is_draining;
}

void h2_session_shutdown(struct h2_session *s)
{
    if (s->is_draining || s->why != H2_WHY_OPEN)
        return;
    s->is_draining = true;
    nghttp2_submit_shutdown_notice(s->ng);
    nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL);
    wheel_arm(&s->h2->core->wheel, &s->drain, s->h2->core->now_us + H2_DRAIN_MS * 1000ull);
    h2_session_run(s);
}

static void close_for(struct h2_session *s, enum h2_why why)
{
    if (s->why == H2_WHY_OPEN)
        s->why = why;
    h2_put_head(s->h2, &s->partial.buf);
    if (s->dispatching == 0)
        h2_session_finish(s);
}

void h2_session_close(struct h2_session *s)
{
    close_for(s, s->n_streams == 0 ? H2_WHY_DONE : H2_WHY_ABORTED);
}

void h2_session_calm(struct h2_session *s)
{
    close_for(s, H2_WHY_CALM);
}

void h2_session_abort(struct h2_session *s)
{
    if (s->lower != NULL)
        h2_session_reset_lower(s);
    close_for(s, H2_WHY_ABORTED);
}
