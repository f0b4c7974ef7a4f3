/* SPDX-License-Identifier: Apache-2.0 */
/* See keepalived_config.h. */
#include "routing/keepalived_config.h"

static const char head[] =
    "# Written by sluice-mgmtd from VirtualRouters. What is changed here is lost.\n";

/* The name is what the dataplane reads out of the FIFO. */
static void write_instance(const struct keepalived_router *r, const struct ip_addr *address,
                           FILE *to)
{
    char text[IP_ADDR_TEXT_MAX];
    bool is_v4 = ip_addr_is_v4(address);
    fprintf(to, "vrrp_instance v%c-%u {\n    version 3\n    state BACKUP\n    interface %s\n",
            is_v4 ? '4' : '6', r->id, r->link);
    fprintf(to, "    virtual_router_id %u\n    priority %u\n    advert_int %u.%02u\n", r->id,
            r->priority, r->advert_ms / 1000, r->advert_ms % 1000 / 10);
    if (!r->is_preempting) {
        fputs("    nopreempt\n", to);
    }
    fprintf(to, "    virtual_ipaddress {\n        %s/%u\n    }\n}\n", ip_addr_format(address, text),
            is_v4 ? 32u : 128u);
}

void keepalived_config_write(const struct keepalived_router *routers, uint32_t n, const char *fifo,
                             FILE *to)
{
    fputs(head, to);
    /* The TAPs come and go with the dataplane. */
    fprintf(to, "global_defs {\n    router_id sluice\n    dynamic_interfaces allow_if_changes\n");
    fprintf(to, "    vrrp_notify_fifo %s\n}\n", fifo);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < routers[i].n_addresses; k++) {
            write_instance(&routers[i], &routers[i].addresses[k], to);
        }
    }
}
