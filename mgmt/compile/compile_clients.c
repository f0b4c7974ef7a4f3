/* SPDX-License-Identifier: Apache-2.0 */
/* Which clients are of which namespace, where one has routes of its own to Services of others. */
#include "compile/compile_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <string.h>

void compile_clients(struct compile *c)
{
    uint32_t n_left_out = 0;
    for (uint32_t i = 0; i < c->plan->n_client_sets; i++)
        c->client_sets[i] = image_builder_client_set(c->b, c->plan->client_sets[i]);
    for (uint32_t i = 0; i < c->plan->n_clients; i++) {
        const struct plan_client *client = &c->plan->clients[i];
        ASSERT(client->set < c->plan->n_client_sets);
        n_left_out +=
            image_builder_client(c->b, &client->addr, c->client_sets[client->set]) == -ENOSPC;
    }
    if (n_left_out > 0)
        compile_note(c,
                     "%u clients beyond %u of namespaces with routes to Services of others: they "
                     "get what all others get",
                     n_left_out, IMAGE_CLIENTS_MAX);
}

uint32_t compile_client_set(const struct compile *c, const char *namespace)
{
    for (uint32_t i = 0; i < c->plan->n_client_sets; i++) {
        if (strcmp(c->plan->client_sets[i], namespace) == 0)
            return c->client_sets[i];
    }
    return IMAGE_NONE;
}
