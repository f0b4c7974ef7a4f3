/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contract 1d, observation: what passes over the control socket (abi/control.h) while somebody
 * looks into the dataplane: a dump of flows, a trace of flows, a capture of frames, requests as
 * they end. In the same form housekeeping asks the workers for requests, for the access log.
 *
 *   type      from  body                     means
 *   OBSERVE   peer  struct control_observe   look; one observation a connection at a time
 *   RESULT    dp    struct control_result    fault: enum observe_fault; subject: the UNIX time, in
 *                                            us, at which the records' time was 0. OK comes
 *                                            when every worker looks
 *   RECORDS   dp    records, one behind the other, each a multiple of 8 bytes long
 *   STOP      peer  -                        enough
 *   OBSERVED  dp    struct control_observed  it is over: by STOP, by a bound, or all was told
 *
 * All answers carry the id of OBSERVE. Nothing here is a lasting format: both ends are one box and
 * one release. The peer may be slow: what finds no room is counted as lost (trace, capture) or
 * waits (flows).
 */
#pragma once

#include "base/ip_addr.h"

#include <stdint.h>

#define OBSERVE_MATCHES_MAX 8u        /* that one request can name; more are asked for one by one */
#define OBSERVE_SNAP_BYTES_MAX 16384u /* of a frame; what the device is to cut may be longer */
#define OBSERVE_VALUES_MAX 48u        /* of a trace point: 24 counters that one step moved */

enum observe_kind {
    OBSERVE_FLOWS = 1,
    OBSERVE_TRACE = 2,
    OBSERVE_CAPTURE = 3,
    OBSERVE_REQUESTS = 4,
};

/* REQUESTS: what else is wanted, in bits. */
enum observe_wants {
    OBSERVE_WANTS_ERRORS = 1, /* all that were answered 500 and above, or not wholly */
    OBSERVE_WANTS_QUERY = 2,  /* the query: it may hold secrets */
    OBSERVE_WANTS_ALL = 3,
};

#define OBSERVE_FAULT_LIST(X)                                                                      \
    X(OK, "begun")                                                                                 \
    X(REQUEST, "the request is malformed or has a value out of its range")                         \
    X(BUSY, "as many observations as there can be are under way")                                  \
    X(TWICE, "this connection has an observation already")                                         \
    X(BLIND, "this dataplane has nothing to look with")

enum observe_fault {
#define X(name, help) OBSERVE_FAULT_##name,
    OBSERVE_FAULT_LIST(X)
#undef X
};

/* One end of a flow. */
struct observe_end {
    struct ip_addr address;
    uint8_t prefix_len; /* bits of `address` that count, IPv4 from 96 on; 0: any address */
    uint8_t reserved;
    uint16_t port; /* 0: any */
};

/* Flows of which one end is in `a` and the other in `b`, in whichever direction. */
struct observe_match {
    struct observe_end a;
    struct observe_end b;
};

struct control_observe {
    uint32_t kind;        /* enum observe_kind */
    uint32_t n_matches;   /* <= OBSERVE_MATCHES_MAX; 0: everything */
    uint64_t workers;     /* bit n: worker n is asked */
    uint32_t states;      /* FLOWS: bit n: flows in enum flow_state n */
    uint32_t ports;       /* CAPTURE: bit n: the port of index n */
    uint32_t protocol;    /* CAPTURE: of IP; 0: any */
    uint32_t snap_bytes;  /* CAPTURE: of each frame, 1..OBSERVE_SNAP_BYTES_MAX */
    uint64_t records_max; /* of each worker and in all, not 0 */
    uint64_t bytes_max;   /* of records, likewise, not 0 */
    uint32_t ms_max;      /* not 0 */
    uint32_t one_in;      /* REQUESTS: one of so many, by chance; 0: none but errors */
    uint32_t wants;       /* REQUESTS: enum observe_wants */
    uint32_t reserved;
    struct observe_match matches[OBSERVE_MATCHES_MAX];
};

/* What an observation came to. */
struct control_observed {
    uint64_t records;  /* sent */
    uint64_t bytes;    /* of them */
    uint64_t lost;     /* fitting ones that found no room */
    uint64_t looked;   /* FLOWS: flows looked at; CAPTURE: frames; TRACE: steps */
    uint32_t is_whole; /* 1: all that there was; 0: a bound or STOP ended it */
    uint32_t reserved;
};

enum observe_record_type {
    OBSERVE_RECORD_PAD = 0, /* never sent */
    OBSERVE_RECORD_FLOW,
    OBSERVE_RECORD_POINT,
    OBSERVE_RECORD_FRAME,
    OBSERVE_RECORD_REQUEST,   /* abi/access.h; from workers to housekeeping */
    OBSERVE_RECORD_LINE,      /* what that becomes for the peer */
    OBSERVE_RECORD_FORWARDED, /* FLOWS: one whose packets are forwarded; abi/flow.h */
};

/* At the beginning of each record. */
struct observe_record {
    uint16_t bytes; /* with this and padding: a multiple of 8 */
    uint8_t type;   /* enum observe_record_type */
    uint8_t worker;
    uint32_t reserved;
    uint64_t time_us; /* of the worker's round */
};

struct observe_point {
    struct observe_record head;
    struct ip_addr local;
    struct ip_addr remote;
    uint16_t local_port;
    uint16_t remote_port;
    uint16_t point;    /* enum trace_point */
    uint16_t n_values; /* <= OBSERVE_VALUES_MAX */
    uint32_t values[];
};

struct observe_frame {
    struct observe_record head;
    uint32_t frame_bytes;    /* on the wire, or as handed to the device */
    uint16_t captured_bytes; /* that follow */
    uint8_t port;            /* index */
    uint8_t is_out;          /* 1: sent, 0: received */
    uint8_t data[];
};

/* A request as a line of the access log (access/access_line.h): its names are known only here. */
struct observe_line {
    struct observe_record head;
    uint32_t line_bytes; /* that follow, the newline included */
    uint32_t reserved;
    char line[];
};

_Static_assert(sizeof(struct observe_record) == 16, "layout");
_Static_assert(sizeof(struct control_observe) == 384, "layout");
