/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of sluice-dataplane. Pure but for looking at the machine's CPUs. */
#pragma once

#include "core/core.h"
#include "drivers/net/driver.h"
#include "net/net.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_CPUS_MAX 256u
#define OPTIONS_CONNS_MAX (4u << 20) /* client connections a worker: more than its memory holds */

/* Each has a lane to each worker, and so many lanes a worker may have (TLS_LANES_MAX). */
#define OPTIONS_CRYPTO_CORES_MAX 16u

/* Exit status; CORE_EXIT_NO_MEMORY is 3. */
#define EXIT_FAILED 1
#define EXIT_OPTIONS 2

enum idle_mode {
    IDLE_POLL,     /* never sleep: a core of its own, the lowest latency */
    IDLE_ADAPTIVE, /* sleep up to 500 us when there is nothing to do */
};

/* Of so many requests one at least is in the access log. */
#define OPTIONS_ACCESS_ONE_IN_MAX 1000000u

/* Who rests for longer than a day is gone. */
#define OPTIONS_TUNNEL_IDLE_S_MAX 86400u

struct options {
    const char *run_dir;
    const char *state_dir;
    unsigned workers;
    enum idle_mode idle;
    enum net_probe probe;
    unsigned mem_mb;
    unsigned conns;         /* client connections a worker */
    unsigned tunnel_idle_s; /* until a tunnel without a byte ends; 0: the proxy's default */
    unsigned n_ports;
    struct net_options ports[PORTS_MAX];
    const char *exception_netns; /* where the ports' taps are; NULL: no port has one */
    unsigned n_cpus;
    uint16_t cpus[OPTIONS_CPUS_MAX]; /* to run on; fewer than lcores: they share */
    unsigned crypto_cores;           /* for TLS handshakes; 0: workers do them */
    const char *crypto_provider;     /* of OpenSSL's, with a device; NULL: none */
    const char *access_log;          /* a file; NULL: none */
    unsigned access_one_in;          /* of so many requests one is logged; 0: none but errors */
    bool access_has_errors;          /* and all that were answered 500 and above, or not wholly */
    uint64_t access_fields;          /* access/access_line.h: as bits */
    bool wants_help;
    bool wants_version;
};

/* Parses the command line. False: *ret_fault says what is wrong. */
bool options_parse(int argc, char **argv, struct options *ret, struct net_fault *ret_fault);

/* The usage text. */
void options_print_help(void);
