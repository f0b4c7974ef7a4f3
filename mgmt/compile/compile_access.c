/* SPDX-License-Identifier: Apache-2.0 */
/* An AccessPolicy, in the builder's words. */
#include "compile/compile_priv.h"

#include <errno.h>
#include <stdlib.h>

static int add(struct compile *c, const struct plan_access *access,
               const struct image_basic_spec *basic)
{
    return image_builder_access(c->b, &(struct image_access_spec){.name = access->name,
                                                                  .allowed = access->allowed,
                                                                  .n_allowed = access->n_allowed,
                                                                  .denied = access->denied,
                                                                  .n_denied = access->n_denied,
                                                                  .basic = basic});
}

int compile_access(struct compile *c, const struct plan_access *access)
{
    const struct plan_basic *from = access->basic;
    if (from == NULL)
        return add(c, access, NULL);
    struct image_basic_spec basic = {.id = {from->id[0], from->id[1]},
                                     .realm = from->realm,
                                     .hides_authorization = from->hides_authorization,
                                     .n_users = from->n_users};
    struct image_user_spec *users = malloc((from->n_users + 1) * sizeof(*users));
    if (users == NULL)
        return -EINVAL; /* the rule answers 500 */
    for (uint32_t i = 0; i < from->n_users; i++)
        users[i] = (struct image_user_spec){from->users[i].name, from->users[i].hash};
    basic.users = users;
    int error = add(c, access, &basic);
    free(users);
    return error;
}
