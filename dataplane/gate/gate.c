/* SPDX-License-Identifier: Apache-2.0 */
/* Frames at the gate. See gate.h. */
#include "base/assert.h"
#include "gate/gate_priv.h"
#include "net/net_wire.h"
#include "route/access.h"

#include <rte_mbuf.h>

/* Frames that wait for memory together. */
#define TOGETHER_MAX 32u

struct gate *gate_new(const struct gate_around *around)
{
    struct gate *g = core_memory(around->core, sizeof(*g), "gate");
    *g = (struct gate){.core = around->core, .tcp = around->tcp, .l4 = around->l4};
    return g;
}

void gate_set_image(struct gate *g, const struct image_view *view)
{
    bool has_lists = view->n_gate_uses > 0;
    g->view = has_lists ? view : NULL;
    g->has_conns = has_lists;
    g->has_flows = has_lists;
    g->next_conn = 0;
    g->next_flow = 0;
}

static enum stat_id counter_of(enum route_access says)
{
    switch (says) {
    case ROUTE_ACCESS_DENIED:
        return STAT_gate_drop_denied;
    case ROUTE_ACCESS_NOT_ALLOWED:
        return STAT_gate_drop_not_allowed;
    case ROUTE_ACCESS_ALLOWED:
        break;
    }
    return STAT_COUNT;
}

/* What the lists before a VIP say. */
static enum stat_id judge_vip(const struct gate *g, const struct ip_addr *vip, enum gate_kind kind,
                              const struct ip_addr *client)
{
    const struct image_gate *gate = image_gate_find(g->view, vip);
    if (gate == NULL || kind == GATE_NEIGHBOR)
        return STAT_COUNT;
    enum route_access says =
        route_access_of_all(g->view, gate->first_use, gate->n_uses, client, kind == GATE_PACKET);
    return counter_of(says);
}

enum stat_id gate_judge_end(const struct gate *g, const struct ip_addr *local, uint16_t port,
                            bool is_udp, const struct ip_addr *client)
{
    uint32_t index = image_bind_find(g->view, local, port, is_udp);
    if (index == IMAGE_NONE)
        return judge_vip(g, local, GATE_PACKET, client);
    const struct image_bind *bind = &g->view->binds[index];
    if (bind->is_proxied) /* its header tells who the client is: see proxy/conn_header.c */
        return STAT_COUNT;
    return counter_of(route_access_of_all(g->view, bind->first_gate, bind->n_gates, client, true));
}

/* The counter against a frame; STAT_COUNT: none. */
static enum stat_id judge(const struct gate *g, const struct rte_mbuf *m)
{
    struct gate_look l;
    if (!gate_read(m, &l))
        return STAT_COUNT;
    if (l.has_port)
        return gate_judge_end(g, &l.dst, l.port, l.proto == IPPROTO_NUM_UDP, &l.src);
    return judge_vip(g, &l.dst, l.kind, &l.src);
}

/* A few frames; returns how many it left. `left` may lie over `frames`. */
static unsigned input(struct gate *g, struct rte_mbuf **frames, unsigned n, struct rte_mbuf **left)
{
    unsigned n_left = 0;
    for (unsigned i = 0; i < n; i++)
        __builtin_prefetch(rte_pktmbuf_mtod(frames[i], const void *));
    for (unsigned i = 0; i < n; i++) {
        struct rte_mbuf *m = frames[i];
        enum stat_id against = judge(g, m);
        if (against == STAT_COUNT) {
            left[n_left++] = m;
            continue;
        }
        stat_inc(g->core, against);
        rte_pktmbuf_free(m);
    }
    return n_left;
}

unsigned gate_input(struct gate *g, struct rte_mbuf **frames, unsigned n)
{
    unsigned left = 0;
    if (g->view == NULL)
        return n;
    for (unsigned done = 0; done < n; done += TOGETHER_MAX) {
        unsigned together = n - done < TOGETHER_MAX ? n - done : TOGETHER_MAX;
        left += input(g, frames + done, together, frames + left);
    }
    return left;
}

bool gate_denies(void *owner, const struct rte_mbuf *m)
{
    struct gate *g = owner;
    enum stat_id against = g->view == NULL ? STAT_COUNT : judge(g, m);
    if (against != STAT_COUNT)
        stat_inc(g->core, against);
    return against != STAT_COUNT;
}
