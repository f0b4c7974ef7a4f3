/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to name servers, one at a time or many, without waiting: c-ares on the loop's
 * descriptors and timers. The only file that knows it is lookup.c.
 *
 * Which name servers: those that are given, or those of /etc/resolv.conf, which is read again after
 * a failure. Each question is asked RESOLVE_TRIES_MAX times, by TCP too where the answer says that
 * it was cut off (RFC 7766), without search domains and hosts files.
 *
 * Owner: resolve. Thread: the loop's. Errors: negative errno.
 */
#pragma once

#include "resolve/entry.h"

#include <stdint.h>

#define RESOLVE_TRY_MS 2000u    /* until a name server is asked again, or the next one */
#define RESOLVE_TRIES_MAX 3u    /* of each name server */
#define RESOLVE_UDP_BYTES 1232u /* that an answer may have: what passes everywhere in one piece */

struct loop;
struct lookup;

/* Once for each question; maybe before lookup_ask() returns. `reply` is lent for the call. */
typedef void (*lookup_fn)(void *arg, const struct resolve_reply *reply);

/* `servers`: addresses with commas between, "192.0.2.53,[2001:db8::53]:5353"; NULL: the system's.
 * -EINVAL: they are none. */
int lookup_new(struct loop *loop, const char *servers, struct lookup **ret);

/* Questions that are not answered yet are forgotten without a call. NULL is fine. */
void lookup_free(struct lookup *l);

/* Asks for the addresses of a name. */
void lookup_ask(struct lookup *l, const char *name, enum resolve_family family, lookup_fn fn,
                void *arg);
