/* SPDX-License-Identifier: Apache-2.0 */
/* SessionPersistence of a rule (GEP-1619). What it leaves open is ours to say. */
#include "attach/attach_priv.h"

#include "abi/image.h"
#include "base/minmax.h"
#include "base/siphash.h"
#include "model/text.h"

#include <string.h>

/* Where the object gives no name: one that no other rule has, and that tells nothing. */
static const char *own_name(const struct rule_reading *in)
{
    const char *uid = in->route->meta.uid;
    struct siphash_key key = {in->index, 0};
    uint64_t hash = siphash(&key, uid, strlen(uid));
    return arena_printf(in->a->arena, "sluice-%08x", (unsigned)(hash >> 32));
}

/* Seconds, begun ones whole; 0: none is said. */
static uint32_t lifetime_of(const json_t *json)
{
    uint64_t ms;
    if (!text_parse_duration(text_at(json, "absoluteTimeout"), &ms)) {
        return 0;
    }
    return (uint32_t)min64(ms / 1000 + (ms % 1000 != 0), UINT32_MAX);
}

const char *session_run(const struct rule_reading *in, const json_t *json,
                        const struct plan_persistence **ret)
{
    if (json == NULL) {
        return NULL;
    }
    struct plan_persistence *p = ARENA_ARRAY(in->a->arena, struct plan_persistence, 1);
    const char *name = text_at(json, "sessionName");
    const json_t *cookie = json_object_get(json, "cookieConfig");
    bool is_header = strcmp(text_at(json, "type"), "Header") == 0;
    p->kind = is_header ? IMAGE_SESSION_HEADER : IMAGE_SESSION_COOKIE;
    p->name = name[0] != '\0' ? name : own_name(in);
    p->lifetime_s = lifetime_of(json);
    p->is_permanent = strcmp(text_at(cookie, "lifetimeType"), "Permanent") == 0;
    if (!image_is_session_name(slice_of_str(p->name), p->kind)) {
        return arena_printf(in->a->arena,
                            "sessionPersistence.sessionName \"%s\" cannot be the name of a %s",
                            p->name, is_header ? "session's header" : "cookie without TLS");
    }
    if (p->is_permanent && p->lifetime_s == 0) {
        return "sessionPersistence.absoluteTimeout has to be more than zero for a Permanent cookie";
    }
    *ret = p;
    return NULL;
}
