/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The groups that we left (RFC 3810, section 6.1): each is told NET_MLD_TIMES times, so that a
 * switch stops sending for it at once and not when nobody answered for minutes. They lie in a list
 * of their own, for the tables that they were in are soon overwritten; one that is joined again
 * meanwhile is not told any more, nor one whose interface is gone. RFC 2710's Done goes once.
 *
 * Owner: struct net. Thread: the worker; worker 0 alone tells. Bound: NET_MLD_LEFT_MAX groups,
 * NET_MLD_REPORTS_MAX frames each NET_ANNOUNCE_PAUSE_US.
 */
#pragma once

#include "base/wheel.h"
#include "net/net.h"
#include "net/net_limits.h"

/* A solicited-node group of an interface: the last three bytes are what is its own. */
struct mld_left {
    uint16_t port;
    uint16_t vlan;
    uint8_t suffix[3];
    uint8_t times_left; /* 0: told */
};

#define MLD_JOINED_SLOTS (3u * NET_ADDRESSES_MAX)
static_assert(MLD_JOINED_SLOTS >= 2 * (NET_ADDRESSES_MAX + NET_INTERFACES_MAX), "half full");

struct mld_leave {
    struct wheel_timer timer; /* armed: the walk goes on then */
    uint32_t n;               /* groups in the list */
    uint32_t next;            /* position of the walk; UINT32_MAX: it rests until the timer */
    uint32_t resume;          /* where it goes on then */
    struct mld_left left[NET_MLD_LEFT_MAX];
    uint32_t joined[MLD_JOINED_SLOTS]; /* the groups that we are in: a hash; 0: free */
};

struct net_tables;

/* Nothing was left. */
void mld_leave_init(struct net *n);

/* Forgets what was to be told. */
void mld_leave_done(struct net *n);

/* The tables in use took the place of `then`: notes what was left by it. */
void mld_leave_note(struct net *n, const struct net_tables *then);

/* Goes on with the walk, a bounded part. Returns how many reports it made. */
unsigned mld_leave_poll(struct net *n);
