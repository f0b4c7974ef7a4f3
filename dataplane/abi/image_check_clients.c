/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the clients that have binds of their own: who they are, and that everybody's bind leads
 * to theirs. */
#include "abi/image_check.h"

#include <string.h>

enum image_fault image_local_choice(const struct image_view *v, uint32_t i)
{
    return v->choices[i] < v->n_binds ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}

enum image_fault image_local_client_set(const struct image_view *v, uint32_t i)
{
    struct image_string name = v->client_sets[i].name;
    return name.length != 0 ? image_check_text(v, name, IMAGE_TEXT_NAME) : IMAGE_FAULT_TEXT;
}

enum image_fault image_local_client(const struct image_view *v, uint32_t i)
{
    const struct image_client *e = &v->clients[i];
    if (e->set >= v->n_client_sets)
        return IMAGE_FAULT_INDEX;
    int order = i == 0 ? -1 : memcmp(e[-1].addr.bytes, e->addr.bytes, sizeof(e->addr.bytes));
    if (order == 0)
        return IMAGE_FAULT_DUPLICATE;
    return order < 0 ? IMAGE_FAULT_OK : IMAGE_FAULT_ORDER;
}

/* Is `theirs` a bind of some clients at the place of `all`? */
static bool is_choice_of(const struct image_bind *all, const struct image_bind *theirs)
{
    return theirs->set != IMAGE_NONE && theirs->port == all->port &&
           ip_addr_eq(&theirs->addr, &all->addr) &&
           image_is_udp_bind(theirs->kind) == image_is_udp_bind(all->kind);
}

enum image_fault image_check_choices(const struct image_view *v, const struct image_bind *e)
{
    for (uint32_t i = 0; i < e->n_choices; i++) {
        const uint32_t *choice = &v->choices[e->first_choice + i];
        if (!is_choice_of(e, &v->binds[*choice]))
            return IMAGE_FAULT_VALUE;
        if (i > 0 && v->binds[choice[-1]].set >= v->binds[*choice].set)
            return IMAGE_FAULT_ORDER;
    }
    return IMAGE_FAULT_OK;
}

enum image_fault image_whole_choices(const struct image_view *v)
{
    uint32_t next = 0, n_theirs = 0;
    for (uint32_t i = 0; i < v->n_binds; i++) {
        if (v->binds[i].first_choice != next)
            return IMAGE_FAULT_ORDER;
        next += v->binds[i].n_choices;
        n_theirs += v->binds[i].set != IMAGE_NONE;
    }
    return next == v->n_choices && n_theirs == next ? IMAGE_FAULT_OK : IMAGE_FAULT_INDEX;
}
