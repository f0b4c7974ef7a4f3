/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /livez, /readyz and /metrics (OpenMetrics 1.0) over plain HTTP, as pods have them: by the
 * product's own http module over the loop's sockets. GET and HEAD only; a body is refused.
 *
 * Owner: main(). Thread: the loop's.
 */
#pragma once

#include "base/ip_addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct loop;
struct probe;

/* Connections at once: kubelet's and two scrapers', with room. */
#define PROBE_CONNS_MAX 32u
/* A request's head, and an answer that nobody takes. */
#define PROBE_MS_MAX 10000u
#define PROBE_IDLE_MS_MAX 60000u

struct probe_config {
    struct loop *loop;
    struct ip_addr addr; /* all zero: any */
    uint16_t port;       /* 0: the kernel chooses */
    void *owner;
    bool (*is_ready)(void *owner, char *text, size_t size); /* and why not, in words */
    void (*metrics)(void *owner, FILE *out); /* OpenMetrics without "# EOF", which is added */
};

/* Listens. -EADDRINUSE and the like. */
int probe_new(const struct probe_config *config, struct probe **ret);

/* Ends all connections. NULL is fine. */
void probe_free(struct probe *p);

/* The port that it listens on. */
uint16_t probe_port(const struct probe *p);

/* "192.0.2.1:8080", "[2001:db8::1]:8080", ":8080" (any address). */
bool probe_parse_listen(const char *text, struct ip_addr *ret_addr, uint16_t *ret_port);

/* Begins a metric family: name without "_total", kind "counter" or "gauge". */
void probe_family(FILE *out, const char *name, const char *kind, const char *help);

/* One of its samples; of an appliance's, `appliance` is its label's value (NULL: no label). */
void probe_sample(FILE *out, const char *name, const char *kind, const char *appliance,
                  uint64_t value);
