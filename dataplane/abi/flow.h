/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contract 1e, flows: what is told about one (a dump's record, a trace's points) and by which
 * names. Each list gives the enum, the names and the help; the record's layout is a list too
 * (flow_fields.def; forwarded_fields.def), so a printer needs no knowledge of its own.
 *
 * Pure; thread: any. The names are valid for ever.
 */
#pragma once

#include "abi/observe.h"
#include "base/ip_addr.h"

#include <stdint.h>

#define FLOW_TEXT_BYTES 12u

/* TCP's states (RFC 9293, 3.3.2) but LISTEN; TIME_WAIT has a record in place of a connection.
 * Behind it those of flows whose packets are forwarded: no answer yet; both sides talk; one has
 * ended (of UDP: one answer so far); both have, or one has reset it. */
#define FLOW_STATE_LIST(X)                                                                         \
    X(CLOSED)                                                                                      \
    X(SYN_SENT)                                                                                    \
    X(SYN_RCVD)                                                                                    \
    X(ESTABLISHED)                                                                                 \
    X(FIN_WAIT_1)                                                                                  \
    X(FIN_WAIT_2)                                                                                  \
    X(CLOSE_WAIT)                                                                                  \
    X(CLOSING)                                                                                     \
    X(LAST_ACK)                                                                                    \
    X(TIME_WAIT)                                                                                   \
    X(FORWARD_OPENING)                                                                             \
    X(FORWARD_OPEN)                                                                                \
    X(FORWARD_HALF)                                                                                \
    X(FORWARD_CLOSED)

enum flow_state {
#define X(name) FLOW_##name,
    FLOW_STATE_LIST(X)
#undef X
        FLOW_STATES
};

#define FLOW_OWNER_LIST(X)                                                                         \
    X(none, "released: it ends by itself, or is a TIME_WAIT record")                               \
    X(opening, "the peer opens it; a listener will get it")                                        \
    X(listener, "accepted: somebody behind a listener holds it")                                   \
    X(backend, "opened by us to a backend")

enum flow_owner {
#define X(name, help) FLOW_OWNER_##name,
    FLOW_OWNER_LIST(X)
#undef X
};

#define FLOW_TIMER_LIST(X)                                                                         \
    X(none, "nothing is waited for")                                                               \
    X(syn, "the SYN or SYN-ACK goes again")                                                        \
    X(reorder, "what is missing is held to be lost, not late")                                     \
    X(tlp, "tail-loss probe")                                                                      \
    X(rto, "retransmission timeout")                                                               \
    X(persist, "the closed window is probed")                                                      \
    X(delack, "the delayed acknowledgement goes")                                                  \
    X(wait, "connect, keepalive or linger time")

enum flow_timer {
#define X(name, help) FLOW_TIMER_##name,
    FLOW_TIMER_LIST(X)
#undef X
};

/* What is the case with a flow: X(name, help). The names are those of enum tcp_conn_flag. */
#define FLOW_FLAG_LIST(X)                                                                          \
    X(ACTIVE, "opened by us")                                                                      \
    X(OWNED, "somebody holds the stream")                                                          \
    X(SACK, "agreed: selective acknowledgements")                                                  \
    X(TIMESTAMPS, "agreed: timestamps")                                                            \
    X(WSCALE, "agreed: window scaling")                                                            \
    X(ECN, "agreed: explicit congestion notification")                                             \
    X(ECN_ECHO, "a mark came: the peer is told until it has slowed down")                          \
    X(CWR, "we have slowed down: the peer is told with the next new data")                         \
    X(SHUTDOWN, "our direction ends after what is queued")                                         \
    X(FIN_SENT, "our FIN is sent")                                                                 \
    X(FIN_RCVD, "the peer's FIN came, with all before it")                                         \
    X(FIN_AHEAD, "the peer's FIN came, data before it is missing")                                 \
    X(WANT_WRITE, "the owner waits for room to write")                                             \
    X(ACK_NOW, "an acknowledgement goes out this round")                                           \
    X(ACK_DELAYED, "an acknowledgement waits for its timer")                                       \
    X(SEND_SYN, "SYN or SYN-ACK goes out this round")                                              \
    X(RECOVERY, "fast recovery")                                                                   \
    X(LOSS, "recovery after a timeout")                                                            \
    X(CWND_LIMITED, "the congestion window was what stopped the last output")                      \
    X(TLP, "a tail-loss probe is out")                                                             \
    X(TLP_RESENT, "the probe was a retransmission")                                                \
    X(PROBE, "the closed window is being probed")                                                  \
    X(STARVED, "waits for memory")                                                                 \
    X(WINDOW_SHORT, "the window that we tell is small because memory is short")                    \
    X(URGENT_OUT, "the peer has yet to get urgent bytes")                                          \
    X(URGENT_IN, "the peer told of urgent bytes")

enum flow_flag {
#define X(name, help) FLOW_FLAG_##name,
    FLOW_FLAG_LIST(X)
#undef X
        FLOW_FLAGS
};

_Static_assert(FLOW_FLAGS <= 32, "they are bits of a word");

/* How a type of FLOW() lies in the record. */
#define FLOW_MEMBER_address(name) struct ip_addr name;
#define FLOW_MEMBER_text(name) char name[FLOW_TEXT_BYTES];
#define FLOW_MEMBER_u8(name) uint8_t name;
#define FLOW_MEMBER_u16(name) uint16_t name;
#define FLOW_MEMBER_u32(name) uint32_t name;
#define FLOW_MEMBER_i32(name) int32_t name;
#define FLOW_MEMBER_u64(name) uint64_t name;
#define FLOW_MEMBER_state(name) uint8_t name;  /* enum flow_state */
#define FLOW_MEMBER_owner(name) uint8_t name;  /* enum flow_owner */
#define FLOW_MEMBER_timer(name) uint8_t name;  /* enum flow_timer */
#define FLOW_MEMBER_flags(name) uint32_t name; /* bit n: enum flow_flag n */

#define FLOW_MEMBER_protocol(name) uint8_t name;   /* of IP */
#define FLOW_MEMBER_forwarding(name) uint8_t name; /* enum image_forwarding */

struct observe_flow {
    struct observe_record head;
#define FLOW(type, name, help) FLOW_MEMBER_##type(name)
#include "abi/flow_fields.def"
#undef FLOW
};

_Static_assert(sizeof(struct observe_flow) % 8 == 0, "records are multiples of 8");

/* One whose packets are forwarded. */
struct observe_forwarded {
    struct observe_record head;
#define FLOW(type, name, help) FLOW_MEMBER_##type(name)
#include "abi/forwarded_fields.def"
#undef FLOW
};

_Static_assert(sizeof(struct observe_forwarded) % 8 == 0, "records are multiples of 8");

/* What a trace tells. */
enum trace_point {
#define TRACE(name, fields, help) TRACE_##name,
#include "abi/trace_points.def"
#undef TRACE
    TRACE_POINTS
};

/* The name of a state; NULL: there is no such. */
const char *flow_state_name(unsigned state);

/* Likewise of an owner. */
const char *flow_owner_name(unsigned owner);

/* Likewise of a timer. */
const char *flow_timer_name(unsigned timer);

/* Likewise of a flag, by the number of its bit. */
const char *flow_flag_name(unsigned flag);

/* Likewise of a trace point. */
const char *trace_point_name(unsigned point);

/* The fields of a point, as in trace_points.def; NULL: there is no such point. */
const char *trace_point_fields(unsigned point);
