/* SPDX-License-Identifier: Apache-2.0 */
/* What changed since the last run. Owner: reconcile; thread: the loop's. See touched.h. */
#include "reconcile/touched.h"

#include "base/container.h"
#include "model/at.h"

#include <string.h>

#define GROUP ".gateway.networking.k8s.io"
#define OUR_GROUP ".sluice.internal"
#define SLICES "endpointslices.discovery.k8s.io"
#define NODES "nodes"
#define PEERS "bgppeers.sluice.internal"

static void drop_versions(struct touched *t)
{
    for (size_t i = 0; i < t->n; i++)
        json_decref(t->versions[i]);
    t->n = 0;
}

void touched_set_all(struct touched *t)
{
    drop_versions(t);
    t->is_all = true;
}

void touched_clear(struct touched *t)
{
    drop_versions(t);
    t->is_all = false;
}

static void add_version(struct touched *t, json_t *version)
{
    if (t->is_all || version == NULL)
        return;
    if (t->n == RECONCILE_TOUCHED_MAX) {
        touched_set_all(t);
        return;
    }
    t->versions[t->n++] = json_incref(version);
}

/* Is it one of those that attach_update() looks at one by one? */
static bool is_single(const char *resource)
{
    static const char *const singles[] = {
        "httproutes" GROUP, "grpcroutes" GROUP,    "tlsroutes" GROUP,   "tcproutes" GROUP,
        "udproutes" GROUP,  "dnsroutes" OUR_GROUP, "listenersets" GROUP};
    bool is = false;
    for (size_t i = 0; i < array_len(singles); i++)
        is |= strcmp(resource, singles[i]) == 0;
    return is;
}

/* The one status that something follows from: what a BgpPeer has told. */
static bool has_other_routes(const struct store_change *c)
{
    const json_t *was = at_path(c->old, "status", "routes");
    const json_t *now = at_path(c->object, "status", "routes");
    return strcmp(c->resource, PEERS) == 0 && was != now &&
           (was == NULL || now == NULL || !json_equal(was, now));
}

bool touched_add(struct touched *t, const struct store_change *changes, size_t n, bool is_ours)
{
    bool needs_run = false;
    for (size_t i = 0; i < n; i++) {
        const struct store_change *c = &changes[i];
        bool counts = !c->is_status_only || has_other_routes(c);
        needs_run |= counts;
        if (is_ours && c->is_status_only)
            continue;
        if (is_single(c->resource)) {
            add_version(t, c->old);
            add_version(t, c->object);
        } else if (counts) {
            touched_set_all(t);
        }
    }
    return needs_run;
}

bool touched_is_slice(const struct store_change *change)
{
    return strcmp(change->resource, SLICES) == 0;
}

bool touched_is_node(const struct store_change *change)
{
    return strcmp(change->resource, NODES) == 0;
}
