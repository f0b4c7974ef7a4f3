/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan's groups say of the connections to their endpoints. */
#include "compile/compile_priv.h"

#include "base/assert.h"
#include "base/container.h"

#include <errno.h>

/* False: it cannot be secured as its policy wants. */
static bool add_tls(struct compile *c, const struct plan_backend_tls *tls, uint32_t id)
{
    struct image_san_spec sans[IMAGE_SANS_PER_TLS_MAX];
    ASSERT(tls->n_sans <= array_len(sans));
    if (tls->bundle.pem.len == 0)
        return false;
    for (uint32_t i = 0; i < tls->n_sans; i++)
        sans[i] = (struct image_san_spec){tls->sans[i].is_uri ? IMAGE_SAN_URI : IMAGE_SAN_HOST,
                                          tls->sans[i].text};
    struct image_backend_tls_spec spec = {.id = {tls->id[0], tls->id[1]},
                                          .name = tls->name,
                                          .server_name = tls->hostname,
                                          .sans = sans,
                                          .n_sans = tls->n_sans,
                                          .bundle = tls->bundle.id,
                                          .bundle_name = tls->bundle.name};
    int result = image_builder_group_tls(c->b, id, &spec);
    return result == 0 || result == -EEXIST;
}

static void add_health(struct compile *c, const struct plan_group *group, uint32_t id)
{
    const struct plan_health *h = group->health;
    struct image_health_spec spec = {.numbers = h->numbers,
                                     .name = h->name,
                                     .host = h->host,
                                     .path = h->path,
                                     .service = h->service};
    if (image_builder_group_health(c->b, id, &spec) == -EINVAL)
        compile_note(c, "HealthPolicy %s is not in effect for %s: it cannot be carried out",
                     h->name, group->name);
}

bool compile_group(struct compile *c, const struct plan_group *group, uint32_t id)
{
    if (group->tls != NULL && !add_tls(c, group->tls, id))
        return false;
    image_builder_group_congestion(c->b, id, group->congestion);
    image_builder_group_balancing(c->b, id,
                                  &(struct image_balance_spec){.way = group->balancing,
                                                               .hash_key = group->hash_key,
                                                               .name = group->hash_name});
    image_builder_group_proxy_header(c->b, id, group->proxy_header);
    image_builder_group_forwarding(c->b, id, group->forwarding);
    image_builder_group_protocol(c->b, id, group->protocol);
    image_builder_group_idle(c->b, id, group->idle_ms);
    if (group->health != NULL)
        add_health(c, group, id);
    return true;
}
