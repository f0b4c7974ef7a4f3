/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker on one memory port, and whoever is around it on that link: neighbours that answer for
 * every address which is not the box's. It forwards TCP and UDP port 53 of two VIPs to group 1.
 */
#pragma once

#include "abi/flow.h"
#include "abi/stats.h"
#include "abi/stats_routes.h"
#include "compile/image_builder.h"
#include "l4/l4.h"
#include "packet.h"
#include "unit.h"
#include "worker.h"

#define BOX_MAC "02:00:00:00:00:00" /* of a mem port */
#define PEER_MAC "02:00:00:00:00:99"
#define OURS4 "198.18.0.1"
#define OURS6 "2001:db8::1"
#define VIP4 "198.18.0.80"
#define VIP6 "2001:db8::80"
#define CLIENT4 "198.18.0.10"
#define CLIENT6 "2001:db8::10"
#define BACK4 "198.18.0.201"
#define BACK4B "198.18.0.202"
#define BACK6 "2001:db8::201"
#define PORT 53
#define DNS_PORT 5300
#define GROUP 1u

/* A frame that the box sent, taken apart. */
struct seen {
    struct ip_addr src;
    struct ip_addr dst;
    uint16_t src_port;
    uint16_t dst_port;
    uint8_t proto;
    uint8_t hop_limit;
    uint8_t tcp_flags;
    bool is_fragment;
    bool is_cksum_good; /* IP's and the one above */
    unsigned ip_bytes;
    const uint8_t *upper; /* TCP, UDP or ICMP header */
    unsigned upper_bytes;
    uint8_t frame[2048];
};

struct box {
    struct worker *worker;
    uint64_t now_us;
    unsigned n_seen;
    struct seen seen[64];
    enum image_forwarding forwarding;
    const char *drained; /* the box that is; NULL: none */
    enum image_hash_key hash_key;
    uint32_t idle_ms;                   /* as a policy says; 0: it says nothing */
    uint16_t failures;                  /* in a row that eject an endpoint; 0: no policy */
    struct image_access_spec lists;     /* before its VIPs and ports; name NULL: none */
    struct image_conn_limit_spec limit; /* of its ports; name NULL: none */
    bool is_gate_of_ports_only;         /* the lists are the listeners', not the VIPs' */
    bool has_dns; /* a DNSRoute "ns/c-dns" at DNS_PORT: all below a.example goes to the endpoints,
                     what is below c.example to nobody */
};

/* A box with these endpoints in its group (texts, NULL at the end), and a secret of its own. */
struct box *box_up(uint64_t secret, const char *const *endpoints);

/* The same with other sizes and times. */
struct box *box_up_with(uint64_t secret, const char *const *endpoints,
                        void (*change)(struct l4_config *config));

/* The same whose port puts TCP segments together. */
struct box *box_up_with_lro(const char *const *endpoints);

/* The same whose packets go on by another way than NAT. */
struct box *box_up_by(enum image_forwarding forwarding, const char *const *endpoints);

/* Ends it; everything was given back, and the books are right. */
void box_down(struct box *b);

/* The group has these endpoints now. */
void box_set_endpoints(struct box *b, const char *const *endpoints);

/* An image without the route, or with it. */
void box_set_route(struct box *b, bool has_route);

/* What was counted of "ns/a-tcp" or "ns/b-udp"; NULL: nothing yet. */
const struct stats_connections *box_counts(const char *route);

/* The flows that the box tells to an observer of these states (0: all) and this port at an end (0:
 * any); how many, of which the first `most` are in `ret`. */
unsigned box_flows(struct box *b, uint32_t states, uint16_t end, struct observe_forwarded *ret,
                   unsigned most);

/* Gives the box a frame, closed, and runs it until it is quiet. */
void box_give(struct box *b, const struct packet *p);

/* Time goes by. */
void box_wait_ms(struct box *b, uint64_t ms);

/* What was sent is forgotten. */
void box_forget(struct box *b);

/* A counter. */
uint64_t box_stat(const struct box *b, enum stat_id id);

/* A datagram from one end to another. */
struct packet message(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port,
                      const void *bytes, unsigned len);

/* The same with a text. */
struct packet datagram(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port,
                       const char *text);

/* A segment with these flags. */
struct packet segment(const char *src, uint16_t src_port, const char *dst, uint16_t dst_port,
                      uint8_t flags, const char *text);

/* What says that nobody listens where the packet went. */
struct packet refusal_of(const struct seen *s);

/* The answer to what was seen, from where it went. */
struct packet answer_to(const struct seen *s, uint8_t tcp_flags, const char *text);
