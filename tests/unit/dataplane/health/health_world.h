/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends in memory that behave as the test says, a virtual clock, and the checks of one worker.
 * An endpoint is 10.0.0.`host`, port 80.
 */
#pragma once

#include "abi/image.h"
#include "core/core.h"
#include "fake_stream.h"
#include "h2_peer.h"
#include "health/health.h"
#include "health/health_priv.h"
#include "unit.h"

#define HOSTS_MAX 256u
#define GROUP 4u

enum behaviour {
    WELL,        /* establishes, and answers 200 */
    ILL,         /* answers 503 */
    REFUSES,     /* RST to the SYN */
    UNREACHABLE, /* as an ICMP error says */
    SILENT,      /* SYN without an answer */
    HANGS,       /* establishes, and no more */
    CUTS,        /* closes in the middle of the head */
    RAVES,       /* answers what is no HTTP */
    TALKS,       /* a head or a handshake, and a body without end */
    HALTS,       /* a head, half the body, no more */
    HASTY,   /* answers before it reads the request, which it takes byte by byte; TLS: takes it so,
                    and ends without close_notify */
    NO_PORT, /* no connection can be opened to it */
};

struct heard {
    unsigned n;         /* checks */
    uint64_t first_us;  /* the first one */
    uint64_t last_us;   /* the last one */
    uint64_t least_us;  /* between two */
    uint64_t most_us;   /* between two */
    uint16_t port;      /* where the last one went */
    unsigned shutdowns; /* left in good order */
    unsigned resets;
    unsigned goodbyes; /* close_notify */
    char request[512]; /* the last one; HTTP/2: its fields; TLS: the name that it was asked for */
    uint8_t message[300]; /* of the last call of gRPC */
    size_t message_len;
};

struct world {
    struct core core;
    struct stats_worker stats;
    struct endpoint_table *table;
    struct health *health;
    enum behaviour hosts[HOSTS_MAX];
    struct heard heard[HOSTS_MAX];
    struct image_health policies[4]; /* change them, then world_image() */
    unsigned n_policies;
    struct h2_peer peer; /* how WELL hosts answer by HTTP/2; zero: 200, SERVING */
    size_t room;         /* of a stream, for what is sent; 0: enough */
    size_t slice_max;    /* of what comes; 0: no matter */
};

extern struct world w;

/* A worker of so many, with so many places; 0: the usual. */
void world_begin(uint8_t worker, uint8_t workers, uint32_t probes_max, uint32_t checks_max);

/* Ends it, and looks whether the books balance and everything was given back. */
void world_end(void);

/* A policy of GROUP (asked every second, half a second for an answer), in world.policies[0]. */
struct image_health *world_policy(enum image_health_check check);

/* A string of the image. */
struct image_string world_string(const char *text);

/* The policies are in force. */
void world_image(void);

/* The group consists of hosts first to last, all READY. */
void world_list(uint32_t group, unsigned first, unsigned last);

/* So many milliseconds go by. */
void world_run(uint32_t ms);

/* What checks hold the host of GROUP for: enum endpoint_checked. */
uint32_t world_checked(unsigned host);

/* Time passes until the first check has its end, which is told. */
enum health_end world_first_end(void);

/* A counter. */
uint64_t world_stat(enum stat_id id);
