/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of what the network is made of: Nodes, Pods, ClusterNetworks, StaticRoutes, BgpPeers. See
 * table_network.h. */
#include "api/table_network.h"

#include "base/container.h"
#include "model/at.h"

#include <stdio.h>
#include <string.h>

/* As kubectl shows it of a cluster's. */
static json_t *node_status(const json_t *node)
{
    const char *ready = "Unknown";
    size_t i;
    const json_t *c;
    json_array_foreach(at_path(node, "status", "conditions"), i, c)
    {
        if (strcmp(text_at(c, "type"), "Ready") == 0) {
            ready = strcmp(text_at(c, "status"), "True") == 0 ? "Ready" : "NotReady";
        }
    }
    bool is_cordoned = json_is_true(at_path(node, "spec", "unschedulable"));
    return json_sprintf("%s%s", ready, is_cordoned ? ",SchedulingDisabled" : "");
}

/* The texts of an array, or members of its objects, with commas. */
static json_t *listed(const json_t *list, const char *member, const char *type)
{
    char text[256] = "";
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        const char *one = member != NULL ? text_at(item, member) : json_string_value(item);
        size_t len = strlen(text);
        if (type == NULL || strcmp(text_at(item, "type"), type) == 0) {
            snprintf(text + len, sizeof(text) - len, "%s%s", len > 0 ? "," : "", one);
        }
    }
    return json_string(text);
}

static json_t *node_addresses(const json_t *node)
{
    return listed(at_path(node, "status", "addresses"), "address", "InternalIP");
}

static json_t *node_pods(const json_t *node)
{
    const json_t *list = at_path(node, "spec", "podCIDRs");
    return list != NULL ? listed(list, NULL, NULL)
                        : json_string(text_at(json_object_get(node, "spec"), "podCIDR"));
}

static json_t *pod_phase(const json_t *pod)
{
    return json_string(text_at(json_object_get(pod, "status"), "phase"));
}

static json_t *pod_addresses(const json_t *pod)
{
    return listed(at_path(pod, "status", "podIPs"), "ip", NULL);
}

static json_t *cluster_prefix(const json_t *cluster)
{
    return json_string(text_at(json_object_get(cluster, "spec"), "namePrefix"));
}

static json_t *cluster_endpoints(const json_t *cluster)
{
    return json_string(text_at(json_object_get(cluster, "spec"), "endpoints"));
}

static json_t *cluster_routes(const json_t *cluster)
{
    return json_string(text_at(json_object_get(cluster, "spec"), "podRoutes"));
}

static json_t *route_destination(const json_t *route)
{
    return json_string(text_at(json_object_get(route, "spec"), "destination"));
}

static json_t *route_via(const json_t *route)
{
    const json_t *spec = json_object_get(route, "spec");
    const json_t *gateways = json_object_get(spec, "gateways");
    const char *gateway = text_at(spec, "gateway");
    if (gateways != NULL) {
        return listed(gateways, NULL, NULL);
    }
    return json_string(gateway[0] != '\0' ? gateway : text_at(spec, "interface"));
}

static json_t *peer_established(const json_t *peer)
{
    size_t i;
    const json_t *c;
    json_array_foreach(at_path(peer, "status", "conditions"), i, c)
    {
        if (strcmp(text_at(c, "type"), "Established") == 0) {
            return json_string(text_at(c, "status"));
        }
    }
    return json_string("");
}

static json_t *peer_routes(const json_t *peer)
{
    return json_sprintf("%zu", json_array_size(at_path(peer, "status", "routes")));
}

static const struct {
    const char *kind, *name, *description;
    json_t *(*cell)(const json_t *object);
} columns[] = {
    {"Node", "Status", "Is traffic to go to it?", node_status},
    {"Node", "Internal-IP", "Where it is reached", node_addresses},
    {"Node", "Pods", "Prefixes of its pods", node_pods},
    {"Pod", "Status", "How far it has come", pod_phase},
    {"Pod", "IP", "Whose connections are its", pod_addresses},
    {"ClusterNetwork", "Prefix", "What the names of its Nodes and namespaces begin with",
     cluster_prefix},
    {"ClusterNetwork", "Endpoints", "What traffic goes to", cluster_endpoints},
    {"ClusterNetwork", "Pod Routes", "What leads to pods", cluster_routes},
    {"StaticRoute", "Destination", "Where it leads", route_destination},
    {"StaticRoute", "Via", "Its gateways, or interface", route_via},
    {"BgpPeer", "Established", "Are routes exchanged?", peer_established},
    {"BgpPeer", "Learned", "How many routes were taken of it", peer_routes},
};

void table_network_columns(const struct resource_type *type, json_t *ret_columns)
{
    for (size_t i = 0; i < array_len(columns); i++) {
        if (strcmp(columns[i].kind, type->kind) == 0)
            json_array_append_new(ret_columns,
                                  json_pack("{s:s,s:s,s:s,s:s,s:i}", "name", columns[i].name,
                                            "type", "string", "format", "", "description",
                                            columns[i].description, "priority", 0));
    }
}

void table_network_cells(const struct resource_type *type, const json_t *object, json_t *ret_cells)
{
    for (size_t i = 0; i < array_len(columns); i++) {
        if (strcmp(columns[i].kind, type->kind) == 0)
            json_array_append_new(ret_cells, columns[i].cell(object));
    }
}
