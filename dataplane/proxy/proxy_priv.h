/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of proxy share. Thread: the worker. */
#pragma once

#include "abi/access.h"
#include "abi/image.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/wheel.h"
#include "core/census.h"
#include "core/core.h"
#include "http/http_move.h"
#include "http2/h2.h"
#include "proxy/limit_table.h"
#include "proxy/proxy.h"
#include "proxy/verdict_table.h"
#include "proxy_protocol/proxy_protocol.h"
#include "route/route.h"
#include "route/session.h"
#include "tls/client_hello.h"
#include "tls/tls.h"

/* Tries of one request without a retry policy: the first, and one more where that does no harm. */
#define PROXY_TRIES_MAX 2u
/* Retries by policy: of each group, one for so many requests, and so many a second besides; what is
 * not used is kept up to so many. */
#define PROXY_RETRY_ONE_IN 5u
#define PROXY_RETRY_PER_SECOND 10u
#define PROXY_RETRY_BUDGET_MAX 100u
#define PROXY_BACKOFF_DOUBLINGS_MAX 4u /* so the longest wait is 16 times the rule's */
/* A request's body that is kept for another try: what fits into any client's receive window and
 * into some packets, so that keeping it holds nobody up; forms and calls of APIs are shorter. */
#define RETRY_BODY_BYTES_MAX 8192u
/* Packets that it may lie in: of the smallest usual size 8192 bytes are this many. */
#define RETRY_BODY_PIECES_MAX 16u
/* When no more of it came for so long, it is kept no longer: maybe the client's window is shut. */
#define RETRY_BODY_WAIT_MS 1000u
/* A client that waits for 100 gets it from us when its backend says nothing for so long: curl waits
 * one second before it sends anyway. */
#define PROXY_CONTINUE_MS 800u
/* A tunnel in which nothing moves, unless --tunnel-idle says otherwise: applications that want to
 * know of each other ask every minute or so, others may rest for long; peers that are gone are
 * found by TCP's keepalive in minutes. */
#define PROXY_TUNNEL_IDLE_MS_MAX (3600u * 1000u)
/* Of rate limits: 16 MiB a worker; beyond, the bucket goes that is full soonest. */
#define PROXY_LIMIT_BUCKETS_MAX (1u << 20)
/* Verdicts on passwords and tokens: 128 KiB a worker; beyond, the oldest of a set goes and is found
 * again. */
#define PROXY_VERDICTS_MAX 4096u
/* How long one is believed, but a token never beyond its own times: a hash costs the work of a
 * thousand requests, and a password that was good a moment ago is no danger. A change of the policy
 * ends it at once. */
#define PROXY_VERDICT_MS 300000u
/* How far the clocks of who signs tokens and ours may differ. */
#define PROXY_TOKEN_LEEWAY_S 60u
/* A client that waits for its password or token to be looked at is answered 503 then. */
#define PROXY_VERIFY_MS 10000u
/* Values of its session that are looked at in one request: a client that has cookies for several
 * paths sends them all. */
#define PROXY_SESSION_VALUES_MAX 4u
/* What 503 tells clients to wait. */
#define PROXY_RETRY_AFTER_S "1"

struct access_note;
struct exchange;
struct field_list;
struct l4;

/*
 * A client connection. Reached from the stream (through http, or by itself before http has it) and
 * by the pool's index; lives from accept to http's on_end, to the end of `unheaded`, or of
 * `l4`.
 *
 * One that speaks HTTP/2 is its session's (h2); each of that session's streams is a proxy_conn too,
 * of `streams`, whose `parent` it is, and which carries one exchange.
 *
 * Invariant: of `unheaded`, http.stream, `l4` and `h2` one is set while it is open, and never two.
 */
struct proxy_conn {
    struct http_server http;
    struct proxy *proxy;
    struct h2_session *h2;      /* it speaks HTTP/2 */
    struct proxy_conn *parent;  /* a stream of that; NULL: a connection */
    struct stream *tls;         /* that it speaks; NULL: it does not */
    uint64_t h2_requests;       /* of its session */
    struct exchange *exchange;  /* NULL: none is under way */
    struct l4 *l4;              /* it is passed on; NULL: it is not */
    struct wheel_timer timer;   /* whenever there is no exchange, and it is not passed on */
    struct list_node head;      /* on proxy.heads while a part of a head is there */
    struct stream *unheaded;    /* its PROXY header is still to come, or (is_hello) its TLS hello;
                                   NULL: http or `l4` has it */
    struct http_head_buf *part; /* what came of that header; NULL: nothing */
    struct stream_addrs addrs;  /* our end, and the client: the peer, or whom its header tells */
    struct ip_addr asked;       /* where the client went: our end, or where its header tells */
    uint16_t asked_port;
    struct census_hold census; /* what it counts for */
    struct upstream_keep keep; /* its connection to a backend that wants to be told that */
    bool is_open;              /* out of the pool */
    bool is_verified;          /* and nobody came in by it without a certificate */
    bool is_told;              /* the client is whom its PROXY header tells */
    bool is_dns;               /* the name in its first query tells where it is passed on to */
    bool is_hello;             /* whether it is passed on depends on the name in that */
    struct client_hello_progress hello;
};

/*
 * A request and its response. Reached from its client connection, and (as owner) from its backend
 * connection; lives from on_request to one of exchange_end()'s callers.
 *
 * Invariants: has_response_head implies has_request_head, and that implies backend != NULL; backend
 * == NULL only within a callback, or while it waits for the end of this poll's events (is_asked),
 * for its next try or for the verifier (is_waiting, is_verifying; with the timer armed); while
 * there is an exchange its client's own timer is off.
 */
struct exchange {
    struct proxy *proxy;
    struct proxy_conn *client;
    struct upstream_conn *backend;
    struct proxy_image image; /* pinned */
    struct route_result route;
    uint32_t bind;                      /* that the request came to */
    const struct image_backend *target; /* NULL: not chosen yet */
    uint8_t tries;
    bool has_request_head;      /* the head went to the backend */
    bool has_body_moved;        /* some of the request's body did: it cannot be sent again */
    bool is_expecting_continue; /* the client said so */
    bool has_continue;          /* a 100 went to the client */
    bool has_response_head;     /* the final head went to the client */
    bool is_asked;              /* its match has begun: see exchanges_route() */
    bool is_waiting;            /* for its next try: it has no backend connection */
    bool is_verifying;          /* waits for the verifier: it has none, either */
    bool is_mirrored;           /* as far as the rule wants it */
    bool keeps_body;            /* it has a body that is still unread: see kept_body.c */
    bool is_kept_over;          /* no more of that will come */
    uint32_t kept_bytes;        /* how long it is */
    uint32_t kept_sent;         /* how much of it this try's backend has */
    uint32_t kept_most;         /* the most that any try's had, and so each mirror has */
    uint32_t kept_seen;         /* how much of it was there at the last event */
    bool is_grpc;               /* its client looks for a status of gRPC */
    bool is_upgrade;            /* it asks for WebSocket, and the backend is told */
    bool is_tunnel;             /* the backend agreed: see tunnel.c */
    bool needs_head;            /* the answer quotes the request's head: it stays until then */
    uint64_t progress_us;       /* when something moved last */
    uint64_t begin_us;          /* when the request's head was there */
    uint64_t asked_us;          /* when this try began */
    struct wheel_timer timer;
    struct list_node asked_node;     /* of the proxy's, while is_asked */
    struct list_node verify_node;    /* of its verification's waiters, while is_verifying */
    struct upstream_conn_id failed;  /* the endpoint of the try that failed last */
    const struct image_retry *retry; /* the rule's policy; NULL: it has none */
    const struct image_cors *cors;   /* of the rule; NULL: it has none */
    struct slice cors_origin;        /* what its answer allows; empty: no origin */
    struct list_node mirrors;        /* struct mirror: those that have not all of the request */
    struct access_note *note;        /* for the access log; NULL: it is not meant */
    bool is_matched;                 /* `route` says how */
    bool is_answered;                /* wholly, so far as that lies in our hands */
    uint16_t status;                 /* of the head that the client got; 0: none */
    uint64_t request_bytes;          /* of the bodies, as they moved */
    uint64_t response_bytes;
    uint64_t head_us;    /* when the final head came, or ACCESS_NO_TIME */
    uint64_t connect_us; /* how long this try waited for its connection, or ACCESS_NO_TIME */
    const struct image_persistence *persistence; /* of the rule; NULL: it has none */
    uint64_t session_salt;              /* of its session, if it has one that is not moved */
    struct upstream_conn_id session_at; /* likewise: its endpoint */
    bool has_session;                   /* one that counts came with the request */
    bool is_session_moved;              /* but its endpoint may get no request */
    uint64_t generation;                /* of a tunnel, which has no image: where it was matched, */
    uint32_t backend_index;             /* and who was chosen there */
    bool is_stale; /* the last try's connection was idle too long: `failed` did not fail by it */
    struct route_ahead ahead; /* while is_asked */
};

/* Sequences for choices by weight. Rules that share one only see each other's requests in between;
 * one for all would let the order of the requests of several rules bend their weights. */
#define PROXY_SHARES 256u

/* How many retries a group may have, in thousandths: see retry.c. */
struct retry_budget {
    uint64_t since_us; /* up to when it has what time earns */
    uint32_t milli;
};

/* A password or token that the verifier looks at, and who waits for it. Its place is its job's
 * number. */
struct verification {
    struct verdict_key key;   /* zero: none is under way */
    struct list_node waiters; /* struct exchange */
    bool is_decoy;            /* nobody is called so: whatever is found, it is not good */
};

struct proxy {
    struct core *core;
    struct proxy_config config;
    struct http_env env;
    uint64_t unix_s; /* 0: not known */
    struct upstream *upstream;
    struct proxy_image image;     /* current; .view NULL: none yet */
    struct tls_context *front;    /* what clients that speak TLS meet */
    struct tls_context *l4_front; /* the same where what is in TLS is passed on */
    struct pool conns;
    struct pool streams; /* struct proxy_conn, too */
    struct h2 *h2;
    struct pool exchanges;
    struct pool mirrors;
    struct pool l4s;
    struct pool head_bufs;
    uint32_t tunnels;       /* of the exchanges */
    struct list_node asked; /* exchanges that exchanges_route() goes on with */
    struct list_node
        heads; /* client connections that wait for the rest of a head, the first first */
    struct limit_table limits;
    struct verdict_table verdicts;
    struct verification verifications[VERIFY_JOBS_MAX]; /* by the job's number */
    struct access_note *notes;        /* one for each of the exchanges, by the pool's index */
    struct list_node all_mirrors;     /* struct mirror */
    struct even shares[PROXY_SHARES]; /* by the rule's number */
    struct retry_budget retry_budgets[PROXY_SHARES]; /* by the group's number */
    struct even mirror_shares[PROXY_SHARES];         /* by the mirror's number */
    bool is_shedding;                                /* a head buffer: see proxy_env.c */
    bool is_drained;                                 /* by the image: connections are to end */
    uint32_t walk; /* connections below this index know the current image */
};

/* proxy.c: what an image says, as TCP takes it. */
enum tcp_congestion proxy_congestion(uint8_t congestion);

/* The health policy with that index; IMAGE_NONE: NULL. */
static inline const struct image_health *proxy_health(const struct image_view *v, uint32_t index)
{
    return index == IMAGE_NONE ? NULL : &v->health[index];
}

/* proxy_env.c: head buffers and counters for http. */
void proxy_env_init(struct proxy *p);
/* The counter of a request's fault. */
enum stat_id proxy_fault_stat(enum http_fault fault, bool is_backend);

/* conn_h2.c */
/* What a proxy's sessions of HTTP/2 may take. */
struct h2_config conn_h2_config(const struct proxy_config *config);
/* The connection begins as one of HTTP/2. May free it. */
void conn_h2_begin(struct proxy_conn *c);
/* Its client is told to go, if it was not yet. May free it. */
void conn_h2_drain(struct proxy_conn *c);
/* Nothing came in time. May free it. */
void conn_h2_timeout(struct proxy_conn *c);

/* conn.c */
/* What http tells, of connections and of streams. */
extern const struct http_server_ops proxy_conn_ops;
/* Fills in a stream of `parent`. */
void proxy_conn_init_stream(struct proxy_conn *c, struct proxy_conn *parent);
/* Something has to happen within so long. */
void proxy_conn_arm(struct proxy_conn *c, uint32_t ms);
/* It waits for the rest of a head, and holds a buffer for that. */
void proxy_conn_enter_heads(struct proxy_conn *c);
/* It does so no more. */
void proxy_conn_leave_heads(struct proxy_conn *c);
/* What tcp calls: takes the connection, or not. */
bool proxy_conn_accept(void *owner, struct stream *s, uint32_t bind);
/* Its PROXY header is read, if it has to have one: it is passed on, or TLS begins, where it is
 * spoken, and HTTP. False: it could not, and the connection is gone. */
bool proxy_conn_begin(struct proxy_conn *c, struct stream *s);
/* It is not passed on: TLS begins, if it speaks that, and HTTP. False: there was no memory, and the
 * connection is gone. */
bool proxy_conn_serve(struct proxy_conn *c, struct stream *s, bool is_tls);
/* Its stream is gone, and whatever had it. */
void proxy_conn_free(struct proxy_conn *c);
/* Its PROXY header's bytes are needed no more. */
void proxy_conn_put_part(struct proxy_conn *c);
/* Nobody listens on its address any more. May free it. */
void proxy_conn_unbind(struct proxy_conn *c);
/* Of those that have sent a part of a head, the one that has done so longest is refused: 408.
 * Nothing if there is none. */
void proxy_conn_shed_head(struct proxy *p);
/* Resets it, without an exchange by now; counts why. */
void proxy_conn_abort(struct proxy_conn *c, enum stat_id why);
/* No exchange any more: the client has so long to take the rest of the response. */
void proxy_conn_arm_rest(struct proxy_conn *c);

/* Is somebody listening at the connection's address, in the way that it speaks? One whose header
 * has not come yet speaks none. */
bool proxy_conn_find_bind(const struct proxy_conn *c, const struct image_view *v,
                          uint32_t *ret_bind);

/* secure.c */
/* What all clients that speak TLS meet. `alpn`: what is spoken; NULL: whatever it is. */
struct tls_context *secure_front_new(const char *alpn, const struct tls_tickets *tickets);
/* TLS over a connection of which nothing was read yet; NULL: no memory, `s` is as it was. */
struct stream *secure_accept(struct proxy_conn *c, struct stream *s);
/* Did the request, which was matched, come on a connection that was opened for another listener? */
bool secure_is_misdirected(const struct exchange *e);
/* secure_backend.c */
/* What has to stay in memory while a connection to a backend is got. */
struct secure_backend {
    struct upstream_tls tls;
    struct tls_san sans[TLS_SANS_MAX];
    uint8_t header[PROXY_PROTOCOL_LINE_BYTES_MAX];
};
/* For whom a connection is wanted. */
struct secure_backend_ask {
    const struct proxy_conn *client;
    const struct proxy_image *image;
    uint32_t listener; /* by which the client came */
    uint32_t tls;      /* of the backend or mirror */
    const char *alpn;  /* what is spoken; NULL: nothing that has a name */
};
/* Asks for a connection that is secured as the image's `tls` says; IMAGE_NONE: for none that is.
 * The rest of `ask` is filled in. Borrows from `ret`. */
void secure_backend(const struct secure_backend_ask *in, struct upstream_ask *ask,
                    struct secure_backend *ret);
/* The same for an exchange, which speaks what it asks for. */
void secure_backend_of(const struct exchange *e, uint32_t tls, struct upstream_ask *ask,
                       struct secure_backend *ret);

/* Counts the connection, which came in there, and its client where who he is is known, if they are
 * not counted yet. False: there are as many as may be. */
bool proxy_conn_enter(struct proxy_conn *c, const struct image_bind *at);

/* conn_header.c */
/* The connection has to begin with a PROXY header: reads it, and then begins. */
void conn_header_await(struct proxy_conn *c, struct stream *s);
/* May a client with this address begin with a PROXY header where it came in, or need not? */
bool conn_header_is_trusted(const struct image_view *v, const struct image_bind *bind,
                            const struct ip_addr *remote);
/* Does a list before the listener not let in whom its PROXY header tells? The lists are asked of
 * packets elsewhere (gate). */
bool conn_header_is_denied(const struct proxy_conn *c);
/* It is not there in time. Frees the connection. */
void conn_header_timeout(struct proxy_conn *c);
/* The stream is in nobody's hands until what comes on it first says whose: `on_event`, whose owner
 * is the connection, is told of that. */
void proxy_conn_await(struct proxy_conn *c, struct stream *s, stream_event_fn on_event);
/* Has the client left before it said so? Then the connection is freed. */
bool proxy_conn_has_left(struct proxy_conn *c, unsigned events);
/* Gives `unheaded` back, in good order or already over, and the connection. */
void proxy_conn_let_go(struct proxy_conn *c, enum stat_id why);
/* The header that tells of the client; empty where none is wanted. The bytes are in `buf`. */
struct slice conn_header_write(const struct proxy_conn *c, enum image_proxy_header header,
                               uint8_t buf[PROXY_PROTOCOL_LINE_BYTES_MAX]);
/* What goes before the first request for the client on a connection to a backend, which wants such
 * a header; empty where it wants none, or has been told. The bytes are in `buf`. */
struct slice conn_header_preface(const struct proxy_conn *c, const struct upstream_conn *to,
                                 enum image_proxy_header header,
                                 uint8_t buf[PROXY_PROTOCOL_LINE_BYTES_MAX]);

/* hello.c */
/* The client has to say first whom it wants: reads that, and then goes on. */
void hello_await(struct proxy_conn *c, struct stream *s);
/* It did not in time. Frees the connection. */
void hello_timeout(struct proxy_conn *c);

/* dns.c */
/* The client has to ask first: reads whom for, and then goes on. */
void dns_await(struct proxy_conn *c, struct stream *s);
/* It did not in time. Frees the connection. */
void dns_timeout(struct proxy_conn *c);

/* exchange.c */
void exchange_begin(struct proxy_conn *c);
/* Goes on with the requests that came since the last call: matches them, and does as the rule says.
 * They wait until all events were delivered, so that what the matches of one poll need from memory
 * comes together. Returns how many they were. */
unsigned exchanges_route(struct proxy *p);
/* The rest of its rule, now that the client may ask: limits, a redirect, or a backend. */
void exchange_go_on(struct exchange *e);
/* Ends it, counted as `why`: lets the backend connection go (`is_reusable`: into the pool), unpins
 * the image, frees. The client connection is the caller's business, afterwards. */
void exchange_end(struct exchange *e, enum stat_id why, bool is_reusable);
/* Ends it with an answer of our own. The last thing a caller does. */
void exchange_answer(struct exchange *e, enum stat_id why, uint16_t status);
/* The same with just these fields. */
void exchange_answer_with(struct exchange *e, enum stat_id why, uint16_t status,
                          const struct field_list *fields);
/* Ends it by cutting the client off. The last thing a caller does. */
void exchange_cut(struct exchange *e, enum stat_id why);
/* Asserts the invariants above. */
void check_exchange(const struct exchange *e);
/* Something moved. */
void exchange_note_progress(struct exchange *e);

/* grpc.c */
/* Is it a request of gRPC? */
bool grpc_is_asked(const struct http_head *head);
/* Answers one with what a status of HTTP would say, and these fields. The last thing a caller does.
 */
void grpc_answer(struct http_server *to, uint16_t status, const struct field_list *fields);

/* cors.c */
/* Looks whether the rule has a CORS filter, and what it says of the request's origin. */
void exchange_cors_begin(struct exchange *e, const struct image_rule *rule);
/* Does a script's browser ask whether it may ask? */
bool exchange_is_preflight(const struct exchange *e);
/* Answers that. Ends the exchange. */
void exchange_answer_preflight(struct exchange *e);
/* What any answer of the exchange tells of CORS. */
void exchange_cors_fields(const struct exchange *e, struct field_list *l);

/* access.c: what becomes of a request, told to the access log. */
void access_init(struct proxy *p, uint32_t exchanges);
/* Keeps what the record will need of the request's head, if the request may be logged. Call it only
 * while somebody wants requests. Cost: a random number, and a copy of the texts. */
void access_note(struct exchange *e);
/* It has ended so. For those with a note; before the image is let go. */
void access_tell(struct exchange *e, enum stat_id why);
/* The same for a request for which there was no exchange: answered 503. */
void access_tell_unserved(struct proxy_conn *c);
/* The same for a head that is refused: there is no request. Only while somebody wants requests. */
void access_tell_refused(struct proxy_conn *c, enum http_fault fault);

/* session.c */
/* Of its answer: what stays in memory until it is written. */
struct session_text {
    char value[ROUTE_SESSION_VALUE_BYTES];
    char cookie[ROUTE_SESSION_COOKIE_BYTES_MAX];
};
/* Looks whether the rule has sessions, and which the request has. If its endpoint may get the
 * request, its backend is the exchange's target. */
void exchange_session_begin(struct exchange *e, const struct image_rule *rule);
/* The endpoint that the request should go to; NULL: any. */
const struct upstream_conn_id *exchange_session_endpoint(const struct exchange *e);
/* The backend answers: tells the client its session where it has a new one. `t` has to stay until
 * the fields are written. */
void exchange_session_fields(struct exchange *e, struct field_list *l, struct session_text *t);

/* hash_key.c: what of the request tells its endpoint, hashed; 0 where nothing does. It needs the
 * request's head. */
uint64_t exchange_hash(const struct exchange *e, const struct image_balance *balance);
/* The same of a connection that is passed on: its ends, or its client's address, hashed. */
uint64_t hash_of_client(const struct proxy_conn *c, const struct image_balance *balance);

/* Waits until then, without a backend connection, and then tries. */
void exchange_wait(struct exchange *e, uint64_t until_us);
/* Waits for the verifier, as long as a client may. */
void exchange_wait_verdict(struct exchange *e);

/* retry.c */
enum retry_when {
    RETRY_NEVER,
    RETRY_NOW,
    RETRY_LATER, /* after the rule's backoff */
};
/* A request was sent to a backend for the first time: it earns its group a part of a retry. */
void retry_note_request(struct exchange *e);
/* Is there a reason why the request might have to be sent once more? */
bool retry_needs_head(const struct exchange *e);
/* Does it go again, now that its connection ended so? This one and the next two may take from the
 * budget. */
enum retry_when retry_after_end(struct exchange *e, enum http_client_end end, bool was_reused);
/* Now that this is the answer? */
enum retry_when retry_after_status(struct exchange *e, uint16_t status);
/* Now that the try took too long? */
enum retry_when retry_after_timeout(struct exchange *e);
/* Sends it again. It has no backend connection. May end the exchange. */
void exchange_retry(struct exchange *e, enum retry_when when);

/* health.c: how the try went, for the health policy of its group. While it has its connection. */
/* Its connection ends so. */
void health_note_end(struct exchange *e, enum http_client_end end);
/* The backend answers with that status. */
void health_note_status(struct exchange *e, uint16_t status);
/* The backend took too long. */
void health_note_timeout(struct exchange *e);
/* route_stats.c */
/* The exchange has ended, or has become a tunnel: counts it with its route, if it had one. Before
 * the image is let go. */
void route_stats_count(struct exchange *e);
/* How a connection ended that is passed on, by proxy_l4_end_*. */
enum stats_route_end route_stats_end_of(enum stat_id why);

/* kept_body.c: a body that may have to be sent once more. */
/* The exchange's rule is known: will its body be kept? */
void kept_body_begin(struct exchange *e);
/* It need not be kept any more, or cannot be: what this try's backend has is consumed, and the rest
 * is moved as it comes. Nothing if it is not kept. */
void kept_body_let_go(struct exchange *e);
/* The client's stream tells of bytes, or of its end. */
void kept_body_on_event(struct exchange *e);
/* Is it kept, and has this try's backend not all of it yet? */
bool kept_body_is_open(const struct exchange *e);
/* Sends what there is of it. May let it go. Returns bytes sent. */
size_t kept_body_pump(struct exchange *e, struct http_client *to, struct http_server *from);

/* tunnel.c */
/* Looks whether the request asks for WebSocket. */
void tunnel_ask(struct exchange *e);
/* It does, and there are as many tunnels as there may be. */
bool tunnel_is_full(const struct exchange *e);
/* Of Sec-WebSocket-Accept: 20 bytes as base64. */
#define TUNNEL_ACCEPT_BYTES 28u
/* What it has to be for the request. False: the library failed. */
bool tunnel_accept(const struct exchange *e, char ret[TUNNEL_ACCEPT_BYTES]);
/* Does the backend's 101 answer just this request? */
bool tunnel_is_agreed(const struct exchange *e, const struct http_head *head);
/* The client has its 101: from here on it is a tunnel. */
void tunnel_begin(struct exchange *e);
/* Moves what there is, both ways. May end the exchange. */
void tunnel_pump(struct exchange *e);
/* The client's connection is over, in good order or not. Ends the exchange. */
void tunnel_on_client_end(struct exchange *e, bool is_orderly);

/* admit.c */
/* Does an access policy of the rule refuse the client's address? Then it has been answered, and the
 * exchange is over. */
bool exchange_deny(struct exchange *e, const struct image_rule *rule);

/* The backend must not see how the client proved who it is. */
bool exchange_hides_authorization(const struct exchange *e);

/* authenticate.c */
/* Has the client shown the passwords that the access policies of the rule ask for? False: it was
 * answered 401 or 503, or it waits and exchange_go_on() is called when it has. */
bool exchange_authenticate(struct exchange *e, const struct image_rule *rule);

/* verification.c */
void verifications_init(struct proxy *p);
/* That is being looked at; NULL: it is not. */
struct verification *verification_find(struct proxy *p, const struct verdict_key *key);
/* Waits with the others. */
void verification_wait(struct exchange *e, struct verification *at);
/* Waits for the job of that number, which was asked for just now; `is_decoy`: whatever is found,
 * it is not good. */
void verification_begin(struct exchange *e, uint64_t number, const struct verdict_key *key,
                        bool is_decoy);
/* Takes what the verifier found, and wakes who waited. Returns how many. */
unsigned verifications_poll(struct proxy *p);

/* basic.c */
struct basic_credentials {
    char user[IMAGE_USER_BYTES_MAX + 1];
    char password[IMAGE_USER_BYTES_MAX + 1];
};
/* Reads the value of an Authorization field (RFC 7617). False: it has none, or none that anybody
 * could have. Who called wipes them. */
bool basic_read(struct slice value, struct basic_credentials *ret);

/* bearer.c */
/* The token in an Authorization field's value, of any length. False: it is of another scheme. */
bool bearer_read(struct slice value, struct slice *ret_token);

/* Asks the verifier for a token, of VERIFY_TOKEN_BYTES_MAX at most. False: the lane is full. */
bool bearer_ask(const struct image_view *v, const struct image_jwt *jwt, struct slice token,
                struct verify_lane *lane);

/* limit.c */
void limits_init(struct proxy *p, uint32_t n);
/* Does a rate limit of the rule refuse the request? Then it has been answered, and the exchange is
 * over. Else it counts. */
bool exchange_limit(struct exchange *e, const struct image_rule *rule);

/* mirror.c */
void mirrors_init(struct proxy *p, uint32_t n);
/* Ends all. */
void mirrors_done(struct proxy *p);
/* Sends the request, as its backend gets it, to as many mirrors as the rule wants this time. */
void mirrors_begin(struct exchange *e, const struct http_request *r);
/* More of the body, to those that can take all of it: the others are given up. */
void mirrors_write(struct exchange *e, struct slice bytes);
/* The request is whole: they go on by themselves. */
void mirrors_end_request(struct exchange *e);
/* The request will never be whole. */
void mirrors_cut(struct exchange *e);

/* exchange_request.c */
/* Sends the head to the backend; false: it does not fit, or no buffer is left. */
bool exchange_forward_head(struct exchange *e);
/* Moves what there is of the request's body. May end the exchange. */
void exchange_pump_request(struct exchange *e);

/* exchange_response.c */
/* An informational or the final head came from the backend. May end the exchange. */
void exchange_on_response(struct http_client *h);
/* Moves what there is of the response's body. May end the exchange. */
void exchange_pump_response(struct exchange *e);

/* exchange_backend.c */
/* The request went out: unless it may have to go again, its head is needed no more, and a client
 * that is slow with its body, or a backend with its answer, holds no buffer. */
void exchange_let_head_go(struct exchange *e);
/* Gets a connection and sends the request as soon as it is open. May end the exchange. */
void exchange_try(struct exchange *e);

/* Breaks the try off: the next one goes elsewhere, if it can. */
void exchange_leave_backend(struct exchange *e);

/* A time limit is over, or the wait for the backend's 100-continue. May end the exchange. */
void exchange_on_timer(struct wheel_timer *timer, uint64_t now_us);

/* forward_fields.c: which fields go on. */
struct field_list {
    uint32_t n;
    bool is_full;
    struct http_field fields[HTTP_FIELDS_MAX + 2 * IMAGE_HEADER_OPS_PER_FILTER_MAX + 8];
};
/* Empty. */
void field_list_init(struct field_list *l);
/* The end-to-end fields of a head, without those that `skip` names. */
void field_list_take(struct field_list *l, const struct http_head *head,
                     const enum http_known *skip, unsigned n_skip);
/* As a filter of header type leaves them; NULL: as they are. */
void field_list_apply(struct field_list *l, const struct image_view *v,
                      const struct image_filter *filter);

/* Without those of that name. */
void field_list_drop(struct field_list *l, struct slice name);

/* forwarded.c */
#define FORWARDED_FOR_BYTES_MAX 2048u /* X-Forwarded-For: some fifty hops */
#define FORWARDED_HOST_BYTES_MAX                                                                   \
    (HTTP_HOST_BYTES_MAX + 6u) /* with a port; a longer one is left out */
/* What has to stay in memory while the head is put together. */
struct forwarded_text {
    char client[IP_ADDR_TEXT_MAX];
    char element[IP_ADDR_TEXT_MAX + FORWARDED_HOST_BYTES_MAX + 40];
    uint8_t list[FORWARDED_FOR_BYTES_MAX];
};
/* What the backend is told of the request's way here. Borrows from `t` and the head. */
void forwarded_add(struct field_list *l, const struct http_head *head, const struct ip_addr *client,
                   bool is_tls, struct forwarded_text *t);

/* One field more; sets is_full instead when there is no room. */
void field_list_add(struct field_list *l, struct slice name, struct slice value);
