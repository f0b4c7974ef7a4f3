/* SPDX-License-Identifier: Apache-2.0 */
/* Of an image what is passed on: listeners, routes of kinds TLS, TCP and UDP. */
#include "base/assert.h"
#include "sim.h"
#include "sim_config.h"

/* A route with one rule that leads to the group, attached to the listener. */
static void add_route(struct image_builder *b, enum image_route_kind kind, const char *name,
                      uint32_t group, uint32_t listener, const char *host)
{
    static const struct image_match_spec all = {.path_kind = IMAGE_PATH_PREFIX, .path = "/"};
    int fault = image_builder_route_of(b, kind, name, 1);
    ASSERT(fault == 0);
    uint32_t rule = image_builder_rule(b, 0);
    ASSERT(rule != IMAGE_NONE);
    fault = image_builder_backend(b, "sim/svc-passed:80", group, 1);
    ASSERT(fault == 0);
    fault = image_builder_match(b, &all);
    ASSERT(fault == 0);
    fault = image_builder_attach(b, listener, host);
    ASSERT(fault == 0);
}

uint32_t sim_config_add_pass_listeners(struct sim_box *box, struct image_builder *b,
                                       struct sim_config_passed *ret)
{
    ret->tcp = sim_config_listener(box, b, "sim/gw/tcp", "", IMAGE_PROTOCOL_TCP, SIM_TCP_PORT);
    ret->passed = sim_config_listener(box, b, "sim/gw/passed", SIM_PASS_NAME, IMAGE_PROTOCOL_TLS,
                                      SIM_MIX_PORT);
    ret->ended = sim_config_listener(box, b, "sim/gw/ended", SIM_ENDED_NAME,
                                     IMAGE_PROTOCOL_TLS_TERMINATED, SIM_MIX_PORT);
    return sim_config_listener(box, b, "sim/gw/mix", SIM_NAME, IMAGE_PROTOCOL_HTTPS, SIM_MIX_PORT);
}

void sim_config_add_udp_route(struct image_builder *b, uint32_t listener)
{
    add_route(b, IMAGE_ROUTE_UDP, "sim/y-udp", SIM_GROUP_UDP, listener, "");
}

void sim_config_add_pass_routes(struct image_builder *b, const struct sim_config_passed *p)
{
    add_route(b, IMAGE_ROUTE_TCP, "sim/v-tcp", SIM_GROUP_TCP, p->tcp, "");
    add_route(b, IMAGE_ROUTE_TLS, "sim/w-passed", SIM_GROUP_PASSED, p->passed, SIM_PASS_NAME);
    add_route(b, IMAGE_ROUTE_TLS, "sim/x-ended", SIM_GROUP_ENDED, p->ended, SIM_ENDED_NAME);
}
