/* SPDX-License-Identifier: Apache-2.0 */
/* The part of an object's metadata that only the store sets. Objects in the store are shared and
 * immutable, so everything here makes copies. */
#include "store/store_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* RFC 9562, section 5.4: 122 random bits. */
static json_t *new_uid(void)
{
    uint8_t b[16];
    if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
        return NULL;
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    return json_sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                        b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
                        b[12], b[13], b[14], b[15]);
}

static json_t *now_text(void)
{
    time_t now = time(NULL);
    struct tm parts;
    char text[32];
    gmtime_r(&now, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return json_string(text);
}

static bool is_spec_key(const char *key)
{
    return strcmp(key, "metadata") != 0 && strcmp(key, "status") != 0 &&
           strcmp(key, "apiVersion") != 0 && strcmp(key, "kind") != 0;
}

/* Is everything of `a` that is neither metadata nor status the same in `b`? */
static bool is_spec_within(const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        if (is_spec_key(key) && !json_equal(value, json_object_get(b, key)))
            return false;
    }
    return true;
}

static json_t *next_generation(const json_t *fresh, const json_t *old)
{
    if (old == NULL)
        return json_integer(1);
    const json_t *metadata = json_object_get(old, "metadata");
    json_int_t generation = json_integer_value(json_object_get(metadata, "generation"));
    bool same = is_spec_within(fresh, old) && is_spec_within(old, fresh);
    return json_integer(same ? generation : generation + 1);
}

/* The value of old metadata as a new reference, or NULL. */
static json_t *kept(const json_t *old, const char *key)
{
    return json_incref(json_object_get(json_object_get(old, "metadata"), key));
}

/* When an object came to be: it says so if whoever writes it may (api/admit.c). */
static json_t *birth(const json_t *fresh, const json_t *old)
{
    json_t *said = kept(fresh, "creationTimestamp");
    if (said != NULL)
        return said;
    return old != NULL ? kept(old, "creationTimestamp") : now_text();
}

json_t *store_meta_copy(const json_t *object, const json_t *old)
{
    json_t *fresh = json_deep_copy(object);
    if (fresh == NULL)
        return NULL;
    json_t *metadata = json_object_get(fresh, "metadata");
    ASSERT(json_is_object(metadata));
    int failed = 0;
    failed |= json_object_set_new(metadata, "uid", old != NULL ? kept(old, "uid") : new_uid());
    failed |= json_object_set_new(metadata, "creationTimestamp", birth(fresh, old));
    failed |= json_object_set_new(metadata, "generation", next_generation(fresh, old));
    failed |= json_object_set_new(metadata, "resourceVersion",
                                  old != NULL ? kept(old, "resourceVersion") : json_string("0"));
    if (failed != 0) {
        json_decref(fresh);
        return NULL;
    }
    return fresh;
}

json_t *store_meta_own(const json_t *object)
{
    json_t *fresh = json_copy((json_t *)(uintptr_t)object);
    json_t *metadata = json_copy(json_object_get(object, "metadata"));
    if (fresh == NULL || json_object_set_new(fresh, "metadata", metadata) != 0) {
        json_decref(fresh);
        return NULL;
    }
    return fresh;
}

json_t *store_meta_with_status(const json_t *old, const json_t *status)
{
    json_t *fresh = store_meta_own(old);
    if (fresh == NULL)
        return NULL;
    if (json_object_set_new(fresh, "status", json_deep_copy(status)) != 0) {
        json_decref(fresh);
        return NULL;
    }
    return fresh;
}

int store_meta_set_version(json_t *object, uint64_t version)
{
    json_t *metadata = json_object_get(object, "metadata");
    ASSERT(json_is_object(metadata));
    json_t *text = json_sprintf("%llu", (unsigned long long)version);
    return json_object_set_new(metadata, "resourceVersion", text) == 0 ? 0 : -ENOMEM;
}

/* Is every member of `a` but `except` the same in `b`, and are there no others in `b`? */
static bool is_equal_but(const json_t *a, const json_t *b, const char *except)
{
    const char *key;
    json_t *value;
    size_t common = json_object_get(a, except) != NULL ? 1 : 0;
    json_object_foreach((json_t *)(uintptr_t)a, key, value)
    {
        if (strcmp(key, except) == 0 || strcmp(key, "metadata") == 0)
            continue;
        if (!json_equal(value, json_object_get(b, key)))
            return false;
    }
    size_t others = json_object_get(b, except) != NULL ? 1 : 0;
    return json_object_size(a) - common == json_object_size(b) - others;
}

bool store_meta_is_status_only(const json_t *old, const json_t *now)
{
    return is_equal_but(old, now, "status") &&
           is_equal_but(json_object_get(old, "metadata"), json_object_get(now, "metadata"),
                        "resourceVersion");
}
