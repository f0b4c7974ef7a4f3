/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which Gateways have an address: a hash of all that were given, so that ten thousand Gateways with
 * an address each do not ask one another. Filled by address.c as it gives, from empty in each run.
 */
#include "attach/attach_priv.h"

#include "base/siphash.h"

void address_user_init(struct attach *a)
{
    a->n_address_buckets = 64;
    while (a->n_address_buckets < a->n_gateways) {
        a->n_address_buckets *= 2;
    }
    a->address_users = ARENA_ARRAY(a->arena, struct at_address_user *, a->n_address_buckets);
}

/* Addresses are chosen by people who may configure the appliance anyway. */
static struct at_address_user **bucket_of(const struct attach *a, const struct ip_addr *addr)
{
    static const struct siphash_key key;
    return &a->address_users[siphash(&key, addr, sizeof(*addr)) % a->n_address_buckets];
}

void address_user_add(struct attach *a, const struct at_gateway *g, const struct ip_addr *addr)
{
    struct at_address_user **at = bucket_of(a, addr);
    while (*at != NULL && (*at)->gateway < g) { /* in the order of the Gateways: by age */
        at = &(*at)->next;
    }
    struct at_address_user *user = ARENA_NEW(a->arena, struct at_address_user);
    *user = (struct at_address_user){.addr = *addr, .gateway = g, .next = *at};
    *at = user;
}

const struct at_address_user *address_user_next(const struct attach *a,
                                                const struct at_address_user *before,
                                                const struct ip_addr *addr)
{
    const struct at_address_user *user = before != NULL ? before->next : *bucket_of(a, addr);
    while (user != NULL && !ip_addr_eq(&user->addr, addr)) {
        user = user->next;
    }
    return user;
}
