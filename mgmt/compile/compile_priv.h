/* SPDX-License-Identifier: Apache-2.0 */
/* Private to compile*.c: one run. */
#pragma once

#include "compile/compile.h"
#include "compile/image_builder.h"

#define COMPILE_PATH_BYTES 4096u /* a path of 1024 bytes, each of them encoded, and its slash */
#define COMPILE_NAME_BYTES 1024u /* of a listener's name: four parts of 253 bytes each at most */

struct compile {
    const struct compile_input *in;
    const struct plan *plan;
    struct image_builder *b;
    uint32_t *interfaces;  /* of the plan -> of the image; IMAGE_NONE: left out */
    uint32_t *listeners;   /* of the plan -> of the image; IMAGE_NONE: left out */
    uint32_t *client_sets; /* likewise */
};

/* Tells that something is left out. */
__attribute__((format(printf, 2, 3))) void compile_note(const struct compile *c, const char *format,
                                                        ...);

/* A prefix in mapped form: its length, and its address with nothing behind the length. */
void compile_prefix(const struct plan_prefix *prefix, struct ip_addr *ret_addr, uint8_t *ret_len);

/* Interfaces, addresses, egress routes. */
void compile_network(struct compile *c);

/* Clients that have listeners of Services of their own. */
void compile_clients(struct compile *c);

/* The set of the image with these clients; IMAGE_NONE: it has none. */
uint32_t compile_client_set(const struct compile *c, const char *namespace);

/* Listeners that are served, and where; after compile_clients(). */
void compile_listeners(struct compile *c);

/* Routes in order of precedence, each with its rules and hostnames. 0 or -ENOMEM. */
int compile_routes(struct compile *c);

/* The path in the form that requests are matched in. False: it has none. */
bool compile_path(const char *path, char buf[COMPILE_PATH_BYTES]);

/* The lists of an AccessPolicy or a SourceList. */
struct image_access_spec compile_lists(const struct plan_access *access);

/* An AccessPolicy of the rule begun last. 0, or -EINVAL: it cannot be carried out. */
int compile_access(struct compile *c, const struct plan_access *access);

/* Session persistence of the rule begun last. 0, or -EINVAL: it cannot be carried out. */
int compile_session(struct compile *c, const struct plan_route *route,
                    const struct plan_rule *rule);

/* Says how connections to the group's endpoints are made. False: they cannot be secured as its
 * policy wants, so nobody may connect, least of all in the clear. */
bool compile_group(struct compile *c, const struct plan_group *group, uint32_t id);

/* One rule of the route begun last. */
void compile_rule(struct compile *c, const struct plan_route *route, const struct plan_rule *rule);
