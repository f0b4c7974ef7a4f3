/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of health share. Thread: the worker. */
#pragma once

#include "abi/image.h"
#include "base/list.h"
#include "base/pool.h"
#include "core/core.h"
#include "core/endpoint_health.h"
#include "core/endpoint_table.h"
#include "health/health.h"
#include "health/health_grpc.h"
#include "health/health_tls.h"
#include "http2/h2.h"

enum {
    HEALTH_STEPS_PER_POLL = 64,  /* of a walk: rows or endpoints looked at */
    HEALTH_STARTS_PER_POLL = 16, /* each opens a connection */
};

struct health_probe_id {
    uint32_t group;
    struct ip_addr addr;
    uint16_t port; /* of the endpoint, wherever the policy sends the check */
};

struct health_check;

/*
 * An endpoint of a group that this worker checks. Reached by the hash table; lives from the walk
 * that found it to the moment when it is due and listed no more.
 *
 * Exactly one of: the timer is armed for `due_us`; it is on the list of those due; it has a check,
 * for whose end the timer is armed.
 */
struct health_probe {
    struct list_node link; /* in its bucket */
    struct list_node due;
    struct wheel_timer timer;
    struct health *health;
    struct health_check *check; /* under way; NULL: none */
    struct health_probe_id id;
    uint32_t interval_ms; /* by which it is scheduled */
    uint64_t due_us;      /* when the check that comes next, or is under way, should begin */
    bool is_unhealthy;    /* as the last verdict left it */
};

/* One check: from its opening until its connection is let go. */
struct health_check {
    struct http_client http;    /* HTTP, TCP, GRPC */
    struct h2_session *session; /* by which `http` goes; NULL: it is a connection of its own */
    struct health_grpc grpc;    /* GRPC */
    struct health_tls tls;      /* TLS */
    struct health_probe *probe;
    uint8_t type;      /* enum image_health_check, by which it was begun */
    bool is_decided;   /* it has its end; the rest of the body is thrown away */
    bool is_call_good; /* GRPC: what came said so */
    uint32_t body_bytes;
};

struct health {
    struct core *core;
    const struct endpoint_table *table;
    struct health_config config;
    struct upstream_dialer dialer;
    struct http_env env;
    const struct image_view *view; /* NULL: none yet */
    const struct tls_trust *const *trusts;
    struct pool probes;
    struct pool checks;
    struct pool heads;
    struct h2 *h2;
    struct tls_context *tls;  /* of TLS checks, which anybody may answer */
    struct tls_context *back; /* of others, where the group's connections are secured */
    struct list_node *buckets;
    uint32_t buckets_mask;
    struct even places;   /* where in its interval an endpoint's first check lies */
    struct list_node due; /* the longest first */
    bool is_short;        /* an endpoint found no place */

    uint64_t change;        /* of the table, up to which lists were followed */
    uint64_t change_wanted; /* when the walk under way began */
    bool is_all_wanted;     /* the next walk looks at all lists, not only at those that changed */
    bool is_all;            /* that one does */
    bool is_walking;
    uint32_t row; /* next policy of that walk */
    uint32_t at;  /* next endpoint of its list */
};

/* Where an endpoint is listed, and by which policy it is checked. In force within this poll. */
struct health_place {
    const struct image_health *policy;
    const struct endpoint_group *list;
    uint32_t index;
};

/* Looks for it. False: it is not to be checked any more. Cost: linear in the list. */
bool health_place_find(const struct health *h, const struct health_probe_id *id,
                       struct health_place *ret);

/* Follows changes of image and endpoints by a bounded number of steps. Returns how many. */
unsigned health_walk(struct health *h);

/* The endpoint has a probe that is scheduled by this interval, if there is a place for it. True: it
 * was made just now. */
bool health_probe_keep(struct health *h, const struct health_probe_id *id, uint32_t interval_ms);

/* The check of the probe is over: schedules the next one. */
void health_probe_rest(struct health *h, struct health_probe *p);

/* Gives up a probe without a check. */
void health_probe_drop(struct health *h, struct health_probe *p);

/* Gives up all, their checks too. */
void health_probes_done(struct health *h);

/* Begins a check of the endpoint; there is a place for it. */
void health_check_begin(struct health *h, struct health_probe *p, const struct health_place *at);

/* Time is up: what is not decided ends as a timeout. */
void health_check_expire(struct health *h, struct health_check *c);

/* Breaks the check off, without a verdict if there is none yet. */
void health_check_stop(struct health *h, struct health_check *c);

/* Where the endpoint is listed, with the policy that is in force now. False: it is gone, or the
 * policy is none that this check could answer. */
bool health_check_place(const struct health *h, const struct health_check *c,
                        struct health_place *ret);

/* Its end is known: counted, and told to those who choose endpoints. */
void health_check_decide(struct health *h, struct health_check *c, enum health_end end);

/* What the end of a stream before there is an answer says. */
enum health_end health_end_of(enum stream_end end);

/* Its connection is gone, and its end is known. */
void health_check_free(struct health *h, struct health_check *c);

/* The answer is read, or none is wanted: lets the connection go in good order. */
void health_check_leave(struct health *h, struct health_check *c);

/* Its end is known: resets the connection. */
void health_check_break_off(struct health *h, struct health_check *c);

/* Is a check by this policy secured, as the group's connections are? */
bool health_is_secured(const struct image_health *policy);

/* ---- health_http.c ---- */

/* What checks by HTTP of this worker share. */
void health_http_init(struct health *h);

/* Begins a check that asks over the stream, or (TCP) only connects. False: there was no memory for
 * it. */
bool health_http_begin(struct health *h, struct health_check *c, struct stream *stream,
                       const struct image_health *policy);

/* Does a check by this policy speak HTTP/2? */
bool health_speaks_h2(const struct image_health *policy);

/* Asserts the invariants. */
void check_health(const struct health *h);
