/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the view share: walks over objects of the store, and the parts of the view. */
#pragma once

#include "model/at.h"
#include "model/types.h"
#include "routing/routing_view.h"
#include "store/store.h"

/* Where a walk over objects is. */
struct walk {
    struct routing_view *v;
    const struct store *store;
    const char *file; /* BIRD's configuration as it is; NULL: there is none */
};

/* The number of a member; 0 if there is none. */
uint32_t view_number(const json_t *object, const char *key);

/* Visits the objects of a type by name. */
void view_foreach(const struct store *store, enum model_type_id type, store_visit_fn visit,
                  void *arg);

/* An interface's own address for a neighbour. */
struct view_local {
    const struct ip_addr *neighbour;
    const char *interface; /* only on this one; empty: on any */
    struct ip_addr found;
    unsigned length; /* of the longest prefix that holds the neighbour; 0: none does */
    char link[ROUTING_LINK_BYTES]; /* of `interface`, at the kernel; empty: there is none */
};

/* Finds one that lies on the neighbour's link, by the longest prefix, else the first of its family.
 */
void view_find_local(const struct store *store, struct view_local *search);

/* The name of the Interface that the kernel's link is, borrowed until the next commit; NULL: none.
 */
const char *view_interface_of(const struct store *store, const char *link);

/* Adds a BgpPeer; `arg` is the walk. False: there is no room for more. */
bool view_add_peer(void *arg, json_t *object);

/* Adds a VirtualRouter, likewise. */
bool view_add_router(void *arg, json_t *object);
