/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control: how many bytes may be in flight, and how fast they go. What the rest of tcp
 * asks and tells is struct tcp_cc_ops; it never looks at which algorithm answers. Pure: an
 * algorithm gets values and changes its own memory.
 *
 *   CUBIC  cc_cubic_ops.c, of cc_cubic.c (the curve), cc_window.c (PRR), cwv.c, hystart.c
 *   BBR    cc_bbr.h tells
 */
#pragma once

#include "base/seq.h"
#include "tcp/cc_bbr.h"
#include "tcp/cc_window.h"
#include "tcp/delivery_rate.h"

#include <stdbool.h>
#include <stdint.h>

/* What an algorithm is told of the connection, whatever happens. */
struct tcp_cc_look {
    uint64_t now_us;
    uint32_t mss; /* payload of a full segment */
    uint32_t srtt_us;
    uint32_t pipe_bytes; /* held to be in the network */
    seq_t una;
    seq_t nxt;
    bool is_paced;        /* the worker spreads windows, whoever the algorithm is */
    bool has_sack;        /* more than one loss a round trip can be seen */
    bool in_recovery;     /* fast recovery */
    bool in_loss;         /* after a timeout */
    bool is_cwnd_limited; /* cwnd was what stopped the last output */
};

/* What an acknowledgement told, once it is known what it leaves lost. */
struct tcp_cc_ack {
    uint32_t delivered_bytes; /* acknowledged or SACKed for the first time */
    uint32_t una_bytes;       /* by how much SND.UNA moved */
    uint32_t lost_bytes;      /* found to be lost by it */
    uint32_t rtt_us;          /* of the oldest that was sent once; 0: none */
    bool is_dupack;
    bool is_marked; /* the peer tells of congestion by ECN */
    struct tcp_bw_newest newest;
};

/* A segment that is held to be lost. */
struct tcp_cc_lost {
    const struct tcp_bw_mark *mark;
    seq_t seq;
    uint32_t bytes;
};

/* What an algorithm tells to those who look. */
struct tcp_cc_told {
    const char *phase; /* in its own words; "": none */
    uint64_t bandwidth_bytes_per_s;
    uint64_t pacing_bytes_per_s; /* 0: it has none of its own */
    uint32_t min_rtt_us;
};

/* What general code counts for an algorithm. */
enum tcp_cc_news {
    TCP_CC_NEWS_NONE,
    TCP_CC_NEWS_HYSTART,   /* the first slow start ended because round trips became longer */
    TCP_CC_NEWS_PIPE_FULL, /* BBR's Startup has ended */
    TCP_CC_NEWS_PROBE_RTT, /* BBR lets the path run empty to measure it */
};

/* How fast: `bytes_per_s` 0: at once; after silence `burst_bytes` may go at once. */
struct tcp_cc_pace {
    uint64_t bytes_per_s;
    uint32_t burst_bytes;
};

struct tcp_cc_ops {
    const char *name;
    /* Segments are marked for it, and of those on_delivered(), on_lost() and on_app_limited() tell;
     * without, all three are NULL, and so is what would be of a mark. */
    bool has_marks;
    /* The connection begins to send; cwnd_bytes and ssthresh_bytes are those of tcp_cc_init().
     * `seed`: a number that other connections do not have. */
    void (*init)(struct tcp_cc *cc, const struct tcp_cc_look *look, uint32_t seed);
    /* A segment is about to go; `is_idle`: nothing is in flight, and nothing was for an RTO. */
    void (*before_send)(struct tcp_cc *cc, const struct tcp_cc_look *look, bool is_idle);
    /* `bytes` went; they are in look->pipe_bytes. Fills the mark. When may the next go? */
    struct tcp_cc_pace (*on_sent)(struct tcp_cc *cc, const struct tcp_cc_look *look,
                                  struct tcp_bw_mark *mark, uint32_t bytes, bool was_resent);
    /* All that may go has gone, and the application has no more. */
    void (*on_app_limited)(struct tcp_cc *cc, const struct tcp_cc_look *look);
    /* `bytes` are at the peer; what that means for the window is on_ack()'s. */
    void (*on_delivered)(struct tcp_cc *cc, uint32_t bytes, uint64_t now_us);
    /* A segment is held to be lost; on_recovery() or on_timeout() has told of the first one. */
    void (*on_lost)(struct tcp_cc *cc, const struct tcp_cc_look *look,
                    const struct tcp_cc_lost *lost);
    /* An acknowledgement was read; in recovery also: RACK's window ended. */
    enum tcp_cc_news (*on_ack)(struct tcp_cc *cc, const struct tcp_cc_look *look,
                               const struct tcp_cc_ack *ack);
    /* Fast recovery begins. */
    void (*on_recovery)(struct tcp_cc *cc, const struct tcp_cc_look *look);
    /* The retransmission timer expired, all in flight is about to be held lost; `is_first`: of this
     * episode. */
    void (*on_timeout)(struct tcp_cc *cc, const struct tcp_cc_look *look, bool is_first);
    /* F-RTO found that a timeout was none in vain; two new segments have gone (RFC 5682, 3a). */
    void (*on_timeout_stands)(struct tcp_cc *cc, const struct tcp_cc_look *look);
    /* All of the episode is acknowledged; look->in_recovery and in_loss tell which it was. */
    void (*on_recovered)(struct tcp_cc *cc, const struct tcp_cc_look *look);
    /* A tail-loss probe has repaired what nothing else told of. */
    void (*on_repaired)(struct tcp_cc *cc, const struct tcp_cc_look *look);
    /* The peer tells of a mark (ECN), the first in this window. */
    void (*on_mark)(struct tcp_cc *cc, const struct tcp_cc_look *look);
    /* The last episode was for nothing. */
    void (*undo)(struct tcp_cc *cc, const struct tcp_cc_look *look);
    /* For those who look. */
    struct tcp_cc_told (*tell)(const struct tcp_cc *cc);
    /* Asserts what always holds. */
    void (*check)(const struct tcp_cc *cc, uint32_t mss);
};

struct tcp_cc {
    const struct tcp_cc_ops *ops;
    uint32_t cwnd_bytes;
    uint32_t ssthresh_bytes; /* TCP_CWND_BYTES_MAX: none */
    union {                  /* the algorithm's memory */
        struct tcp_window window;
        struct tcp_bbr bbr;
    };
};

/* The algorithm of RFC 9438. */
extern const struct tcp_cc_ops tcp_cubic_ops;

/* The algorithm of draft-ietf-ccwg-bbr. */
extern const struct tcp_cc_ops tcp_bbr_ops;

/* A fresh connection: initial window of ten segments (RFC 6928), no threshold. */
void tcp_cc_init(struct tcp_cc *cc, const struct tcp_cc_ops *ops, uint32_t mss);

/* The initial window for segments of `mss` bytes. */
uint32_t tcp_cc_initial_window(uint32_t mss);

/* now in the unit of a field that ends in _ms. */
static inline uint32_t tcp_cc_now_ms(const struct tcp_cc_look *look)
{
    return (uint32_t)(look->now_us / 1000);
}

/* How much is unacknowledged. */
static inline uint32_t tcp_cc_flight(const struct tcp_cc_look *look)
{
    return (uint32_t)seq_diff(look->nxt, look->una);
}
