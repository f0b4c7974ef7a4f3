/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The users of an AccessPolicy: a Secret's .htpasswd, lines of "name:hash" as htpasswd(1) writes
 * them. Empty lines and those that begin with '#' are none. What is wrong is told by the line's
 * number, never by what stands in it: a route's status is read by more people than a Secret.
 *
 * Workers remember by the users' id what they found out of them. So it is a digest of all that
 * decides, and another policy has it by no accident and no ill will.
 */
#include "attach/attach_priv.h"

#include "model/text.h"

#include "abi/image.h"
#include "base/assert.h"
#include "tls/digest.h"

#include <stdlib.h>
#include <string.h>

#define USERS_KEY ".htpasswd"

static int compare_users(const void *x, const void *y)
{
    const struct plan_user *a = x;
    const struct plan_user *b = y;
    return image_user_order(slice_of_str(a->name), slice_of_str(b->name));
}

/* The next line of `*rest`, which is cut off it, without its end. NULL: none is left. */
static char *next_line(char **rest)
{
    char *line = *rest;
    if (*line == '\0') {
        return NULL;
    }
    size_t len = strcspn(line, "\n");
    *rest = line + len + (line[len] == '\n');
    line[len] = '\0';
    if (len > 0 && line[len - 1] == '\r') {
        line[len - 1] = '\0';
    }
    return line;
}

static size_t count_lines(const char *text)
{
    size_t n = 1;
    for (const char *p = text; *p != '\0'; p++) {
        n += *p == '\n';
    }
    return n;
}

/* NULL, or what is wrong with the line. */
static const char *read_user(char *line, struct plan_user *ret)
{
    char *colon = strchr(line, ':');
    if (colon == NULL) {
        return "has no colon";
    }
    *colon = '\0';
    if (!image_is_user_name(slice_of_str(line))) {
        return "has no name that somebody could be called";
    }
    if (!image_is_password_hash(slice_of_str(colon + 1))) {
        return "has no bcrypt, SHA-256, SHA-512 or yescrypt hash within the limits of cost";
    }
    *ret = (struct plan_user){.name = line, .hash = colon + 1};
    return NULL;
}

/* The lines as users; NULL, or what is wrong. */
static const char *read_lines(struct attach *a, char *text, struct plan_basic *ret)
{
    struct plan_user *users = ARENA_ARRAY(a->arena, struct plan_user, count_lines(text));
    uint32_t n = 0;
    size_t number = 0;
    char *line;
    while ((line = next_line(&text)) != NULL) {
        number++;
        if (line[0] == '\0' || line[0] == '#') {
            continue;
        }
        const char *why = read_user(line, &users[n++]);
        if (why != NULL) {
            return arena_printf(a->arena, "line %zu of " USERS_KEY " %s", number, why);
        }
        if (n > IMAGE_USERS_PER_BASIC_MAX) {
            return arena_printf(a->arena, USERS_KEY " has more than %u users",
                                IMAGE_USERS_PER_BASIC_MAX);
        }
    }
    qsort(users, n, sizeof(users[0]), compare_users);
    for (uint32_t i = 1; i < n; i++) {
        if (compare_users(&users[i - 1], &users[i]) == 0) {
            return "two lines of " USERS_KEY " have the same name";
        }
    }
    ret->users = users;
    ret->n_users = n;
    return NULL;
}

/* With its NUL, so that no two lists have the same bytes. */
static struct slice part_of(const char *text)
{
    return slice_of((const uint8_t *)text, strlen(text) + 1);
}

static void derive_id(struct attach *a, const char *policy, struct plan_basic *basic)
{
    uint8_t digest[DIGEST_BYTES];
    struct slice *parts = ARENA_ARRAY(a->arena, struct slice, 2 + 2 * (size_t)basic->n_users);
    unsigned n = 0;
    parts[n++] = part_of("sluice access policy");
    parts[n++] = part_of(policy);
    for (uint32_t i = 0; i < basic->n_users; i++) {
        parts[n++] = part_of(basic->users[i].name);
        parts[n++] = part_of(basic->users[i].hash);
    }
    bool is_done = digest_sha256(parts, n, digest);
    ASSERT(is_done);
    memcpy(basic->id, digest, sizeof(basic->id));
}

const char *users_read(struct attach *a, const struct at_access *access, const char *namespace,
                       const char *secret, struct plan_basic *ret, bool *ret_is_unresolved)
{
    const json_t *obj = find_object(a, MODEL_SECRET, namespace, secret);
    const char *data = text_at(json_object_get(obj, "data"), USERS_KEY);
    char *text = obj != NULL && !is_going(obj) ? text_base64_decode(data) : NULL;
    *ret_is_unresolved = text == NULL || data[0] == '\0';
    const char *why = "does not exist";
    if (*ret_is_unresolved) {
        why = obj != NULL && !is_going(obj) ? "has no key " USERS_KEY : why;
    } else {
        why = read_lines(a, arena_strdup(a->arena, text), ret);
        derive_id(a, access->plan.name, ret);
    }
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
    return why == NULL ? NULL
                       : arena_printf(a->arena, "has spec.basic.secretRef: Secret %s/%s %s",
                                      namespace, secret, why);
}
