/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of l4. Private. Thread: the worker.
 *
 * A flow has two sides, each with its pair of ends as packets that come in there have them: `local`
 * is ours, `remote` the client's or the endpoint's. A packet that comes in at one side leaves at
 * the other, with that one's ends turned around. Each pair is in the flow table of its protocol;
 * the entry's mark tells which side it is.
 *
 * States of a flow of TCP, by the flags of what passes. They set how long it is kept without a
 * packet, and nothing else: no packet is judged by them.
 *
 *   OPENING --the endpoint's SYN-ACK, and what the client says to it--> OPEN
 *   OPEN --FIN--> HALF --FIN of the other--> CLOSED
 *   any --RST--> CLOSED --a packet that is neither FIN nor RST--> as before
 *
 * A flow that began with a cookie (l4_splice.c) is OPENING and spliced while its endpoint is asked:
 * what comes then goes no further. From then on it is like others, but its numbers are shifted.
 *
 * Of UDP: OPENING until the answer, then HALF until the client says more, then OPEN. A query of a
 * DNSRoute (l4_dns.c) is a flow of its own: its client's side is in no table, its answer ends it.
 *
 * Of a flow by IPIP or GUE only what the client sends comes by here: its answers go straight to the
 * client. Its server side has our address and the endpoint's, without ports, and is in no table; it
 * is OPEN with the client's second packet.
 */
#pragma once

#include "base/pool.h"
#include "base/wheel.h"
#include "core/census.h"
#include "core/core.h"
#include "core/flow_table.h"
#include "core/route_stats.h"
#include "dns/dns.h"
#include "l4/l4.h"
#include "net/bucket.h"
#include "net/forward.h"
#include "net/net_wire.h"
#include "tcp/half_open.h"
#include "tcp/stand_in.h"
#include "tcp/wire.h"

#include <rte_mbuf.h>

/* Of a first segment only SYN is set among these. */
#define TCP_FLAGS_OF_OPEN (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)
#define L4_SOURCES 4096u /* shares of the sources, which have a rate each */
/* Ports that are tried for a flow: with half of them in use one in a million fails. */
#define L4_PORT_TRIALS_MAX 20u
#define L4_TOGETHER_MAX 32u /* frames that wait for memory together, as net's */
#define L4_RETARGET_SYNS 3u /* SYNs of a client that an endpoint may leave unanswered */
/* Our SYNs for a client that gave a cookie back: after 1, 3 and 7 seconds again, the last one to
 * another endpoint; 15 seconds in all, as long as a client's own may be unanswered. */
#define L4_SPLICE_SYNS_MAX 4u
#define L4_SPLICE_SYN_MS 1000u
/* Half-open connections that are never too many, whatever the table holds: 200,000 new ones a
 * second over a round trip of a third of one. */
#define L4_HALF_OPEN_MAX 65536u
/* The scale of windows that a cookie's client is told: that of most servers (6 MiB of buffer). An
 * endpoint's windows are told in it, to 128 bytes, and no larger than 8 MiB. */
#define L4_SPLICE_WSCALE 7u
/* What moved is told to the route so late at most. A flow that is busy costs a timer and its lines
 * so often: of a million, 100,000 a second, 3 % of a core. */
#define L4_TELL_MS_MAX 10000u

enum l4_side_index {
    L4_CLIENT,
    L4_SERVER,
};

/* What came in at a side and was not given away yet, in one word: bytes of IP packets below,
 * packets above. It is given away with the first packet after NET_HOP_MS: until then neither part
 * may overflow, which would take 33 million packets or 137 GB a second of one flow. */
#define L4_COUNTED_BYTES_BITS 38u
#define L4_COUNTED_PACKET (UINT64_C(1) << L4_COUNTED_BYTES_BITS)

static_assert(NET_HOP_MS <= 2000, "see L4_COUNTED_PACKET");

enum l4_side_flag {
    L4_F_FIN = 1u << 0,     /* it has ended its direction */
    L4_F_SPLICED = 1u << 1, /* of both: the flow began with a cookie, see struct l4_splice */
};

struct l4_side {
    struct flow_tuple in;
    uint8_t flags : 2;  /* enum l4_side_flag */
    uint8_t state : 2;  /* these are of the client's side and the flow's: enum l4_state, */
    uint8_t is_udp : 1; /* not TCP, */
    uint8_t way : 2;    /* and enum image_forwarding: NAT, IPIP or GUE */
};

/*
 * The way of a packet that comes in at one side, and all that one of the usual kind needs of its
 * flow (l4_fast.c): one cache line. Lanes lie together and not in their flows, two for each, the
 * client's first, so that those of a million flows lie in fewer pages; an entry of the table leads
 * to its lane without the flow.
 */
struct l4_lane {
    /* How a packet comes and leaves, source and destination, as they lie in its headers. Valid if
     * usual_max is not 0. */
    _Alignas(64) uint64_t in_addresses;
    uint64_t out_addresses;
    uint32_t in_ports;
    uint32_t out_ports;
    uint64_t counted;      /* what came in here: see L4_COUNTED_PACKET */
    uint32_t seen_ms;      /* when the last packet came */
    uint32_t hop_until_ms; /* with has_hop: it is valid so long, */
    uint16_t hop_version;  /* and while net_hops_version() is this */
    uint16_t usual_max;    /* bytes of the longest packet of the usual kind; 0: there is none */
    uint16_t ip_delta;    /* what the checksum of IPv4's header gains by new addresses and a hop, */
    uint16_t cksum_delta; /* and that of what is above by its new ends */
    struct net_hop hop;   /* the way to the other side's in.remote */
    bool has_hop;
    uint8_t proto; /* IPPROTO_NUM_TCP or _UDP */
};

static_assert(sizeof(struct l4_lane) == 64, "a cache line");

enum l4_state { L4_OPENING, L4_OPEN, L4_HALF, L4_CLOSED, L4_STATES };

/* With L4_F_SPLICED: between a client, who knows a cookie as the first number of its peer, and an
 * endpoint with numbers of its own. */
struct l4_splice {
    union {
        uint32_t number;    /* OPENING: the cookie */
        uint32_t seq_delta; /* later: what the endpoint's numbers gain */
    };
    union {
        uint32_t ts_echo;  /* OPENING: our timestamp that came with the cookie */
        uint32_t ts_delta; /* later: what the endpoint's gain */
    };
    uint32_t peer_iss; /* the client's first number, which both know */
    uint32_t ts_value; /* OPENING: the client's timestamp */
    uint16_t mss;      /* OPENING: what the client takes; later: what the endpoint takes */
    uint16_t window;   /* OPENING: the client's, as it says it */
    uint8_t scale : 4; /* the client's; TCP_COOKIE_NO_WSCALE: windows are not scaled */
    uint8_t has_timestamps : 1;
    uint8_t has_sack : 1;
    int8_t window_up;   /* later: the client's windows, by so many bits to the left, */
    int8_t window_down; /* and the endpoint's */
};

/* What came in at a side and was given away. */
struct l4_moved {
    uint64_t packets;
    uint64_t bytes;
};

/* What of a flow a packet of the usual kind does not need. */
struct l4_flow {
    _Alignas(64) struct l4_side sides[2]; /* by enum l4_side_index, */
    struct l4_lane *lanes;                /* and likewise two */
    struct wheel_timer timer;             /* armed while the flow lives */
    struct l4_fwd *fwd;
    struct list_node opening; /* on l4_fwd.opening while OPENING */
    uint64_t route;           /* as it is counted by; 0: it is not */
    struct l4_moved moved[2]; /* by side */
    uint32_t group;           /* endpoint group, for its health */
    uint32_t idle_ms;         /* as its backend says; 0: as usual */
    uint8_t generation;
    uint8_t syns;   /* of the client so far, or ours for it, while OPENING */
    uint8_t closed; /* enum stats_route_end: how, once it is CLOSED */
    bool is_told;   /* of its end: the access log and the route */
    bool is_lively; /* its timer comes within L4_TELL_MS_MAX, for something moved */
    bool is_query;  /* of a DNSRoute: see l4_dns.c */
    bool is_judged; /* TCP: its endpoint's health heard of this try, or shall not */
    uint64_t begin_us;
    uint64_t image;    /* generation of the one it was opened by, and the places in it */
    uint32_t listener; /* these four are for the access log */
    uint32_t rule;
    uint32_t backend;
    uint32_t answer_us;        /* from the first packet to the first answer; 0: none yet */
    struct census_hold census; /* what it counts for */
    union {
        struct l4_splice splice;
        uint16_t query_id; /* of a query, which is neither of the others */
        uint16_t
            carry_mtu; /* carried, and so never spliced: of the way to the endpoint, as a router
                               told; 0: none did */
    };
};

static_assert(sizeof(struct l4_flow) == 320, "with its lanes seven lines");

struct l4_fwd {
    struct core *core;
    struct net *net;
    struct tcp *tcp;
    struct upstream *upstream;
    struct l4_config config;
    const struct image_view *view; /* NULL: none yet */
    struct route_reader reader;
    bool has_binds;   /* of kind TCP or UDP */
    bool has_carried; /* backends whose packets go on within others */
    bool has_lro;     /* a port puts segments together, which nobody would cut again */
    bool has_drained; /* another box is drained: `drained` gets what is nobody's here */
    struct ip_addr drained;
    uint32_t now_ms;       /* the clock of this round, divided once; wraps around */
    uint32_t n_ended;      /* grows with each flow that ends */
    uint16_t hops_version; /* net's, of this burst */
    struct l4_lane *lanes; /* of the flow at index n those at 2 n and 2 n + 1 */
    struct pool flows;
    struct flow_table tables[2];    /* of TCP, of UDP: l4_table_of() */
    struct list_node opening;       /* flows that are not open yet, the oldest first */
    struct tcp_half_open half_open; /* of these, those that count: l4_counts_half_open() */
    struct bucket opens;
    struct bucket sources[L4_SOURCES];
    uint32_t port_next;
};

/* Its state. It lies with what each packet reads anyway. */
static inline enum l4_state l4_state_of(const struct l4_flow *flow)
{
    return (enum l4_state)flow->sides[L4_CLIENT].state;
}

/* Its protocol's number. */
static inline uint8_t l4_proto_of(const struct l4_flow *flow)
{
    return flow->sides[L4_CLIENT].is_udp ? IPPROTO_NUM_UDP : IPPROTO_NUM_TCP;
}

/* The table of the protocol. */
static inline struct flow_table *l4_table_of(struct l4_fwd *f, uint8_t proto)
{
    return &f->tables[proto == IPPROTO_NUM_UDP];
}

/* The flow that has this pair of ends, and at which side; NULL: none. */
static inline struct l4_flow *l4_flow_at(struct l4_fwd *f, flow_entry_t e)
{
    return e.v == FLOW_ENTRY_NONE.v ? NULL : pool_at(&f->flows, flow_entry_index(e));
}

/* The lane that a packet of this entry came in by. */
static inline struct l4_lane *l4_lane_at(const struct l4_fwd *f, flow_entry_t e)
{
    return &f->lanes[2 * flow_entry_index(e) + flow_entry_mark(e)];
}

/* Does the shortcut take packets of the lane now? */
static inline bool l4_lane_is_usual(const struct l4_fwd *f, const struct l4_lane *lane)
{
    return lane->usual_max != 0 && lane->hop_version == f->hops_version &&
           (int32_t)(lane->hop_until_ms - f->now_ms) > 0;
}

/* Do its packets go on as they came, in another packet? */
static inline bool l4_is_carried(const struct l4_flow *flow)
{
    return flow->sides[L4_CLIENT].way != IMAGE_FORWARDING_NAT;
}

/* Does it have its numbers shifted, or will it? */
static inline bool l4_is_spliced(const struct l4_flow *flow)
{
    return (flow->sides[L4_CLIENT].flags & L4_F_SPLICED) != 0;
}

/* Is it spliced, and its endpoint has not answered yet? */
static inline bool l4_is_waiting(const struct l4_flow *flow)
{
    return l4_is_spliced(flow) && l4_state_of(flow) == L4_OPENING;
}

/* While it is OPENING: may it be a stranger's, who sends SYNs in others' names? */
static inline bool l4_counts_half_open(const struct l4_flow *flow)
{
    return l4_proto_of(flow) == IPPROTO_NUM_TCP && !l4_is_carried(flow) && !l4_is_spliced(flow);
}

/* l4_flow.c: what a new flow is made of. */
struct l4_ends {
    struct flow_tuple client;
    struct flow_tuple server;
    uint32_t listener; /* in the image */
    uint32_t rule;
    uint32_t backend;
    uint8_t proto;
    bool is_spliced;
    bool is_odd; /* as struct l4_call */
    bool is_query;
    uint16_t query_id;
    enum image_forwarding way;
    struct census_hold census; /* which becomes the flow's */
};

/* l4_flow.c: a flow that is in the tables. NULL: no room; an older one that was not answered has
 * been given up for it if there was one. */
struct l4_flow *l4_flow_new(struct l4_fwd *f, const struct l4_ends *ends);

/* l4_count.c: gives what moved to the flow's sums and to its route. False: nothing had. */
bool l4_count_give(struct l4_flow *flow);

/* l4_count.c: how it ended, for its route. */
enum stats_route_end l4_count_end_of(const struct l4_flow *flow, enum stat_id why);

/* l4_flow.c: how long it is kept without a packet. */
uint32_t l4_flow_kept_ms(const struct l4_flow *flow);

/* l4_flow.c: since when nothing came, from either side. */
uint32_t l4_flow_silent_ms(const struct l4_flow *flow);

/* l4_flow.c: a packet came after a while without any, so something will have to be told. */
void l4_flow_wake(struct l4_flow *flow);

/* l4_flow.c: the endpoint's group hears how it went, if it has a policy for that. */
void l4_flow_judge(struct l4_flow *flow, bool is_ok);

/* l4_flow.c: its endpoint says that nobody listens there, or is not there. May end the flow. */
void l4_flow_refuse(struct l4_flow *flow);

/* l4_flow.c: takes it out of the tables and counts why. */
void l4_flow_end(struct l4_flow *flow, enum stat_id why);

/* l4_flow.c: the endpoint becomes another; `server` is its pair of ends, which is free. False: no
 * room in the table; the flow is as it was. */
bool l4_flow_retarget(struct l4_flow *flow, const struct flow_tuple *server);

/* l4_flow.c: a packet came in: its time, and for TCP what its flags say. */
void l4_flow_note(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index side,
                  uint8_t tcp_flags);

/* l4_flow.c: the tuple of an entry, for the tables. */
const struct flow_tuple *l4_tuple_of(const void *owner, flow_entry_t e);

/* l4_flow.c: looks a pair of ends up; NULL: no flow has it. */
struct l4_flow *l4_flow_find(struct l4_fwd *f, uint8_t proto, const struct flow_tuple *tuple,
                             enum l4_side_index *ret_side);

/* l4_flow.c: does a new connection begin between the ends of one that is over? */
bool l4_begins_anew(const struct l4_flow *flow, enum l4_side_index side, uint8_t tcp_flags);

/* l4_flow.c: is a packet of a flow that is not open, or spliced, one of the first, which are looked
 * at more closely? */
bool l4_is_first(const struct l4_flow *flow, enum l4_side_index side, uint8_t tcp_flags);

/* l4_access.c: tells the access log that it has ended so. */
void l4_access_tell(struct l4_fwd *f, const struct l4_flow *flow, enum stat_id why);

/* l4_flows.c: the flow's state, as abi/flow.h tells it. */
uint8_t l4_flow_state(const struct l4_flow *flow);

/* l4_syn.c: what a SYN is worth. */
enum l4_syn {
    L4_SYN_SOUND,
    L4_SYN_ODD,    /* an endpoint may drop it without a word and be well */
    L4_SYN_BROKEN, /* it has to */
};

/* l4_syn.c: `m` begins with its header. */
enum l4_syn l4_syn_judge(const struct rte_mbuf *m, const struct ip_addr *src,
                         const struct ip_addr *dst);

/* l4_open.c: who is asked for, and how. */
struct l4_call {
    struct flow_tuple client; /* local: the VIP */
    uint8_t proto;
    bool is_odd;   /* it says nothing of an endpoint that does not answer */
    bool is_first; /* it may begin anything; else only what keeps the client's address: the flow may
                      have been another box's until now */
    uint8_t tos;
    struct rte_mbuf *m; /* of TCP the segment, of UDP what is in the datagram */
};

enum l4_verdict {
    L4_FORWARDED, /* *ret_flow */
    L4_NOT_OURS,  /* nobody listens, or a connection of ours is needed */
    L4_REFUSED,   /* counted */
    L4_ANSWERED,  /* by a cookie: the segment is gone, and tcp counted it; or a query of DNS is */
};

/* l4_open.c: the flow of a first packet: endpoint, port, entry. */
enum l4_verdict l4_open(struct l4_fwd *f, const struct l4_call *call, struct l4_flow **ret_flow);

/* l4_open.c: does the image say of any backend that packets go on within others? */
bool l4_may_carry(const struct image_view *view);

/* l4_dns.c: reads the query that a datagram's payload is. */
enum dns_fault l4_dns_read(const struct rte_mbuf *m, struct dns_question *ret);

/* l4_dns.c: answers the query that could not be passed on, or drops it. Takes call->m. */
void l4_dns_refuse(struct l4_fwd *f, const struct l4_call *call, const struct dns_question *q,
                   enum dns_rcode rcode);

/* l4_dns.c: what a query's endpoint says: the answer goes to the client and ends the flow. `m`
 * begins with the payload, before whose UDP header so many bytes of IP's still lie. Takes
 * ownership. */
void l4_dns_answer(struct l4_fwd *f, struct l4_flow *flow, struct rte_mbuf *m, uint16_t ip_bytes);

/* l4_splice.c: a flow has begun with this proof: its endpoint is asked. */
void l4_splice_begin(struct l4_fwd *f, struct l4_flow *flow, const struct tcp_proof *proof);

/* l4_splice.c: the time of a flow that waits for its endpoint is over: asks again, or gives up. */
void l4_splice_on_timer(struct l4_flow *flow);

/* l4_splice.c: a segment for a flow that waits for its endpoint, or a SYN for one that has waited.
 * False: it goes on like any other; `m` is still there. */
bool l4_splice_input(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index side,
                     struct rte_mbuf *m);

/* l4_splice.c: shifts the numbers of the segment whose TCP header lies at `l4_at`. False: it has no
 * whole header in the first mbuf. */
bool l4_splice_shift(const struct l4_flow *flow, enum l4_side_index from, struct rte_mbuf *m,
                     uint32_t l4_at);

/* l4_splice.c: the number of a segment that left, as whoever sent it at this side knows it. */
uint32_t l4_splice_seq(const struct l4_flow *flow, enum l4_side_index from, uint32_t seq);

/* l4_open.c: do packets of the bind, one of TCP, go on within others, at least to one backend? */
bool l4_bind_is_carried(const struct l4_fwd *f, uint32_t bind);

/* l4_open.c: its endpoint does not answer: another one, if there is one. */
void l4_open_again(struct l4_fwd *f, struct l4_flow *flow);

/* l4_rewrite.c: what a transport checksum gains when a packet with the ends `from`, as it comes in,
 * leaves with the ends `to` turned around. */
uint16_t l4_cksum_delta(const struct flow_tuple *from, const struct flow_tuple *to);

/* l4_rewrite.c: `m` begins with its IP header, of which `at` says the rest; gives it the ends of
 * the other side, one hop less, and new checksums. The IP header may become another family's.
 * Returns the counter against it, and `m` is half changed; STAT_COUNT: none. */
enum stat_id l4_rewrite(const struct l4_flow *flow, enum l4_side_index from, struct rte_mbuf *m,
                        const struct plain *at);

/* l4_rewrite.c: only ports and checksum of the transport header that `m` begins with. */
void l4_rewrite_upper(const struct l4_flow *flow, enum l4_side_index from, struct rte_mbuf *m);

/* l4_carry.c: what is put around a packet of such a flow. */
uint32_t l4_carry_bytes(const struct l4_flow *flow);

/* l4_carry.c: sends `m`, a client's IP packet, in another packet to the endpoint, in pieces if that
 * is longer than `mtu`. Takes ownership. */
void l4_carry(struct l4_fwd *f, struct l4_flow *flow, struct rte_mbuf *m, uint8_t tos,
              uint16_t mtu);

/* l4_handover.c: whether another box is drained, by the image. */
void l4_handover_set(struct l4_fwd *f);

/* l4_handover.c: a frame of no flow of ours, with these ends. True: it was taken, for it is to be
 * the drained box's. */
bool l4_handover(struct l4_fwd *f, struct rte_mbuf *m, const struct plain *at,
                 const struct flow_tuple *ends);

/* l4_rewrite.c: puts the client's IP header in front of what had lost it, as it was sent to the VIP
 * but for a hop and its identification. */
void l4_put_client_header(const struct l4_flow *flow, struct rte_mbuf *m, uint8_t tos);

/* l4_rewrite.c: one hop less in the header that `m` begins with. False: there is none left. */
bool l4_take_hop(struct rte_mbuf *m, bool is_ip4);

/* A checksum whose sum gains `delta` (RFC 1624, equation 3). */
static inline be16_t l4_cksum_update(be16_t cksum, uint16_t delta)
{
    uint32_t sum = (uint32_t)(uint16_t)~cksum.wire + delta;
    return (be16_t){(uint16_t) ~((sum & 0xffff) + (sum >> 16))};
}

/* The checksum of a TCP or UDP header with other ends; not of UDP without one where there has to be
 * one, nor where it has to be computed (l4_rewrite_upper()). */
static inline void l4_rewrite_cksum(uint8_t *upper, uint16_t delta, bool is_udp)
{
    be16_t *field = (void *)(upper + (is_udp ? offsetof(struct wire_udp, cksum)
                                             : offsetof(struct tcp_wire, cksum)));
    if (is_udp && field->wire == 0)
        return;
    *field = l4_cksum_update(*field, delta);
    if (is_udp && field->wire == 0)
        field->wire = 0xffff; /* 0 would mean that there is none (RFC 768) */
}

/* l4_fast.c: sends the frame on by the shortcut, if it is of the lane and both are of the usual
 * kind; then it is gone. False: nothing was done. */
bool l4_fast(struct l4_fwd *f, struct l4_lane *lane, struct rte_mbuf *m, const struct plain *at);

/* l4_fast.c: what the shortcut takes of packets from this side, after anything about the flow has
 * changed. */
void l4_fast_set(struct l4_flow *flow, enum l4_side_index from);

/* l4_send.c: a frame of the plain kind, which came in at that side. Takes ownership. */
void l4_forward(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from, struct rte_mbuf *m,
                const struct plain *at);

/* l4_send.c: the same of a packet that net handed up: `m` begins with its transport header, before
 * which so many bytes of IP's still lie. */
void l4_forward_upper(struct l4_fwd *f, struct l4_flow *flow, enum l4_side_index from,
                      struct rte_mbuf *m, uint16_t ip_bytes);

/* l4_send.c: are both addresses of ours still ours? A configuration may have taken one away. */
bool l4_is_still_ours(const struct l4_fwd *f, const struct l4_flow *flow);

/* l4_send.c: tells `remote` of these ends what befell a packet of his of this protocol; `what` has
 * all but the ends. */
void l4_tell(struct l4_fwd *f, const struct flow_tuple *ends, uint8_t proto,
             struct net_icmp_error what);

/* l4_send.c: tells whoever is at this side that a packet of his of this protocol was too long. */
void l4_tell_too_big(struct l4_fwd *f, const struct l4_flow *flow, enum l4_side_index from,
                     uint16_t mtu, uint32_t seq);

/* The flags of a frame of the plain kind; of UDP there are none. */
static inline uint8_t l4_flags_of(const struct rte_mbuf *m, const struct plain *at)
{
    return at->proto == IPPROTO_NUM_TCP
               ? rte_pktmbuf_mtod_offset(m, const struct tcp_wire *, at->l4_at)->flags
               : 0;
}

/* The TOS or traffic class of an IP header. */
static inline uint8_t l4_tos_of(const void *ip, bool is_ip4)
{
    const struct wire_ip6 *ip6 = ip;
    return is_ip4 ? ((const struct wire_ip4 *)ip)->tos
                  : (uint8_t)(be32_host(ip6->version_class_flow) >> 20);
}

/* The header of IP, without options, of an address' family. */
static inline uint32_t l4_ip_header_bytes(const struct ip_addr *addr)
{
    return ip_addr_is_v4(addr) ? sizeof(struct wire_ip4) : sizeof(struct wire_ip6);
}

/* Counts and frees. */
static inline void l4_drop(struct l4_fwd *f, struct rte_mbuf *m, enum stat_id why)
{
    stat_inc(f->core, why);
    rte_pktmbuf_free(m);
}
