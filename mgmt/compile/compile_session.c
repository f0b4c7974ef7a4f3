/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session persistence of a rule: the keys by which workers tell endpoints in what clients carry.
 *
 * The keys have to be secret, and the same for all workers, after each restart, and on every box
 * that has the same objects. A key made by chance would need a place to be kept and a way to get to
 * the other box. The route's uid has all of that: 122 bits by chance (store_meta.c), in the store,
 * in each backup and copy of it, and shown to nobody but who may read the route, who can read its
 * backends as well. So the keys are its digest with the session's name. A route that is deleted and
 * made anew has another uid: its clients' sessions begin anew. An object that is copied without its
 * uid would change our mind: then the class would have to name a Secret.
 */
#include "compile/compile_priv.h"

#include "tls/digest.h"

#include <errno.h>

/* The persistence's four words. False: no uid, or no memory. */
static bool derive_keys(const char *uid, const char *name, struct image_persistence_spec *ret)
{
    uint8_t digest[DIGEST_BYTES];
    struct slice parts[] = {SLICE_LIT("sluice session persistence"),
                            slice_of_str(uid == NULL ? "" : uid), SLICE_LIT("/"),
                            slice_of_str(name)};
    static_assert(sizeof(ret->token_key) + sizeof(ret->seal_key) == DIGEST_BYTES, "both keys");
    if (parts[1].len == 0 || !digest_sha256(parts, sizeof(parts) / sizeof(parts[0]), digest))
        return false;
    uint64_t words[4] = {0};
    for (unsigned i = 0; i < DIGEST_BYTES; i++)
        words[i / 8] = words[i / 8] << 8 | digest[i];
    memcpy(ret->token_key, words, sizeof(ret->token_key));
    memcpy(ret->seal_key, words + 2, sizeof(ret->seal_key));
    return true;
}

/* Where the cookie is sent back: the path of the rule if it has just one, else all of the host. A
 * prefix takes its path without a slash at the end, too. */
static const char *cookie_path(const struct plan_rule *rule, char buf[COMPILE_PATH_BYTES])
{
    const struct plan_match *only = &rule->matches[0];
    if (rule->n_matches != 1 || only->path_type == PLAN_MATCH_REGEX ||
        !compile_path(only->path, buf))
        return "/";
    size_t len = strlen(buf);
    if (only->path_type == PLAN_MATCH_PREFIX && len > 1 && buf[len - 1] == '/')
        buf[len - 1] = '\0';
    return image_is_cookie_path(slice_of_str(buf)) ? buf : "/";
}

int compile_session(struct compile *c, const struct plan_route *route, const struct plan_rule *rule)
{
    char buf[COMPILE_PATH_BYTES];
    const struct plan_persistence *p = rule->persistence;
    struct image_persistence_spec spec = {
        .kind = p->kind,
        .name = p->name,
        .path = p->kind == IMAGE_SESSION_COOKIE ? cookie_path(rule, buf) : NULL,
        .lifetime_s = p->lifetime_s,
        .is_permanent = p->is_permanent,
    };
    if (!derive_keys(route->uid, p->name, &spec))
        return -EINVAL;
    return image_builder_persistence(c->b, &spec);
}
