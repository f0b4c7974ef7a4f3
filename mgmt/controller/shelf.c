/* SPDX-License-Identifier: Apache-2.0 */
/* The objects of a kind by "namespace/name". jansson's objects are hash tables; that is enough. */
#include "controller/source_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int shelf_init(struct shelf *s)
{
    s->objects = json_object();
    s->held = json_object();
    s->told = json_object();
    s->remembered = json_object();
    bool is_made = s->objects != NULL && s->held != NULL && s->told != NULL;
    return is_made && s->remembered != NULL ? 0 : -ENOMEM;
}

void shelf_done(struct shelf *s)
{
    json_decref(s->objects);
    json_decref(s->held);
    json_decref(s->told);
    json_decref(s->remembered);
    *s = (struct shelf){0};
}

const char *shelf_key(const char *namespace_, const char *name, char ret[KEY_BYTES])
{
    snprintf(ret, KEY_BYTES, "%.255s/%.255s", namespace_ != NULL ? namespace_ : "", name);
    return ret;
}

bool shelf_key_of(const json_t *object, char ret[KEY_BYTES])
{
    const char *namespace_ = kube_text_at(object, "metadata.namespace");
    const char *name = kube_text_at(object, "metadata.name");
    if (name[0] == '\0' || strlen(name) > 253 || strlen(namespace_) > 253 ||
        strchr(name, '/') != NULL || strchr(namespace_, '/') != NULL)
        return false;
    shelf_key(namespace_, name, ret);
    return true;
}
