/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent on a connection: a small answer at once, a large one or a feed piece by piece. */
#include "api/api_priv.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 6u

static void add_field(struct http_field *fields, uint32_t *n, const char *name, const char *value)
{
    ASSERT(*n < FIELDS_MAX);
    fields[(*n)++] = (struct http_field){slice_of_str(name), slice_of_str(value)};
}

static const char *allowed_methods(const struct target *t)
{
    if (t->kind == TARGET_EXTRA)
        return t->extra->method;
    if (t->kind == TARGET_CHANGESET)
        return "POST";
    if (t->kind != TARGET_OBJECTS)
        return "GET";
    if (t->name[0] == '\0')
        return "GET, POST";
    return t->is_status ? "GET, PUT, PATCH" : "GET, PUT, PATCH, DELETE";
}

static uint32_t make_fields(const struct api_call *call, struct http_field fields[FIELDS_MAX])
{
    uint32_t n = 0;
    const char *type = call->content_type != NULL ? call->content_type : "application/json";
    add_field(fields, &n, "Content-Type", type);
    add_field(fields, &n, "Cache-Control", "no-cache, private");
    if (call->warning != NULL)
        add_field(fields, &n, "Warning", call->warning);
    if (call->code == 401)
        add_field(fields, &n, "WWW-Authenticate", "Bearer");
    if (call->code == 405)
        add_field(fields, &n, "Allow", allowed_methods(&call->target));
    if (call->code == 429 || call->code == 503)
        add_field(fields, &n, "Retry-After", "6");
    return n;
}

/* The text of the answer, malloc'ed, its end a newline. */
static char *answer_text(struct api_call *call)
{
    if (call->text != NULL) {
        char *text = call->text;
        call->text = NULL;
        return text;
    }
    char *text = json_dumps(call->answer, JSON_COMPACT);
    size_t len = text != NULL ? strlen(text) : 0;
    char *line = text != NULL ? realloc(text, len + 2) : NULL;
    if (line == NULL) {
        free(text);
        return NULL;
    }
    memcpy(line + len, "\n", 2);
    return line;
}

/* A refusal, or anything small; also right when the body is still on its way. */
static void send_small(struct api_conn *conn, const struct http_response *r, char *text)
{
    size_t len = strlen(text);
    if (len > HTTP_ANSWER_BYTES_MAX)
        len = HTTP_ANSWER_BYTES_MAX; /* a refusal's list of causes; the status says enough */
    conn_drop_body(conn);
    call_done(&conn->call);
    loop_timer_disarm(conn->api->loop, &conn->timer);
    http_server_answer(&conn->http, r, slice_of(text, len));
    free(text);
}

void conn_answer(struct api_conn *conn)
{
    struct api_call *call = &conn->call;
    struct http_field fields[FIELDS_MAX];
    struct http_response r = {
        .status = (uint16_t)call->code, .fields = fields, .n_fields = make_fields(call, fields)};
    char *text = call->feed == NULL ? answer_text(call) : NULL;
    if (call->feed == NULL && text == NULL) {
        stream_abort(conn->http.stream); /* no memory: its end is told by the loop */
        return;
    }
    if (text != NULL &&
        (strlen(text) <= HTTP_ANSWER_BYTES_MAX || !http_server_body_is_done(&conn->http))) {
        send_small(conn, &r, text);
        return;
    }
    conn_drop_body(conn);
    r.body = call->feed != NULL ? HTTP_BODY_CHUNKED : HTTP_BODY_LENGTH;
    r.length = text != NULL ? strlen(text) : 0;
    if (!http_server_send_head(&conn->http, &r)) {
        free(text);
        stream_abort(conn->http.stream);
        return;
    }
    if (text != NULL) {
        conn->out = text;
        conn->out_len = r.length;
        conn->out_at = 0;
    }
    conn_pump(conn);
}

/* Writes what there is. False: the client must take some first. */
static bool write_out(struct api_conn *conn)
{
    size_t left = conn->out_len - conn->out_at;
    if (left == 0)
        return true;
    size_t taken = http_server_write(&conn->http, slice_of(conn->out + conn->out_at, left));
    ASSERT(taken <= left);
    conn->out_at += taken;
    if (taken > 0 || !wheel_timer_is_armed(&conn->timer))
        conn_arm(conn, API_STALL_MS_MAX);
    return taken == left;
}

void conn_pump(struct api_conn *conn)
{
    struct feed *feed = conn->call.feed;
    for (;;) {
        if (!write_out(conn))
            return;
        loop_timer_disarm(conn->api->loop, &conn->timer);
        free(conn->out);
        conn->out = NULL;
        conn->out_len = conn->out_at = 0;
        if (feed == NULL)
            break;
        conn->out = feed_next(feed);
        if (conn->out == NULL && !feed->is_over && !feed->is_watch) {
            stream_abort(conn->http.stream); /* no memory for the rest of the list */
            return;
        }
        if (conn->out == NULL && !feed->is_over)
            return;
        if (conn->out == NULL)
            break;
        conn->out_len = strlen(conn->out);
    }
    call_done(&conn->call);
    http_server_finish(&conn->http);
}
