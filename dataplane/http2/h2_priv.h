/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of http2 share. Nothing that nghttp2 calls us for calls an owner: what happened is
 * noted, and told when nghttp2 has returned. nghttp2 is fed frame by frame, so that what a frame
 * brings can be taken while its bytes are still where they came in.
 *
 * Thread: the worker.
 */
#pragma once

#include "base/list.h"
#include "base/pool.h"
#include "base/wheel.h"
#include "core/core.h"
#include "http/http_client.h"
#include "http/http_server.h"
#include "http/http_trailers.h"
#include "http2/h2.h"

#include <nghttp2/nghttp2.h>

#define H2_CHUNKS_MAX 8u
/* So many of a client's last streams are told apart from those that it skipped. A power of two. */
#define H2_OPENED_MAX 256u
#define H2_FRAME_HEADER_BYTES 9u
#define H2_GATHER_BYTES 4096u
/* Less than this is not worth a frame when more is to be sent. */
#define H2_DATA_BYTES_MIN 1024u

/* Unread bytes that nobody took at once. */
struct h2_piece {
    struct h2_piece *next;
    uint32_t at;
    uint32_t end;
    uint8_t bytes[H2_PIECE_BYTES - 16];
};

struct h2 {
    struct core *core;
    const struct http_env *http;
    struct h2_config config;
    struct pool sessions;
    struct pool streams;
    struct pool pieces;
    struct pool blocks; /* of nghttp2's memory, if sessions have one each */
    size_t heap_bytes;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
};

#define H2_URGENCIES 8

/* RFC 9218, section 4. */
struct h2_priority {
    uint8_t urgency; /* 0: the most */
    bool is_incremental;
};

/* Of a request of which nothing is said (see h2_priority.c), and of one of which something is, but
 * for that. */
#define H2_PRIORITY_UNSAID ((struct h2_priority){3, true})
#define H2_PRIORITY_SAID ((struct h2_priority){3, false})

/* What was said of a stream before it came. */
struct h2_early {
    int32_t id; /* 0: nothing */
    struct h2_priority priority;
};

/*
 * Reached from its session's lists and by nghttp2's user data; lives until both its owner has
 * released it and nghttp2 has closed it.
 */
struct h2_stream {
    struct stream stream; /* first: a stream is its h2_stream */
    struct h2_session *session;
    struct list_node link;    /* of session->streams */
    struct list_node ready;   /* of session->ready: `events` are to be told */
    struct list_node wanting; /* of session->wanting: a write took less than it was given */
    struct h2_priority priority;
    uint32_t idle_wake; /* in this one of session->wakes it had a turn, and wrote nothing */
    int32_t id;         /* 0: no head was sent */
    unsigned events;
    enum stream_end end;
    struct http_head_buf *head;     /* came, and was not taken */
    struct http_head_buf *trailers; /* came, or are to go, behind the body */
    struct h2_piece *first;         /* unread, before what session->chunks has of it */
    struct h2_piece *last;
    size_t piece_bytes;
    size_t owed; /* of the session's window, for what is unread */
    const struct slice *pending;
    unsigned n_pending;
    size_t pending_at; /* of the first */
    size_t pending_bytes;
    uint64_t left;         /* has_length: of the body, to be sent */
    enum http_fault fault; /* of a new request */
    bool is_new;           /* a request that its owner has not heard of */
    bool is_connect;       /* for WebSocket (RFC 8441) */
    bool has_priority;     /* its head said something of that */
    bool is_priority_updated;
    bool has_length;
    bool is_final_head; /* came: what comes next are trailers */
    bool is_head_end;   /* no body follows `head` */
    bool is_head_sent;  /* the final one, to nghttp2 */
    bool has_gone;      /* a head of it is with the lower stream */
    bool is_end_received;
    bool is_end_wanted; /* by the owner, after what is written */
    bool is_end_sent;
    bool is_closed; /* nghttp2 knows it no more */
    bool is_reset;  /* by us */
    bool is_released;
};

/* A head on its way in: name, value, name, value, with lengths before. */
struct h2_partial {
    struct http_head_buf *buf; /* NULL: none */
    struct h2_stream *stream;
    uint32_t n_fields; /* of them, with those that were thrown away */
    size_t seen_bytes; /* with what was thrown away */
    enum http_fault fault;
};

enum h2_why {
    H2_WHY_OPEN,
    H2_WHY_DONE,
    H2_WHY_LOST,
    H2_WHY_FAULT,
    H2_WHY_CALM,
    H2_WHY_MEMORY,
    H2_WHY_ABORTED,
};

struct h2_session {
    struct h2 *h2;
    struct stream *lower;
    nghttp2_session *ng;
    uint8_t *block; /* of its memory; NULL: that is the heap's */
    const struct h2_session_ops *ops;
    void *owner;
    struct list_node streams;
    struct list_node ready;
    struct list_node wanting; /* the longest waiting first */
    struct h2_stream *turn;   /* whose it is to write; NULL: nobody's */
    size_t turn_bytes;        /* how much */
    uint32_t turns;           /* so far */
    uint32_t wakes;           /* rounds of them */
    struct h2_early early[H2_EARLY_MAX];
    unsigned n_early;
    struct wheel_timer kick;
    struct wheel_timer drain; /* of a goodbye that the peer does not confirm, or of lingering */
    struct stream_addrs addrs;
    uint32_t n_streams; /* not released */
    unsigned dispatching;
    enum h2_phase phase; /* as told */
    enum h2_why why;     /* it is to end, or has */
    enum stream_end end; /* of its streams, then */
    /* what comes */
    uint32_t preface_left;
    uint32_t frame_left; /* of a frame, behind its header */
    uint8_t header_len;  /* of the header of the next one */
    uint8_t header[H2_FRAME_HEADER_BYTES];
    struct slice chunks[H2_CHUNKS_MAX]; /* where they came in, unread, of `fresh` */
    unsigned n_chunks;
    unsigned chunk; /* the first that is unread */
    size_t chunk_bytes;
    struct h2_stream *fresh;
    struct h2_partial partial;
    uint64_t opened[H2_OPENED_MAX / 64]; /* of the peer's last streams, one bit each */
    uint64_t ended[H2_OPENED_MAX / 64];  /* likewise, those that it has ended or reset */
    uint32_t last_opened;
    uint32_t heads; /* begun */
    uint32_t heads_told;
    uint32_t credit;
    uint64_t credit_tick;
    /* what goes */
    uint8_t *gather; /* of h2_flush(), which is under way; NULL: it is not */
    size_t gather_len;
    uint8_t *spill; /* what the lower stream did not take; NULL: nothing */
    size_t spill_at;
    size_t spill_len;
    bool is_server;
    bool is_tls;
    bool is_open;
    bool is_early;   /* before it is open, somebody has written */
    bool is_goodbye; /* no more requests by it */
    bool is_left;    /* the peer has said goodbye */
    bool is_draining;
    bool is_ending;    /* all is said; see h2_end.c */
    bool is_lingering; /* ... and the client's end awaited */
    bool has_answered;
    bool has_settings; /* of a client: the peer's came */
    bool is_phase_due; /* there was a stream, which may have gone before the phase was told */
    bool is_wake_due;  /* there may be room for those that want some */
    bool is_close_owed;
    uint32_t linger_bytes; /* thrown away */
};

static inline struct h2_stream *h2_stream_of(const struct stream *s)
{
    return (struct h2_stream *)(uintptr_t)s;
}

/* ---- h2_memory.c ---- */
/* What nghttp2 takes its memory by. */
nghttp2_mem h2_memory(struct h2_session *s);
/* Of the same; NULL: it is used up. */
void *h2_take(struct h2_session *s, size_t bytes);
/* Gives that back. NULL: nothing. */
void h2_give(struct h2_session *s, void *memory);

/* ---- h2_block.c: memory within a block of a session's own, aligned to 16 ---- */
/* All of it is free. */
void h2_block_init(uint8_t *block, uint32_t block_bytes);
/* NULL: no piece of it is long enough. Cost: linear in the pieces, some thirty. */
void *h2_block_take(uint8_t *block, uint32_t block_bytes, size_t bytes);
/* How long it is, at least as long as was asked for. */
size_t h2_block_length(const void *memory);
/* Gives it back. */
void h2_block_give(void *memory);

/* ---- h2_input.c ---- */
/* What nghttp2 calls. */
void h2_set_callbacks(nghttp2_session_callbacks *callbacks);
/* Reads what there is. False: the session has to end, `why` is set. */
bool h2_feed(struct h2_session *s);

/* ---- h2_output.c ---- */
/* How much of a body goes into the next frame. */
ssize_t h2_read_body(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t length, uint32_t *flags,
                     nghttp2_data_source *source, void *user);
/* Writes that frame. */
int h2_send_body(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *header, size_t length,
                 nghttp2_data_source *source, void *user);
/* Writes what nghttp2 wants to send, as far as there is room below. */
void h2_flush(struct h2_session *s);
/* How many bytes of a body there is room for below. */
size_t h2_room(const struct h2_session *s);

/* ---- h2_head.c ---- */
/* One field of a head on its way in. False: it is so long that the session has to end. */
bool h2_partial_add(struct h2_partial *p, struct slice name, struct slice value);
/* Turns a request's fields into text for http_parse_request(). `key`: 16 random bytes. */
enum http_fault h2_compose_request(struct http_head_buf *buf, const uint8_t key[16]);
/* The same for http_parse_response(). `is_connect`: it answers a request for WebSocket. */
enum http_fault h2_compose_response(struct http_head_buf *buf, bool is_connect);

/* ---- h2_priority.c ---- */
/* What a Priority field says (RFC 9218, section 5); what it does not say, or not as it should,
 * stays. */
void h2_priority_parse(struct slice text, struct h2_priority *ret);
/* A Priority field of a request's head. */
void h2_priority_take(struct h2_stream *x, struct slice text);
/* A request begins: has its priority, if it was said before. */
void h2_priority_recall(struct h2_stream *x);
/* PRIORITY_UPDATE of a client. */
void h2_priority_update(struct h2_session *s, int32_t id, struct slice text);
/* Whose turn it is, of those that want to write; NULL: nobody's, or there is no room. */
struct h2_stream *h2_priority_next(struct h2_session *s);
/* How much it may write now. 0: others go before. */
size_t h2_priority_share(const struct h2_stream *x);

/* ---- h2_stream.c ---- */
extern const struct stream_ops h2_stream_ops;
/* A new one, owned by nobody. NULL: the pool is empty. */
struct h2_stream *h2_stream_new(struct h2_session *s);
/* Tells its owner, in the loop's next step at the latest. */
void h2_stream_tell(struct h2_stream *x, unsigned events);
/* nghttp2 has closed it, for this error. */
void h2_stream_on_close(struct h2_stream *x, uint32_t error);
/* How it has ended, for an owner who did not end it: nghttp2 gave this error, or the session ends
 * so. A request that nobody can have looked at is refused (section 8.7): it may be sent again. */
enum stream_end h2_stream_end_of(const struct h2_stream *x, bool is_refused, enum stream_end end);
/* Its END_STREAM went out. */
void h2_stream_on_end_sent(struct h2_stream *x);
/* What of the chunks nobody took is copied. */
void h2_stream_keep(struct h2_session *s);
/* Resets it. */
void h2_stream_reset(struct h2_stream *x, uint32_t error);
/* How many bytes are unread. */
size_t h2_stream_readable(const struct h2_stream *x);
/* Gives it back. */
void h2_stream_free(struct h2_stream *x);
/* Gives a head's buffer back. */
void h2_put_head(struct h2 *h, struct http_head_buf **head);

/* ---- h2_end.c ---- */
/* Is nothing under way, but what came whole and is not read yet? */
bool h2_session_is_whole(const struct h2_session *s);
/* It has to end as `why` says, when nothing keeps it any more: the end of each entry then. */
void h2_session_end(struct h2_session *s);
/* It ends now, whatever there is. */
void h2_session_finish(struct h2_session *s);
/* The client whose end was awaited has ended, or takes too long. */
void h2_session_end_lower(struct h2_session *s);
/* Throws away what he sends until then. */
void h2_session_skip_lower(struct h2_session *s);
/* Ends our side of the connection, if our last words have found room. */
void h2_session_end_output(struct h2_session *s);
/* Its lower stream is reset, and gone. */
void h2_session_reset_lower(struct h2_session *s);

/* ---- h2_session.c ---- */
/* Sends, in this step of the loop or in the next one, and tells who has to be told. */
void h2_session_schedule(struct h2_session *s);
/* The same at once, unless its event is under way. */
void h2_session_run(struct h2_session *s);
/* It is draining, and its peer knows so: from now on requests are refused. */
void h2_session_say_last(struct h2_session *s);
/* It has to end so. */
void h2_session_doom(struct h2_session *s, enum h2_why why);
/* Tells all that is to be told. */
void h2_session_deliver(struct h2_session *s);
