/* SPDX-License-Identifier: Apache-2.0 */
/* Who shows whom which certificate: listeners and their clients, and connections to backends. */
#include "compile/image_builder_priv.h"

#include <errno.h>

/* Could a Secret or ConfigMap be called so? */
static bool is_name(const char *name)
{
    return image_arg(name).len > 0 && image_arg_is(name, IMAGE_TEXT_NAME);
}

/* The listener made last; NULL: there is none, or no TLS ends at it. */
static struct image_listener *last_secure_listener(struct image_builder *b)
{
    uint32_t n = SECTION(b, LISTENERS)->count;
    struct image_listener *last =
        n > 0 ? &ENTRIES(b, LISTENERS, struct image_listener)[n - 1] : NULL;
    return last != NULL && image_is_terminated(last->protocol) ? last : NULL;
}

/* Its index; IMAGE_NONE: b->error is set. */
static uint32_t push_identity(struct image_builder *b, const struct keys_id *id, const char *name)
{
    struct image_identity entry = {.id = *id};
    struct image_identity *e = NULL;
    if (image_builder_string(b, image_arg(name), &entry.name))
        e = image_vec_push(b, SECTION(b, IDENTITIES));
    if (e == NULL)
        return IMAGE_NONE;
    *e = entry;
    return SECTION(b, IDENTITIES)->count - 1;
}

int image_builder_identity(struct image_builder *b, const struct keys_id *id, const char *name)
{
    struct image_listener *listener = last_secure_listener(b);
    if (listener == NULL || !is_name(name))
        return -EINVAL;
    if (listener->n_identities == IMAGE_IDENTITIES_PER_LISTENER_MAX)
        return -ENOSPC;
    uint32_t index = push_identity(b, id, name);
    if (index == IMAGE_NONE)
        return b->error;
    if (listener->n_identities++ == 0)
        listener->first_identity = index;
    return 0;
}

/* The bundle of that id and these names, made if it is not there: the same CAs by another object
 * are another one, so that nobody's log names what others have. One after the other is looked at: a
 * box has as many as it has kinds of peers. */
static uint32_t bundle_of(struct image_builder *b, const struct keys_id *id, const char *names)
{
    const struct image_bundle *all = ENTRIES(b, BUNDLES, const struct image_bundle);
    struct image_bundle entry = {.id = *id};
    if (!image_builder_string(b, image_arg(names), &entry.name))
        return IMAGE_NONE;
    for (uint32_t i = 0; i < SECTION(b, BUNDLES)->count; i++) {
        if (keys_id_order(&all[i].id, id) == 0 && all[i].name.offset == entry.name.offset)
            return i;
    }
    struct image_bundle *e = image_vec_push(b, SECTION(b, BUNDLES));
    if (e == NULL)
        return IMAGE_NONE;
    *e = entry;
    return SECTION(b, BUNDLES)->count - 1;
}

int image_builder_client_auth(struct image_builder *b, enum image_client_auth auth,
                              const struct keys_id *id, const char *names)
{
    struct image_listener *listener = last_secure_listener(b);
    if (listener == NULL || listener->protocol != IMAGE_PROTOCOL_HTTPS ||
        listener->bundle != IMAGE_NONE || auth == IMAGE_CLIENT_AUTH_NONE ||
        (unsigned)auth >= IMAGE_CLIENT_AUTHS || !is_name(names))
        return -EINVAL;
    uint32_t bundle = bundle_of(b, id, names);
    if (bundle == IMAGE_NONE)
        return b->error;
    listener->client_auth = (uint8_t)auth;
    listener->bundle = bundle;
    return 0;
}

int image_builder_client_identity(struct image_builder *b, const struct keys_id *id,
                                  const char *name)
{
    uint32_t n = SECTION(b, LISTENERS)->count;
    if (n == 0 || !is_name(name))
        return -EINVAL;
    uint32_t index = push_identity(b, id, name);
    if (index == IMAGE_NONE)
        return b->error;
    ENTRIES(b, LISTENERS, struct image_listener)[n - 1].identity = index;
    return 0;
}

/* What image_check() will ask of it. */
static bool is_good(const struct image_backend_tls_spec *spec)
{
    bool is_possible = image_is_server_name(image_arg(spec->server_name)) && spec->n_sans >= 1 &&
                       spec->n_sans <= IMAGE_SANS_PER_TLS_MAX &&
                       image_arg_is(spec->name, IMAGE_TEXT_NAME) && is_name(spec->bundle_name);
    for (uint32_t i = 0; is_possible && i < spec->n_sans; i++)
        is_possible = image_is_san(image_arg(spec->sans[i].text), spec->sans[i].kind);
    return is_possible;
}

static bool push_san(struct image_builder *b, const struct image_san_spec *spec)
{
    struct image_san entry = {.kind = spec->kind};
    struct image_san *e = NULL;
    if (image_builder_string(b, image_arg(spec->text), &entry.text))
        e = image_vec_push(b, SECTION(b, SANS));
    if (e != NULL)
        *e = entry;
    return e != NULL;
}

int image_builder_group_tls(struct image_builder *b, uint32_t group,
                            const struct image_backend_tls_spec *spec)
{
    if (group >= ENDPOINT_GROUPS_MAX || !is_good(spec))
        return -EINVAL;
    if (b->group_tls[group] != IMAGE_NONE)
        return -EEXIST;
    struct image_backend_tls entry = {.id = {spec->id[0], spec->id[1]},
                                      .first_san = SECTION(b, SANS)->count,
                                      .n_sans = spec->n_sans,
                                      .bundle = bundle_of(b, &spec->bundle, spec->bundle_name)};
    bool is_done = entry.bundle != IMAGE_NONE &&
                   image_builder_string(b, image_arg(spec->name), &entry.name) &&
                   image_builder_string(b, image_arg(spec->server_name), &entry.server_name);
    for (uint32_t i = 0; is_done && i < spec->n_sans; i++)
        is_done = push_san(b, &spec->sans[i]);
    struct image_backend_tls *e = is_done ? image_vec_push(b, SECTION(b, BACKEND_TLS)) : NULL;
    if (e == NULL)
        return b->error;
    *e = entry;
    b->group_tls[group] = SECTION(b, BACKEND_TLS)->count - 1;
    return 0;
}
