/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the seed decides before a run begins: the world's name, its wires, hosts, sizes, and every
 * session and request with what is to happen to it. Pure: the same seed gives the same plan.
 */
#pragma once

#include "sim_limits.h"

#include <stdbool.h>
#include <stdint.h>

/* X(name, help) */
#define SIM_WORLD_LIST(X)                                                                          \
    X(clean, "perfect wires, well-behaved peers: every answer must come, and be right")            \
    X(lossy, "frames are lost, both ways, up to one in twenty")                                    \
    X(reorder, "frames overtake each other and come twice")                                        \
    X(corrupt, "bytes change on the wire")                                                         \
    X(churn, "new images and endpoints all the time, perfect wires: no request may fail")          \
    X(idle, "connections rest so long that one side or the other closes them")                     \
    X(dead_ends, "one endpoint of each group refuses or is not there: another must answer")        \
    X(narrow, "a hop on the way takes shorter packets only, and says so by ICMP")                  \
    X(moves, "an address comes and goes: its connections end, all others do not notice")           \
    X(rude, "clients abort, read slowly, send slowly; backends reset, hang, close early")          \
    X(exhaustion, "the appliance has few packet buffers and few connections")                      \
    X(two_workers, "two workers and a port whose queues say nothing about the flow")               \
    X(everything, "all of it at once")                                                             \
    X(flows, "up to ten thousand idle connections beside all others, opened and closed in one go") \
    X(nic, "a port's send queue stands still, packet buffers run out, in the middle of it all")    \
    X(naps, "the workers are not run for 10 ms to 60 s, then all timers are due at once")          \
    X(generations, "images and endpoints change at a high rate, on bad wires")                     \
    X(liars, "peers shrink windows and take selective acknowledgements back")                      \
    X(fragments, "packets come in pieces, some of which are lost or late")                         \
    X(marks, "wires mark ECN-capable packets instead of dropping, or beside it (RFC 3168)")        \
    X(black_hole, "a hop on the way drops longer packets, and says nothing (RFC 4821)")            \
    X(steady, "kept connections, small answers, no chance: what a request costs (never picked)")   \
    X(bulk, "one long answer, no chance: what a segment costs (never picked)")

/* Those from SIM_WORLD_steady on are for those who ask for them. */
enum sim_world {
#define X(name, help) SIM_WORLD_##name,
    SIM_WORLD_LIST(X)
#undef X
        SIM_WORLD_COUNT
};

/* One LAN's wires, in each direction of each host. Chances in a million. */
struct sim_wire_plan {
    uint32_t loss;
    uint32_t duplicate;
    uint32_t reorder; /* chance to be held back by reorder_us */
    uint32_t corrupt;
    uint32_t delay_us;
    uint32_t jitter_us;
    uint32_t reorder_us;
    uint32_t cut;        /* chance to be cut into pieces */
    uint32_t path_mtu;   /* longer packets are dropped, and the sender is told; 0: no such hop */
    bool is_silent;      /* he is not */
    uint32_t mark;       /* chance that a queue tells of congestion */
    uint32_t mark_over;  /* so does one with so many frames on their way to a port; 0: never */
    bool drops_unmarked; /* and drops packets that cannot be marked */
    uint32_t grain_us;   /* arrivals are rounded up to this: a NIC that collects before it tells */
};

/* What befalls a run from outside, for a while. X(name, help) */
#define SIM_TROUBLE_LIST(X)                                                                        \
    X(stall, "the send queue of the appliance's port on `lan` stands still; room for `amount`")    \
    X(drain, "somebody holds all packet buffers of the appliance but `amount`")                    \
    X(nap, "the appliance's workers are not run")                                                  \
    X(shrink, "hosts on `lan` tell a window of 1/2^amount of theirs, or none")                     \
    X(renege, "one in `amount` of the SACK blocks of hosts on `lan` says more than is true")

enum sim_trouble_kind {
#define X(name, help) SIM_TROUBLE_##name,
    SIM_TROUBLE_LIST(X)
#undef X
        SIM_TROUBLE_COUNT
};

struct sim_trouble {
    enum sim_trouble_kind kind;
    uint64_t at_us; /* from the begin of the run */
    uint64_t for_us;
    uint32_t lan;
    uint32_t amount;
};

/* Many connections of one client host that ask once and then rest. */
struct sim_crowd_plan {
    uint32_t n;            /* 0: no crowd */
    uint64_t open_us;      /* when they open, from the begin of the run, */
    uint64_t open_span_us; /* spread over so long */
    uint64_t close_us; /* when they close, likewise; UINT64_MAX: they leave it to the appliance */
    uint64_t close_span_us;
    uint32_t timewaits_max; /* records of the appliance; 0: as many as it has by itself */
    uint32_t half_open_max; /* likewise: beyond it there are SYN cookies */
};

enum sim_body_mode {
    SIM_BODY_NONE,
    SIM_BODY_LENGTH,
    SIM_BODY_CHUNKED,
    SIM_BODY_CLOSE, /* responses only: ends with the connection */
};

/* What a backend does to a request. X(name, does it excuse a request that is not answered). */
#define SIM_ORDER_LIST(X)                                                                          \
    X(answer, false)      /* as it should */                                                       \
    X(say_close, false)   /* "Connection: close" */                                                \
    X(hints, false)       /* 103 first, then the answer */                                         \
    X(no_content, false)  /* 204 */                                                                \
    X(early, false)       /* answers before it has read the body, reads it all the same */         \
    X(close_after, true)  /* closes after the answer without a word: a race for the next */        \
    X(reset_head, true)   /* resets instead of an answer */                                        \
    X(reset_body, true)   /* resets in the middle of the body */                                   \
    X(close_body, true)   /* closes in the middle of the body */                                   \
    X(reset_upload, true) /* resets while the request's body comes */                              \
    X(hang, true)         /* never answers */

enum sim_order {
#define X(name, is_excuse) SIM_ORDER_##name,
    SIM_ORDER_LIST(X)
#undef X
        SIM_ORDER_COUNT
};

/* Endpoint groups. Group b's rule has two backends of weights that images change. Those behind the
 * empty one are of datagrams, and of what is passed on. */
enum sim_group {
    SIM_GROUP_A = 1,
    SIM_GROUP_B1,
    SIM_GROUP_B2,
    SIM_GROUP_EMPTY,
    SIM_GROUP_UDP,
    SIM_GROUP_TCP,
    SIM_GROUP_PASSED,
    SIM_GROUP_ENDED,
    SIM_GROUP_END
};

/* Where a request is meant to go, and what must come back. */
#define SIM_TARGET_LIST(X)                                                                         \
    X(group_a, "/a/", 200)                                                                         \
    X(group_b, "/b/", 200) /* weighted over two groups */                                          \
    X(no_backend, "/none/", 500)                                                                   \
    X(no_endpoint, "/empty/", 503)                                                                 \
    X(no_route, "/x/", 404)

enum sim_target {
#define X(name, path, status) SIM_TARGET_##name,
    SIM_TARGET_LIST(X)
#undef X
        SIM_TARGET_COUNT
};

/* How a request ended, seen by its client. */
#define SIM_OUTCOME_LIST(X)                                                                        \
    X(open, "not ended")                                                                           \
    X(complete, "answered as planned")                                                             \
    X(refused, "answered by the appliance with an error of its own")                               \
    X(broken, "the connection ended in the response")                                              \
    X(unanswered, "the connection ended before the response")                                      \
    X(unsent, "the connection ended before the request was sent")                                  \
    X(aborted, "the client gave up, as planned")

enum sim_outcome {
#define X(name, help) SIM_OUTCOME_##name,
    SIM_OUTCOME_LIST(X)
#undef X
        SIM_OUTCOME_COUNT
};

struct sim_request {
    /* The plan. */
    uint32_t id;
    const char *method;
    enum sim_target target;
    enum sim_order order;
    enum sim_body_mode up_mode;
    enum sim_body_mode down_mode;
    uint32_t up_bytes;
    uint32_t down_bytes;
    uint32_t order_at;  /* bytes of body after which the order is carried out */
    uint32_t delay_ms;  /* before the backend answers */
    uint32_t pad_bytes; /* of a field that makes the head long, both ways */
    bool has_extras;    /* chunk extensions and a trailer, both ways */
    bool expects_continue;
    bool is_tunnel; /* WebSocket: both bodies go at once, each until its sender ends */
    /* What happened. */
    enum sim_outcome outcome;
    uint16_t status;
    uint32_t seen;     /* times a backend got its head */
    uint32_t whole;    /* times a backend got all of it */
    uint64_t begun_us; /* its first byte was written */
    uint64_t took_us;  /* from then to the last byte of its answer */
};

/* Who comes to a listener where TLS ends and asks nothing. X(name, the counter proxy_tls_* that has
 * it in the end) */
#define SIM_VISIT_LIST(X)                                                                          \
    X(wrong_name, unknown_name)                                                                    \
    X(no_name, unknown_name)                                                                       \
    X(strange_protocol, no_common)                                                                 \
    X(old_version, no_common)                                                                      \
    X(clear, garbage)      /* HTTP without TLS */                                                  \
    X(doubter, peer_alert) /* believes no CA */                                                    \
    X(leaver, full)        /* shakes hands and goes; or resumes and goes */                        \
    X(cut_fin, lost)       /* ends within its hello, or within what follows */                     \
    X(cut_reset, lost)     /* likewise, by a reset */                                              \
    X(sleeper, slow)       /* likewise, and stays */

enum sim_visit_kind {
#define X(name, counter) SIM_VISIT_##name,
    SIM_VISIT_LIST(X)
#undef X
        SIM_VISIT_COUNT
};

struct sim_visit_plan {
    enum sim_visit_kind kind;
    uint32_t client; /* host */
    bool is_ip6;
    bool is_tls12;
    uint64_t start_us;
    uint32_t piece_bytes;
    uint32_t cut_flight;
    uint32_t cut_bytes;
};

/* What is passed on. X(name, help) */
#define SIM_PASS_KIND_LIST(X)                                                                      \
    X(tcp, "whatever it is, by TCPRoute")                                                          \
    X(passed, "TLS as it came, by TLSRoute")                                                       \
    X(ended, "what was in TLS, by TLSRoute")

enum sim_pass_kind {
#define X(name, help) SIM_PASS_##name,
    SIM_PASS_KIND_LIST(X)
#undef X
        SIM_PASS_KINDS
};

/* How it ends. X(name, help) */
#define SIM_PASS_ORDER_LIST(X)                                                                     \
    X(answer, "each side ends when it has said all")                                               \
    X(reset_front, "the client resets")                                                            \
    X(reset_back, "the backend resets")

enum sim_pass_order {
#define X(name, help) SIM_PASS_##name,
    SIM_PASS_ORDER_LIST(X)
#undef X
        SIM_PASS_ORDERS
};

/* Who ends only after the other. */
enum sim_pass_late {
    SIM_PASS_NOBODY_LATE,
    SIM_PASS_FRONT_LATE,
    SIM_PASS_BACK_LATE,
    SIM_PASS_LATES
};

/* A connection that is passed on: sim_pass.h. */
struct sim_pass_plan {
    uint32_t id;
    enum sim_pass_kind kind;
    enum sim_pass_order order;
    enum sim_pass_late late;
    uint32_t order_at; /* bytes that came after which it is carried out */
    uint32_t client;   /* host */
    bool is_ip6;
    bool is_tls12;
    uint64_t start_us;
    uint32_t piece_bytes; /* of its handshake */
    uint32_t read_pace;   /* bytes in 10 ms; 0: as they come */
    uint32_t up_bytes;
    uint32_t down_bytes;
};

/* How packets that need no connection of the appliance's go on. X(name, help) */
#define SIM_WAY_LIST(X)                                                                            \
    X(NAT, "under an address of the appliance's")                                                  \
    X(IPIP, "within another packet; the backend answers the client itself")                        \
    X(GUE, "likewise, within a datagram")

enum sim_way {
#define X(name, help) SIM_WAY_##name,
    SIM_WAY_LIST(X)
#undef X
        SIM_WAYS
};

/* Questions by datagrams from one port: sim_ask.h. */
struct sim_ask_plan {
    uint32_t id;
    uint32_t client; /* host */
    bool is_ip6;
    uint64_t start_us;
    uint64_t pause_us; /* from one to the next */
    uint32_t n_questions;
    uint32_t bytes; /* of two in three; the others are short */
};

struct sim_asks_plan {
    uint32_t n; /* 0: nobody asks by datagrams */
    struct sim_ask_plan all[SIM_ASKS_MAX];
};

#define SIM_QUESTION_BYTES_MIN 20u

struct sim_passes_plan {
    bool greets;      /* backends speak first */
    bool forwarded;   /* of TCPRoutes packets go on: there is no connection of the appliance's */
    bool has_cookies; /* then: beyond so many half-open ones SYNs get cookies */
    uint32_t half_open_max; /* 0: all do */
    uint32_t n;             /* 0: nothing is passed on */
    struct sim_pass_plan all[SIM_PASSES_MAX];
};

/* TLS of a run. */
struct sim_tls_plan {
    bool is_on;          /* somebody speaks TLS */
    uint32_t groups;     /* groups (bits) whose backends do */
    uint32_t cores;      /* crypto cores of the appliance; 0: its workers shake hands */
    uint32_t job_us_max; /* what a step takes there, at most */
    uint32_t step_us;    /* what it takes a worker; 0: no time */
    bool has_rsa;        /* certificates of the appliance are of both kinds */
    bool has_tickets;
    bool asks_clients; /* for certificates; whatever they show, they come in */
    bool rotates;      /* each image comes with the ticket keys of the next epoch */
    uint32_t n_visits;
    struct sim_visit_plan visits[SIM_VISITS_MAX];
};

struct sim_session {
    uint32_t first_request;
    uint32_t n_requests;
    uint32_t client; /* host */
    bool is_ip6;
    bool is_http10; /* one request, no keep-alive */
    bool is_h2;     /* goes by HTTP/2: sim_h2.h */
    bool is_tls;    /* goes by TLS; what follows says how: sim_tls.h */
    bool is_tls12;
    bool is_rsa;
    bool asks_twice;
    bool resumes;
    bool is_curt;
    bool uses_mix; /* where some names are passed on */
    uint32_t piece_bytes;
    bool closes_half;  /* ends its direction after the last request, before the answers */
    uint32_t pipeline; /* requests under way at once */
    uint64_t start_us;
    uint32_t think_ms;  /* between answers and the next request */
    uint32_t read_pace; /* bytes a millisecond; 0: as they come */
    uint32_t write_pace;
    uint32_t abort_at; /* bytes of responses after which the client resets; 0: never */
};

struct sim_plan {
    uint64_t seed;
    enum sim_world world;
    bool is_calm;   /* nothing is lost, late or turned away: nothing may be sent again or wait */
    bool is_short;  /* of buffers, connections or time: any request may be refused */
    bool is_rude;   /* some requests have orders that are an excuse */
    bool has_races; /* backends close without a word: what must not be sent twice may fail */
    bool has_dead_ends;
    bool ejects;       /* the appliance lets endpoints rest that fail */
    bool measures_cpu; /* sim_last_box_cpu_ns() is wanted */
    uint32_t bbr;      /* which connections have it: sim_congestion.h */
    uint32_t no_ecn;   /* which machines have none: sim_mark.h */
    bool is_retried;   /* each rule has a retry policy; what went wrong does so once */
    bool has_tunnels;
    bool is_mirrored;       /* each rule has a mirror that takes half of the requests */
    uint32_t h2_groups;     /* groups (bits) whose backends speak HTTP/2 */
    uint32_t conn_requests; /* the appliance ends a client's connection after so many; 0: never */
    bool h2_closes_idle;    /* clients end connections of HTTP/2 that rest */
    struct sim_tls_plan tls;
    struct sim_passes_plan passes;
    struct sim_asks_plan asks;
    enum sim_way way;         /* of forwarded packets */
    bool is_carried;          /* there are such, and they go within others */
    bool is_checked;          /* the appliance checks the backends' health */
    bool moves_vip6;          /* images come with and without the IPv6 address */
    uint32_t backend_idle_ms; /* a backend closes a connection that rests so long; 0: never */
    uint32_t workers;
    bool mixes_queues;   /* each frame by any of them; else each flow by one */
    uint32_t box_queues; /* of the appliance's ports */
    uint32_t n_clients;
    uint32_t n_backends;
    bool has_few_mbufs;
    uint32_t conns_max; /* of the appliance's worker */
    uint32_t host_window_bytes;
    uint32_t host_buffer_bytes;
    uint32_t image_changes;
    uint32_t endpoint_changes;
    struct sim_crowd_plan crowd;
    uint32_t n_troubles;
    struct sim_trouble troubles[SIM_TROUBLES_MAX];
    uint64_t span_us;              /* sessions start and changes happen within it */
    struct sim_wire_plan wires[2]; /* clients' LAN, backends' LAN */
    uint32_t n_sessions;
    struct sim_session sessions[SIM_SESSIONS_MAX];
    uint32_t n_requests;
    struct sim_request requests[SIM_REQUESTS_MAX];
};

/* Makes the plan of `seed`; `world` SIM_WORLD_COUNT: the seed picks one. */
void sim_plan_make(struct sim_plan *p, uint64_t seed, enum sim_world world);

/* Does the host `number` speak HTTP/2? */
bool sim_speaks_h2(const struct sim_plan *p, unsigned number);

/* "two_workers" and so on. */
const char *sim_world_name(enum sim_world world);
const char *sim_trouble_name(enum sim_trouble_kind kind);
const char *sim_order_name(enum sim_order order);
const char *sim_visit_name(enum sim_visit_kind kind);
const char *sim_pass_kind_name(enum sim_pass_kind kind);
const char *sim_pass_order_name(enum sim_pass_order order);
const char *sim_way_name(enum sim_way way);
const char *sim_outcome_name(enum sim_outcome outcome);

/* The path prefix that a target means. */
const char *sim_target_path(enum sim_target target);

/* The status that the request is to be answered with. */
uint16_t sim_request_status(const struct sim_request *q);

/* May the request be sent twice without harm (RFC 9110, section 9.2.2)? */
bool sim_is_repeatable(const struct sim_request *q);

/* May a request with this order be left without an answer? */
bool sim_order_is_excuse(enum sim_order order);
