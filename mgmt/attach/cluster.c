/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ClusterNetworks: how the pods of a cluster are reached. Several clusters that are mirrored to one
 * appliance are told apart by what their names begin with: those of Nodes, and of the namespaces
 * that Services are in. What no ClusterNetwork is for is reached as a cluster says it: by the
 * addresses of its EndpointSlices, and the ways that are configured.
 */
#include "attach/attach_priv.h"

#include <string.h>

void cluster_run(struct attach *a)
{
    const json_t **objects = collect_by_name(a, MODEL_CLUSTER_NETWORK, &a->n_clusters);
    a->clusters = ARENA_ARRAY(a->arena, struct at_cluster, a->n_clusters);
    for (uint32_t i = 0; i < a->n_clusters; i++) {
        const json_t *spec = json_object_get(objects[i], "spec");
        a->clusters[i] = (struct at_cluster){
            .name = text_at(json_object_get(objects[i], "metadata"), "name"),
            .prefix = text_at(spec, "namePrefix"),
            .is_by_node = strcmp(text_at(spec, "endpoints"), "Node") == 0,
            .has_pod_routes = strcmp(text_at(spec, "podRoutes"), "Node") == 0,
        };
    }
}

const struct at_cluster *cluster_of(const struct attach *a, const char *name)
{
    const struct at_cluster *found = NULL;
    for (uint32_t i = 0; i < a->n_clusters; i++) {
        const struct at_cluster *c = &a->clusters[i];
        size_t bytes = strlen(c->prefix);
        if (strncmp(name, c->prefix, bytes) == 0 &&
            (found == NULL || bytes > strlen(found->prefix))) {
            found = c;
        }
    }
    return found;
}
