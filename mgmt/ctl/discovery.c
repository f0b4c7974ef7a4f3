/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kinds to paths, as the server's discovery documents say (APIGroupList, APIResourceList). Asked
 * for once a run. Owner: the client; thread: one.
 */
#include "base/assert.h"
#include "ctl/client.h"
#include "ctl/client_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* GET of a discovery document; 0 with the document, else an error with a message. */
static int get_document(struct client *c, const char *path, json_t **ret)
{
    json_t *answer = NULL;
    int status = client_call(c, "GET", path, NULL, NULL, &answer);
    if (status == 200 && answer != NULL) {
        *ret = answer;
        return 0;
    }
    if (status >= 0)
        snprintf(c->error, sizeof(c->error), "discovery of %.100s was answered %d: %.100s", path,
                 status, text_of(answer, "message"));
    json_decref(answer);
    return status < 0 ? status : (status == 401 || status == 403) ? -EACCES : -EPROTO;
}

static int add_group_version(struct client *c, const char *path, const char *group_version)
{
    json_t *document;
    int result = get_document(c, path, &document);
    if (result != 0)
        return result;
    size_t i;
    json_t *resource;
    json_array_foreach(json_object_get(document, "resources"), i, resource)
    {
        if (strchr(text_of(resource, "name"), '/') != NULL)
            continue; /* a subresource */
        json_object_set_new(resource, "groupVersion", json_string(group_version));
        json_array_append(c->resources, resource);
    }
    json_decref(document);
    return 0;
}

static int add_group(struct client *c, json_t *group)
{
    size_t i;
    json_t *version;
    json_array_foreach(json_object_get(group, "versions"), i, version)
    {
        char path[CLIENT_PATH_MAX];
        const char *group_version = text_of(version, "groupVersion");
        snprintf(path, sizeof(path), "/apis/%.200s", group_version);
        int result = add_group_version(c, path, group_version);
        if (result != 0)
            return result;
    }
    return 0;
}

static int discover(struct client *c)
{
    json_t *groups = NULL;
    c->resources = json_array();
    int result = add_group_version(c, "/api/v1", "v1");
    if (result == 0)
        result = get_document(c, "/apis", &groups);
    size_t i;
    json_t *group;
    json_array_foreach(json_object_get(groups, "groups"), i, group)
    {
        if (result == 0)
            result = add_group(c, group);
    }
    json_decref(groups);
    if (result != 0) {
        json_decref(c->resources);
        c->resources = NULL;
    }
    return result;
}

static bool is_called(const json_t *resource, const char *word)
{
    if (strcasecmp(text_of(resource, "kind"), word) == 0 ||
        strcasecmp(text_of(resource, "name"), word) == 0 ||
        strcasecmp(text_of(resource, "singularName"), word) == 0)
        return true;
    size_t i;
    const json_t *short_name;
    json_array_foreach(json_object_get(resource, "shortNames"), i, short_name)
    {
        const char *text = json_string_value(short_name);
        if (text != NULL && strcasecmp(text, word) == 0)
            return true;
    }
    return false;
}

int client_resource_find(struct client *c, const char *word, const char *api_version,
                         struct client_resource *ret)
{
    int result = c->resources != NULL ? 0 : discover(c);
    if (result != 0)
        return result;
    size_t i;
    const json_t *resource;
    json_array_foreach(c->resources, i, resource)
    {
        const char *group_version = text_of(resource, "groupVersion");
        if (!is_called(resource, word) ||
            (api_version != NULL && strcmp(api_version, group_version) != 0))
            continue;
        snprintf(ret->api_version, sizeof(ret->api_version), "%s", group_version);
        snprintf(ret->kind, sizeof(ret->kind), "%s", text_of(resource, "kind"));
        snprintf(ret->plural, sizeof(ret->plural), "%s", text_of(resource, "name"));
        ret->namespaced = json_is_true(json_object_get(resource, "namespaced"));
        return 0;
    }
    snprintf(c->error, sizeof(c->error), "the server has no kind \"%.60s\"%s%.60s", word,
             api_version != NULL ? " in " : "", api_version != NULL ? api_version : "");
    return -ENOENT;
}

/* Appends one path segment, percent-encoding what is not unreserved (RFC 3986, section 2.3). */
static bool append_segment(char path[CLIENT_PATH_MAX], const char *segment)
{
    static const char unreserved[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    size_t len = strlen(path);
    bool is_dots = strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0;
    if (len + 2 > CLIENT_PATH_MAX || segment[0] == '\0' || is_dots)
        return false; /* an empty one or dots would name something else than an object */
    path[len++] = '/';
    for (const char *p = segment; *p != '\0'; p++) {
        bool is_plain = strchr(unreserved, *p) != NULL;
        if (len + 4 > CLIENT_PATH_MAX)
            return false;
        len += (size_t)snprintf(path + len, CLIENT_PATH_MAX - len, is_plain ? "%c" : "%%%02X",
                                (unsigned char)*p);
    }
    path[len] = '\0';
    return true;
}

bool client_resource_path(const struct client_resource *r, const char *namespace, const char *name,
                          char path[CLIENT_PATH_MAX])
{
    bool is_core = strchr(r->api_version, '/') == NULL;
    int n = snprintf(path, CLIENT_PATH_MAX, "%s/%s", is_core ? "/api" : "/apis", r->api_version);
    ASSERT(n > 0 && (size_t)n < CLIENT_PATH_MAX);
    if (r->namespaced && namespace != NULL &&
        (!append_segment(path, "namespaces") || !append_segment(path, namespace)))
        return false;
    return append_segment(path, r->plural) && (name == NULL || append_segment(path, name));
}
