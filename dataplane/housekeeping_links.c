/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports of several devices (drivers/net/active_backup.c): looks at the carriers of their members,
 * and turns to another one where the one in use has none. A port stays with the member that it
 * has turned to: going back would be one more change that nobody needs. Thread: housekeeping's.
 */
#include "housekeeping_priv.h"

#include "core/links.h"
#include "core/port_setup.h"

/* The port's members that have a carrier, as bits. */
static unsigned look(const struct housekeeping *h, const struct port_setup *port)
{
    unsigned up = 0;
    for (unsigned i = 0; i < port->n_members; i++)
        up |= h->has_carrier(port->members[i].name) ? 1u << i : 0;
    return up;
}

/* Returns how many of its members have no carrier. */
static unsigned follow(struct housekeeping *h, const struct port_setup *port)
{
    unsigned up = look(h, port);
    unsigned active = links_active(h->links, port->info.index);
    if (up != 0 && (up >> active & 1) == 0) {
        unsigned next = (unsigned)__builtin_ctz(up);
        links_set(h->links, port->info.index, next);
        housekeeping_count(h, STAT_core_link_changes);
        housekeeping_report("port %s: %s has no carrier, %s is used", port->info.name,
                            port->members[active].name, port->members[next].name);
    }
    return port->n_members - (unsigned)__builtin_popcount(up);
}

void housekeeping_links_follow(struct housekeeping *h)
{
    uint64_t now = housekeeping_now_ms();
    unsigned down = 0;
    if (h->links == NULL || now - h->links_ms < LINKS_LOOK_MS)
        return;
    h->links_ms = now;
    for (unsigned i = 0; i < h->n_ports; i++)
        down += follow(h, &h->ports[i]);
    h->stats->counters[STAT_core_links_down_now] = down;
}
