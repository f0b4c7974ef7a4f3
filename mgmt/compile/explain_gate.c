/* SPDX-License-Identifier: Apache-2.0 */
/* What stands before an address and port: lists of clients, and how many may be connected. */
#include "base/names.h"
#include "compile/explain_priv.h"
#include "route/access.h"

static json_t *name_of(const struct explanation *e, struct image_string name)
{
    return explain_may_read(e, name) ? explain_text(e, name) : json_string("(not yours to read)");
}

static void describe_lists(const struct explanation *e, const struct image_bind *bind,
                           json_t *status)
{
    static const char *const says[] = {ROUTE_ACCESS_LIST(X_TEXT)};
    const struct image_view *v = &e->view;
    json_t *list = json_array();
    for (uint32_t i = bind->first_gate; i < bind->first_gate + bind->n_gates; i++) {
        const struct image_access *access = &v->accesses[v->gate_uses[i]];
        json_t *o = json_pack("{s:o}", "list", name_of(e, access->name));
        json_array_append_new(list, o);
        if (!e->request->has_client)
            continue;
        enum route_access found = route_access_of(v, access, &e->request->client);
        json_object_set_new(o, "says", json_string(says[found]));
        if (found != ROUTE_ACCESS_ALLOWED && json_object_get(status, "dropped") == NULL)
            json_object_set_new(
                status, "dropped",
                json_sprintf("before anything else: the client's address is %s", says[found]));
    }
    json_object_set_new(status, "lists", list);
}

void explain_gates(const struct explanation *e, const struct image_bind *bind, json_t *status)
{
    if (bind->n_gates > 0)
        describe_lists(e, bind, status);
    if (bind->limit == IMAGE_NONE)
        return;
    const struct image_conn_limit *limit = &e->view.conn_limits[bind->limit];
    json_t *o = json_pack("{s:o}", "policy", name_of(e, limit->name));
    if (limit->conns_max != 0)
        json_object_set_new(o, "max", json_integer(limit->conns_max));
    if (limit->client_conns_max != 0)
        json_object_set_new(o, "maxPerClient", json_integer(limit->client_conns_max));
    json_object_set_new(status, "connections", o);
}
