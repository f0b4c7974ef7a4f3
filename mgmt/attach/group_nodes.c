/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints of a Service whose cluster is reached by its Nodes: their addresses with the Service's
 * nodePort, which a Node leads on to a pod. Without externalTrafficPolicy Local to any pod, so
 * every Node does; with it only to those of its own, so only Nodes that have one do.
 */
#include "attach/attach_priv.h"

#include <string.h>

/* What endpoints of the slices each Node has. */
static void find_local(struct attach *a, const struct at_group *g, const struct at_slice *slices,
                       uint32_t n)
{
    for (uint32_t i = 0; i < a->n_nodes; i++) {
        memset(a->nodes[i].local, 0, sizeof(a->nodes[i].local));
    }
    for (uint32_t s = 0; s < n; s++) {
        bool is_v4 = strcmp(text_at(slices[s].obj, "addressType"), "IPv4") == 0;
        bool has_port = group_slice_port(slices[s].obj, g) != 0;
        size_t i;
        const json_t *endpoint;
        json_array_foreach(json_object_get(slices[s].obj, "endpoints"), i, endpoint)
        {
            uint32_t at = has_port ? node_find(a, text_at(endpoint, "nodeName")) : PLAN_NONE;
            if (at != PLAN_NONE) {
                a->nodes[at].local[is_v4 ? AT_V4 : AT_V6] |= group_endpoint_flags(endpoint);
            }
        }
    }
}

/* What a Node that has such endpoints is to get; false: it is no endpoint. */
static bool flags_with(uint32_t local, uint32_t *flags)
{
    if ((local & ENDPOINT_READY) == 0 && (*flags & ENDPOINT_SERVING) != 0) {
        *flags = ENDPOINT_SERVING | ENDPOINT_TERMINATING; /* the last one is on its way out */
    }
    return (local & (ENDPOINT_READY | ENDPOINT_SERVING)) != 0;
}

uint32_t group_nodes_read(struct attach *a, const struct at_group *g, const struct at_slice *slices,
                          uint32_t n_slices, struct endpoint *list)
{
    uint32_t n = 0;
    if (g->is_local) {
        find_local(a, g, slices, n_slices);
    }
    for (uint32_t i = 0; i < a->n_nodes * AT_FAMILIES; i++) {
        const struct at_node *node = &a->nodes[i / AT_FAMILIES];
        enum at_family family = (enum at_family)(i % AT_FAMILIES);
        struct endpoint e = {.addr = node->addresses[family],
                             .port = g->node_port,
                             .weight = 1,
                             .flags = node->flags};
        if (node->cluster == g->by_nodes && g->has_family[family] && !ip_addr_is_zero(&e.addr) &&
            (!g->is_local || flags_with(node->local[family], &e.flags))) {
            list[n++] = e;
        }
    }
    return n;
}

void group_nodes_set(const struct attach *a, struct at_group *g, const char *namespace,
                     const json_t *service, const json_t *port)
{
    const json_t *spec = json_object_get(service, "spec");
    const struct at_cluster *cluster = cluster_of(a, namespace);
    if (cluster == NULL || !cluster->is_by_node) {
        return;
    }
    const json_t *families = json_object_get(spec, "ipFamilies");
    size_t i;
    const json_t *family;
    json_array_foreach(families, i, family)
    {
        g->has_family[strcmp(json_string_value(family), "IPv4") == 0 ? AT_V4 : AT_V6] = true;
    }
    if (json_array_size(families) == 0) {
        g->has_family[AT_V4] = g->has_family[AT_V6] = true;
    }
    g->by_nodes = cluster;
    g->node_port = (uint16_t)int_at(port, "nodePort");
    g->is_local = strcmp(text_at(spec, "externalTrafficPolicy"), "Local") == 0;
}
