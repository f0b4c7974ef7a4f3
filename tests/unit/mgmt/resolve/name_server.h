/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name server in the test's own loop, on loopback: it says of every name what the test has told
 * it last.
 */
#pragma once

#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name_server {
    struct loop_io io;
    struct loop *loop;
    uint16_t port;
    uint8_t rcode;      /* 0, or what is answered in place of addresses: 2 SERVFAIL, 3 NXDOMAIN */
    bool is_silent;     /* it says nothing at all */
    bool is_broken;     /* its answers end too early */
    size_t n_v4;        /* addresses 192.0.2.1 and so on for a question of type A */
    size_t n_v6;        /* 2001:db8::1 and so on */
    unsigned questions; /* that came */
};

/* Begins on a port of the kernel's choice. */
void name_server_open(struct name_server *s, struct loop *loop);

/* Nobody listens there any more. */
void name_server_close(struct name_server *s);
