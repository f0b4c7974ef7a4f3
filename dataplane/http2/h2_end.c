/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a session, which takes nothing away that has come, or is on its way:
 *
 *  - A stream whose message came whole is still read to its end by its owner, though there is no
 *    connection any more; the session stays for so long.
 *  - A server that is done has sent its last answers, but they may not have come; and its client
 *    still sends what belongs to them (windows, its own goodbye). A reset in answer to that would
 *    overtake them. So it ends its direction, and waits for the client's end.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "http2/h2_priv.h"

/* Is all there, of what its owner has to read? */
static bool is_whole(const struct h2_stream *x)
{
    bool is_ended = x->session->is_server ? x->is_closed && x->end == STREAM_END_ORDERLY
                                          : x->is_end_received && !x->is_reset;
    return is_ended && !x->is_released && !x->is_new;
}

bool h2_session_is_whole(const struct h2_session *s)
{
    LIST_EACH (it, &s->streams) {
        const struct h2_stream *x = container_of(it, struct h2_stream, link);
        if (!x->is_released && !is_whole(x))
            return false;
    }
    return true;
}

static void end_stream(struct h2_session *s, struct h2_stream *x)
{
    bool is_told = x->is_released || x->is_new;
    if (x->is_new && x->head != NULL)
        h2_put_head(s->h2, &x->head);
    if (x->is_new)
        s->n_streams--;
    x->is_released |= x->is_new;
    x->is_new = false;
    x->is_closed = true;
    if (x->end == STREAM_END_OPEN)
        x->end = h2_stream_end_of(x, false, s->end);
    if (!is_told)
        x->stream.on_event(&x->stream, STREAM_CLOSED);
    else
        h2_stream_free(x);
}

/* Its streams hear that it is over, and let go; but for those that are whole, which hear so when
 * they have been read. */
static void end_streams(struct h2_session *s, bool is_at_once)
{
    LIST_EACH_SAFE (it, next, &s->streams) {
        struct h2_stream *x = container_of(it, struct h2_stream, link);
        if (is_at_once || !is_whole(x)) {
            end_stream(s, x);
            continue;
        }
        x->is_closed = true;
        x->end = STREAM_END_ORDERLY;
        s->is_close_owed = true;
    }
    ASSERT(!is_at_once || (list_is_empty(&s->streams) && s->n_streams == 0));
}

static void count_end(struct h2_session *s)
{
    static const enum stat_id counters[] = {
        [H2_WHY_DONE] = STAT_h2_session_end_done,
        [H2_WHY_LOST] = STAT_h2_session_end_lost,
        [H2_WHY_FAULT] = STAT_h2_session_end_fault,
        [H2_WHY_CALM] = STAT_h2_session_end_calm,
        [H2_WHY_MEMORY] = STAT_h2_session_end_memory,
        [H2_WHY_ABORTED] = STAT_h2_session_end_aborted,
    };
    ASSERT(s->why != H2_WHY_OPEN && (unsigned)s->why < array_len(counters));
    stat_inc(s->h2->core, counters[s->why]);
    s->h2->core->stats->counters[STAT_h2_sessions_now]--;
}

/* What the peer still hears. */
static void say_goodbye(struct h2_session *s)
{
    static const uint32_t errors[] = {
        [H2_WHY_DONE] = NGHTTP2_NO_ERROR,          [H2_WHY_FAULT] = NGHTTP2_PROTOCOL_ERROR,
        [H2_WHY_CALM] = NGHTTP2_ENHANCE_YOUR_CALM, [H2_WHY_MEMORY] = NGHTTP2_INTERNAL_ERROR,
        [H2_WHY_ABORTED] = NGHTTP2_NO_ERROR,
    };
    if (s->why == H2_WHY_LOST || !s->is_open)
        return;
    nghttp2_session_terminate_session(s->ng, errors[s->why]); /* nothing if that was said */
    h2_flush(s);
}

/* Nobody will read what still comes; but it must not turn our last words into a reset. */
static void let_lower_go(struct h2_session *s)
{
    struct stream *lower = s->lower;
    s->lower = NULL;
    s->is_lingering = false;
    wheel_disarm(&s->h2->core->wheel, &s->drain);
    if (s->why != H2_WHY_LOST)
        stream_consume(lower, stream_readable(lower));
    stream_release(lower);
}

void h2_session_reset_lower(struct h2_session *s)
{
    struct stream *lower = s->lower;
    s->lower = NULL;
    s->is_lingering = false;
    wheel_disarm(&s->h2->core->wheel, &s->drain);
    stream_abort(lower);
    stream_release(lower);
}

static void free_session(struct h2_session *s)
{
    h2_put_head(s->h2, &s->partial.buf);
    h2_give(s, s->spill);
    nghttp2_session_del(s->ng);
    if (s->block != NULL)
        pool_put(&s->h2->blocks, s->block);
    wheel_disarm(&s->h2->core->wheel, &s->kick);
    pool_put(&s->h2->sessions, s);
}

/* What is said to everybody, once. */
static void begin_end(struct h2_session *s, bool is_at_once)
{
    s->dispatching++;
    if (!s->is_ending) {
        s->is_ending = true;
        if (s->end == STREAM_END_OPEN)
            s->end = STREAM_END_RESET;
        say_goodbye(s);
    }
    end_streams(s, is_at_once);
    s->dispatching--;
}

void h2_session_finish(struct h2_session *s)
{
    begin_end(s, true);
    if (s->lower != NULL)
        let_lower_go(s);
    count_end(s);
    s->ops->on_end(s);
    free_session(s);
}

/* What still comes is thrown away, up to a limit: then the peer's window closes. */
void h2_session_skip_lower(struct h2_session *s)
{
    size_t n = min64(stream_readable(s->lower), H2_LINGER_BYTES_MAX - s->linger_bytes);
    stream_consume(s->lower, n);
    s->linger_bytes += (uint32_t)n;
}

static bool must_linger(const struct h2_session *s)
{
    return s->is_server && s->why == H2_WHY_DONE && stream_end(s->lower) == STREAM_END_OPEN &&
           !stream_is_eof(s->lower);
}

/* Our end of the connection comes behind our last words, which may wait for room. */
void h2_session_end_output(struct h2_session *s)
{
    h2_flush(s);
    if (s->spill == NULL)
        stream_shutdown(s->lower);
}

static void linger(struct h2_session *s)
{
    s->is_lingering = true;
    h2_session_end_output(s);
    h2_session_skip_lower(s);
    wheel_arm(&s->h2->core->wheel, &s->drain, s->h2->core->now_us + H2_LINGER_MS * 1000ull);
}

/* It is over if nothing keeps it. */
static void check_end(struct h2_session *s)
{
    if (list_is_empty(&s->streams) && !s->is_lingering)
        h2_session_finish(s);
    else if (s->is_close_owed || !list_is_empty(&s->ready))
        h2_session_schedule(s);
}

void h2_session_end(struct h2_session *s)
{
    if (!s->is_ending) {
        begin_end(s, false);
        if (s->lower != NULL && must_linger(s))
            linger(s);
        else if (s->lower != NULL)
            let_lower_go(s);
    }
    check_end(s);
}

void h2_session_end_lower(struct h2_session *s)
{
    let_lower_go(s);
    check_end(s);
}
