/* SPDX-License-Identifier: Apache-2.0 */
/* What mgmtd would do: images and endpoints for the appliance of a run, and their changes. */
#pragma once

#include "compile/image_builder.h"
#include "sim_box.h"

/* The first image and all endpoint groups; plans the first changes. */
void sim_config_begin(struct sim_box *b);

/* Carries out the changes that are due, and gives back what nobody holds any more. Returns true if
 * anything was done. */
bool sim_config_poll(struct sim_box *b, uint64_t now_us);

/* --- what sim_config.c and sim_config_pass.c share --- */

/* The listeners of what is passed on. */
struct sim_config_passed {
    uint32_t tcp, passed, ended;
};

/* A listener at all addresses, with the certificates that it needs. */
uint32_t sim_config_listener(struct sim_box *box, struct image_builder *b, const char *name,
                             const char *host, enum image_protocol protocol, uint16_t port);

/* Those of what is passed on. Returns the one of HTTPS that shares their port. */
uint32_t sim_config_add_pass_listeners(struct sim_box *box, struct image_builder *b,
                                       struct sim_config_passed *ret);

/* The route of datagrams, the last of all. */
void sim_config_add_udp_route(struct image_builder *b, uint32_t listener);

/* Their routes, which come behind all others. */
void sim_config_add_pass_routes(struct image_builder *b, const struct sim_config_passed *p);
