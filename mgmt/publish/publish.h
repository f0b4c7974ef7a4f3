/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mgmtd's end of the control socket: hands images and endpoint records to the dataplane, hears
 * which generation every worker serves. Connects by itself and again after the dataplane restarts;
 * says so by upcall, and then its owner gives it everything anew (what was queued for the old
 * connection is forgotten).
 *
 * No more than PUBLISH_UNANSWERED_MAX messages wait for their answers; the rest waits here.
 * Messages go out in the order given, so endpoints of a new group arrive before the image that
 * names it. What waits in the queue is replaced by a newer record of the same group or a newer
 * image or segment of keys: the queue never holds more than one message a group and one of each.
 *
 * Owner: the daemon. Thread: the loop's. Errors: negative errno.
 */
#pragma once

#include "abi/control.h"
#include "abi/endpoints.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUBLISH_RETRY_US 100000u /* between attempts to reach a dataplane that is not there */
#define PUBLISH_UNANSWERED_MAX                                                                     \
    64u /* messages on their way: their answers fit into a socket of the kernel's usual size */

struct loop;
struct publish;

struct publish_upcalls {
    /* The dataplane is there: what it serves. `telemetry_fd` is lent for the call. */
    void (*on_connected)(void *owner, const struct control_welcome *welcome, int telemetry_fd);
    /* It is gone. */
    void (*on_disconnected)(void *owner);
    /* Every worker serves this generation or a later one. */
    void (*on_generation)(void *owner, uint64_t generation);
    /* An image (result->type CONTROL_PUBLISH), keys (CONTROL_KEYS) or a record was refused. The old
     * one serves on. */
    void (*on_refused)(void *owner, const struct control_result *result);
    void *owner;
};

/* Makes it and begins to connect to <run_dir>/dataplane.sock. -ENOMEM. */
int publish_new(struct loop *loop, const char *run_dir, const struct publish_upcalls *upcalls,
                struct publish **ret);

/* Ends the connection without a word. NULL is fine. */
void publish_free(struct publish *p);

/* Is there a dataplane that said WELCOME? */
bool publish_is_connected(const struct publish *p);

/* Queues an image of `len` bytes as a sealed memfd. -ENOTCONN, -ENOMEM, or the errno of
 * memfd_create(). */
int publish_image(struct publish *p, uint64_t generation, const void *image, size_t len);

/* Queues a segment of keys (abi/keys.h) of `len` bytes likewise; before the image that needs it. */
int publish_keys(struct publish *p, const void *keys, size_t len);

/* Sends what waits as far as the socket takes it, now and not when the loop comes round. */
void publish_flush(struct publish *p);

/* Queues a group's record with these flags (enum endpoint_record_flags); checksum and version are
 * filled in here. -ENOTCONN, -EINVAL (too many endpoints, no such group), -ENOMEM. */
int publish_endpoints(struct publish *p, uint32_t group, uint16_t flags,
                      const struct endpoint *endpoints, uint32_t count);
