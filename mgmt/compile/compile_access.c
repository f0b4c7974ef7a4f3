/* SPDX-License-Identifier: Apache-2.0 */
/* An AccessPolicy, in the builder's words. */
#include "compile/compile_priv.h"

#include <errno.h>
#include <stdlib.h>

/* The users of its passwords; NULL: no memory. */
static struct image_user_spec *users_of(const struct plan_basic *from)
{
    struct image_user_spec *users = malloc((from->n_users + 1) * sizeof(*users));
    for (uint32_t i = 0; users != NULL && i < from->n_users; i++)
        users[i] = (struct image_user_spec){from->users[i].name, from->users[i].hash};
    return users;
}

static int add_basic(struct compile *c, struct image_access_spec *spec,
                     const struct plan_basic *from)
{
    struct image_user_spec *users = users_of(from);
    struct image_basic_spec basic = {.id = {from->id[0], from->id[1]},
                                     .realm = from->realm,
                                     .hides_authorization = from->hides_authorization,
                                     .users = users,
                                     .n_users = from->n_users};
    if (users == NULL)
        return -EINVAL; /* the rule answers 500 */
    spec->basic = &basic;
    int error = image_builder_access(c->b, spec);
    free(users);
    return error;
}

static int add_jwt(struct compile *c, struct image_access_spec *spec, const struct plan_jwt *from)
{
    struct image_jwt_key_spec keys[IMAGE_JWT_KEYS_MAX];
    struct image_jwt_spec jwt = {.id = {from->id[0], from->id[1]},
                                 .realm = from->realm,
                                 .issuer = from->issuer,
                                 .hides_authorization = from->hides_authorization,
                                 .audiences = from->audiences,
                                 .n_audiences = from->n_audiences,
                                 .keys = keys,
                                 .n_keys = from->n_keys};
    if (from->n_keys > IMAGE_JWT_KEYS_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < from->n_keys; i++) {
        const struct plan_jwt_key *key = &from->keys[i];
        keys[i] = (struct image_jwt_key_spec){key->kid, key->spki, key->algs};
    }
    spec->jwt = &jwt;
    return image_builder_access(c->b, spec);
}

struct image_access_spec compile_lists(const struct plan_access *access)
{
    return (struct image_access_spec){.name = access->name,
                                      .allowed = access->allowed,
                                      .n_allowed = access->n_allowed,
                                      .denied = access->denied,
                                      .n_denied = access->n_denied};
}

int compile_access(struct compile *c, const struct plan_access *access)
{
    struct image_access_spec spec = compile_lists(access);
    if (access->basic != NULL)
        return add_basic(c, &spec, access->basic);
    if (access->jwt != NULL)
        return add_jwt(c, &spec, access->jwt);
    return image_builder_access(c->b, &spec);
}
