/* SPDX-License-Identifier: Apache-2.0 */
/* sluice-mgmtd's command line. Owner: main(). Thread: one. */
#pragma once

#include "base/ip_addr.h"

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_PORT_DEFAULT 8443u
#define OPTIONS_BIRD_SOCKET_DEFAULT "/run/bird/bird.ctl"
#define OPTIONS_KEEPALIVED_PID_DEFAULT "/run/keepalived.pid"
#define OPTIONS_RESOLVERS_MAX 3u /* as resolv.conf(5) has it */

struct options {
    const char *run_dir;
    const char *state_dir;
    const char *bootstrap_token_file; /* NULL: the token is only printed */
    const char *controller_name;      /* NULL: the default one */
    const char *system_ca;            /* a file */
    const char *bird_config;          /* a file; NULL: BIRD is not configured */
    const char *bird_socket;
    const char *keepalived_config; /* a file; NULL: keepalived is not configured */
    const char *keepalived_pid;
    unsigned n_resolvers;
    char resolvers[OPTIONS_RESOLVERS_MAX * (IP_ADDR_TEXT_MAX + 9)]; /* "": the system's */
    struct ip_addr listen_addr;                                     /* all zero: any */
    uint16_t listen_port;
};

/* Reads it. 0; 1: help was asked for and printed; -EINVAL: it is wrong, and stderr says why. */
int options_parse(int argc, char **argv, struct options *ret);
