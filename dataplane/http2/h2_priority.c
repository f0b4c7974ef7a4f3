/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose data goes first (RFC 9218). Streams that want to write and got less than they wanted wait
 * in session->wanting, the longest waiting first. When there is room they get turns: the most
 * urgent first; of equal urgency those that are of use only whole, one after the other by their
 * numbers, and then those that are of use bit by bit, which share. A turn is so many bytes: whoever
 * becomes urgent meanwhile waits for no more than that and for what lies below.
 *
 * Every so many turns one goes to who waits longest: a client that asks for something urgent
 * without end gets the rest, too, only more slowly.
 *
 * A client that says nothing of a request shares: RFC 9218 would have it served whole, in its turn,
 * but calls of gRPC and WebSockets that say nothing of urgency never end.
 */
#include "base/assert.h"
#include "base/minmax.h"
#include "http/http_chars.h"
#include "http2/h2_priv.h"

/* One member of the dictionary: a key, and maybe "=" and a value; parameters are nobody's. */
static void take_member(struct slice v, struct h2_priority *ret)
{
    size_t n = 0;
    while (n < v.len && v.ptr[n] != ';')
        n++;
    v.len = n;
    while (v.len > 0 && http_char_is(v.ptr[v.len - 1], HTTP_CHAR_SPACE))
        v.len--;
    bool is_digit = v.len == 3 && v.ptr[2] >= '0' && v.ptr[2] < '0' + H2_URGENCIES;
    if (is_digit && v.ptr[0] == 'u' && v.ptr[1] == '=')
        ret->urgency = (uint8_t)(v.ptr[2] - '0');
    else if (slice_eq(v, SLICE_LIT("i")) || slice_eq(v, SLICE_LIT("i=?1")))
        ret->is_incremental = true;
    else if (slice_eq(v, SLICE_LIT("i=?0")))
        ret->is_incremental = false;
}

void h2_priority_parse(struct slice text, struct h2_priority *ret)
{
    while (text.len > 0) {
        bool is_quoted = false;
        size_t n = 0;
        while (http_char_is(text.ptr[0], HTTP_CHAR_SPACE) && text.len > 1)
            text = slice_skip(text, 1);
        for (; n < text.len && (is_quoted || text.ptr[n] != ','); n++) {
            if (text.ptr[n] == '"')
                is_quoted = !is_quoted;
            else if (is_quoted && text.ptr[n] == '\\' && n + 1 < text.len)
                n++;
        }
        take_member(slice_of(text.ptr, n), ret);
        text = slice_skip(text, min64(n + 1, text.len));
    }
}

void h2_priority_take(struct h2_stream *x, struct slice text)
{
    if (x->is_priority_updated)
        return; /* that is newer, though it came before (section 7) */
    if (!x->has_priority)
        x->priority = H2_PRIORITY_SAID;
    x->has_priority = true;
    h2_priority_parse(text, &x->priority);
}

/* Of a stream that has not come yet, if it said something of it before. */
void h2_priority_recall(struct h2_stream *x)
{
    struct h2_session *s = x->session;
    x->priority = H2_PRIORITY_UNSAID;
    for (unsigned i = 0; i < H2_EARLY_MAX; i++) {
        if (s->early[i].id != x->id)
            continue;
        x->priority = s->early[i].priority;
        x->is_priority_updated = true;
        s->early[i].id = 0;
    }
}

void h2_priority_update(struct h2_session *s, int32_t id, struct slice text)
{
    struct h2_stream *x = nghttp2_session_get_stream_user_data(s->ng, id);
    struct h2_priority said = H2_PRIORITY_SAID;
    h2_priority_parse(text, &said);
    stat_inc(s->h2->core, STAT_h2_priority_updates);
    if (x != NULL) {
        x->priority = said;
        x->is_priority_updated = true;
        s->is_wake_due = true;
    } else if ((uint32_t)id / 2 > s->last_opened || s->last_opened == 0) {
        s->early[s->n_early++ % H2_EARLY_MAX] = (struct h2_early){id, said};
    }
}

/* Is it of use only whole? */
static bool is_serial(const struct h2_stream *x)
{
    return !x->priority.is_incremental && !x->is_connect;
}

static bool goes_before(const struct h2_stream *a, const struct h2_stream *b)
{
    if (a->priority.urgency != b->priority.urgency)
        return a->priority.urgency < b->priority.urgency;
    if (is_serial(a) != is_serial(b))
        return is_serial(a);
    return is_serial(a) && a->id < b->id;
}

/* Would it write if it had a turn? Not with a window of its own that is shut, or if it did not when
 * it had one just now. */
static bool can_take(const struct h2_stream *x)
{
    const struct h2_session *s = x->session;
    return x->idle_wake != s->wakes &&
           nghttp2_session_get_stream_remote_window_size(s->ng, x->id) > 0;
}

struct h2_stream *h2_priority_next(struct h2_session *s)
{
    struct h2_stream *best = NULL;
    if (s->spill != NULL || nghttp2_session_get_remote_window_size(s->ng) <= 0)
        return NULL;
    bool is_oldests = ++s->turns % H2_TURNS_OF_OTHERS == 0;
    LIST_EACH (it, &s->wanting) {
        struct h2_stream *x = container_of(it, struct h2_stream, wanting);
        if (can_take(x) && (best == NULL || goes_before(x, best)))
            best = x;
        if (best != NULL && is_oldests)
            break;
    }
    return best;
}

size_t h2_priority_share(const struct h2_stream *x)
{
    const struct h2_session *s = x->session;
    if (s->turn == x)
        return s->turn_bytes;
    LIST_EACH (it, &s->wanting) {
        const struct h2_stream *y = container_of(it, struct h2_stream, wanting);
        if (y != x && can_take(y) && !goes_before(x, y))
            return 0;
    }
    return SIZE_MAX;
}
