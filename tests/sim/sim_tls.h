/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS of hosts, as a stream over a stream (core/stream.h): OpenSSL on pairs of memory BIOs, written
 * apart from dataplane/tls on purpose. A client verifies whom it meets, resumes sessions, and may
 * do what clients do that are slow, rude or gone in the middle of a handshake.
 *
 * Memory is given back by sim_tls_reap() only, so that nobody is freed under somebody's feet.
 * Owner: the simulator; a stream its owner's.
 */
#pragma once

#include "base/list.h"
#include "core/stream.h"
#include "sim_certs.h"
#include "sim_limits.h"

#include <stdbool.h>
#include <stdint.h>

struct sim;
struct sim_host;
struct sim_tls;
struct ssl_ctx_st;
struct ssl_session_st;

/* How and with whom a client shakes hands. */
struct sim_tls_want {
    const char *server_name; /* NULL: none is named */
    const char *alpn;        /* the one protocol that is offered; NULL: none */
    bool is_tls12;           /* speaks 1.2 at most, */
    bool is_tls11;           /* or 1.1 */
    bool is_rsa;             /* takes signatures by RSA only */
    bool asks_twice;         /* its first key share is of a group that the appliance has not */
    bool resumes;            /* with the host's last session, if there is one */
    bool trusts_nobody;
    bool is_passed_on;    /* it is a backend that it meets: the appliance does not count it */
    bool is_curt;         /* lets go without close_notify */
    uint32_t piece_bytes; /* the handshake goes out in such pieces, a moment between; 0: whole */
    uint32_t cut_flight;  /* 1, 2: nothing more goes out of the first or second flight */
    uint32_t cut_bytes;   /* after so many of its bytes; 0: all goes out */
};

/* How handshakes of clients ended, seen by them. */
struct sim_tls_counts {
    uint32_t full, resumed;
    uint32_t failed; /* of sessions (sim_client.h), that should not */
};

/* What all hosts share. */
struct sim_tls_env {
    struct sim *sim;
    struct ssl_ctx_st *clients;
    struct ssl_ctx_st *servers[SIM_CERT_COUNT];
    struct ssl_session_st *sessions[SIM_CLIENTS_MAX][2]; /* the last of each host, of those who take
                                                            signatures by RSA only apart */
    struct list_node all;
    unsigned n_dead;
    struct sim_tls_counts counts;
};

/* Makes it; sim_certs_make() was called. Without TLS in the plan it stays empty. */
void sim_tls_init(struct sim_tls_env *env, struct sim *sim);

/* What peers of the context are shown. */
void sim_tls_use_identity(struct ssl_ctx_st *context, const struct sim_pem *pem);

/* A client's end over `lower`, which is opening. STREAM_WRITABLE comes when hands are shaken. */
struct stream *sim_tls_connect(struct sim_host *host, struct stream *lower,
                               const struct sim_tls_want *want);

/* A server's end over `lower`, which was accepted. `on_open` is called when hands are shaken, and
 * sets the stream's owner; false: it let it go. */
void sim_tls_accept(struct sim_host *host, struct stream *lower, enum sim_cert cert,
                    bool (*on_open)(struct sim_host *host, struct stream *s));

/* What ALPN chose; "": nothing. */
const char *sim_tls_alpn(const struct stream *s);

/* Are hands shaken? */
bool sim_tls_is_open(const struct stream *s);

/* Has all gone out that is before the cut? */
bool sim_tls_is_cut(const struct stream *s);

/* The library's reason for a failed handshake; 0: there is none. */
int sim_tls_reason(const struct stream *s);

/* Frees those that are over. */
void sim_tls_reap(struct sim_tls_env *env);

/* Frees all, and what they share: the run is over, and so are the streams below. */
void sim_tls_free(struct sim_tls_env *env);
