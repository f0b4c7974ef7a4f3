/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Active health checks: the endpoints of each group that has a policy are asked at an interval
 * whether they work, and what comes of it goes into the state that all workers share
 * (core/endpoint_health.h). Each group is checked by exactly one worker, whatever the number of
 * workers and of routes that lead there: an endpoint hears one check an interval of the whole box.
 *
 * A check is a connection of its own. TCP: it is established. HTTP: the answer's head is there in
 * time, with a status that the policy names. GRPC: the health service answers SERVING in time. TLS:
 * the handshake is done in time. HTTP speaks to the endpoint's own port what the group's requests
 * do, HTTP/1.1 or HTTP/2, and to another port HTTP/1.1. Where the group's connections are secured
 * HTTP and GRPC checks of the endpoint's own port are, too, and by the same policy. Each one that
 * was begun ends in exactly one of the counters of HEALTH_END_LIST.
 *
 * Life of a probe (an endpoint that is checked): found in a list -> waits for its time -> due ->
 * asked -> waits ... -> gone, which is noticed when it is due.
 *
 * Owner: the worker. Thread: the worker. Memory: pools sized at start. Beside the path of a
 * request; opens connections as upstream does.
 */
#pragma once

#include "upstream/upstream.h"

#include <stdint.h>

struct core;
struct endpoint_table;
struct health;
struct image_view;
struct tls_trust;

/* Endpoints that one worker checks. Reason: as many as upstream keeps connections to; a box of few
 * workers with more than that behind it checks what it knew first. Beyond: counted, and taken for
 * healthy. */
#define HEALTH_PROBES_MAX 4096u
/* Checks of one worker under way. Reason: 4,096 endpoints at one second take 20 at a time where an
 * answer takes 5 ms; the rest is for those that hang. Beyond: they wait for their turn, counted. */
#define HEALTH_CHECKS_MAX 128u
/* Bytes of an answer's body, or behind a handshake, that are read, so that the backend sees a
 * client that leaves in good order. Beyond: it is reset. */
#define HEALTH_BODY_BYTES_MAX 16384u
/* Memory of nghttp2 for a check by HTTP/2, whoever answers. Reason: it takes 16 KiB for the frame
 * that it writes and 12 KiB for its tables; the rest is for the fields of the answer, which may
 * have as much as by HTTP/1.1. Beyond: the answer is too much. */
#define HEALTH_H2_BYTES_MAX 57344u
/* Buffers for what is not read at once, of all checks by HTTP/2: none, for all is read at once. */
#define HEALTH_H2_PIECES_MAX 1u

/* Sizes fixed at start. */
struct health_config {
    uint32_t probes_max;
    uint32_t checks_max;
};

/* How a check can end, and what that says of the endpoint: X(name, verdict, help). One list: enum,
 * counters. */
#define HEALTH_END_LIST(X)                                                                         \
    X(ok, GOOD, "answered as the policy wants")                                                    \
    X(refused, BAD, "the connection was refused")                                                  \
    X(unreachable, BAD, "no way to the endpoint")                                                  \
    X(timeout, BAD, "no connection, no whole head, or no handshake, in time")                      \
    X(closed, BAD, "closed or reset before a whole head")                                          \
    X(status, BAD, "answered by a status that the policy does not name")                           \
    X(fault, BAD, "the answer breaks the rules of HTTP or TLS, or is too much")                    \
    X(not_asked, NONE, "no way, port, connection or memory of our own")                            \
    X(gone, NONE, "the endpoint or its policy went meanwhile")

enum health_end {
#define X(name, verdict, help) HEALTH_END_##name,
    HEALTH_END_LIST(X)
#undef X
        HEALTH_END_COUNT
};

/* Sizes for a worker with so many client connections. */
void health_config_default(struct health_config *config, uint32_t conns_max);

/* Makes the worker's checks. `table`: the endpoint table. Checks nothing before the first image. */
struct health *health_new(struct core *core, const struct endpoint_table *table,
                          const struct health_config *config);

/* Says how connections are opened; before the first image. */
void health_set_dialer(struct health *h, const struct upstream_dialer *dialer);

/* Another image is current: its policies count from now on. It stays until the next call, and so do
 * its bundles of CAs (`trusts`, by their index; NULL: it has none). Cost: O(1); what it changes is
 * followed by health_poll(). */
void health_set_image(struct health *h, const struct image_view *view,
                      const struct tls_trust *const *trusts);

/* Once a poll, before tcp_poll(): follows changes of image and endpoints, and begins the checks
 * that are due, a bounded number of each. Returns how many things it did. */
unsigned health_poll(struct health *h);

/* Resets all checks, and gives everything back. */
void health_done(struct health *h);

struct health_counts {
    uint32_t probes;
    uint32_t checks; /* under way, with those whose verdict is there */
    uint32_t heads;  /* buffers, which checks need while they read an answer */
};

/* What is out of the pools now. For tests. */
void health_counts(const struct health *h, struct health_counts *ret);
