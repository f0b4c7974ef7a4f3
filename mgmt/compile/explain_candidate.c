/* SPDX-License-Identifier: Apache-2.0 */
/* The sentences of explain: what a candidate would have needed. */
#include "compile/explain_priv.h"

#include <stdio.h>
#include <stdlib.h>

#define SENTENCE_BYTES 1024u

#define TEXT_ARGS(s) (int)(s).len, (const char *)(s).ptr

json_t *explain_text(const struct explanation *e, struct image_string s)
{
    struct slice text = image_text(&e->view, s);
    json_t *string = json_stringn((const char *)text.ptr, text.len);
    return string != NULL ? string : json_string("");
}

bool explain_may_read(const struct explanation *e, struct image_string name)
{
    char namespace[256];
    struct slice text = image_text(&e->view, name);
    if (e->in->may_read == NULL)
        return true;
    const uint8_t *slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
    size_t len = slash == NULL ? text.len : (size_t)(slash - text.ptr);
    if (len >= sizeof(namespace))
        return false;
    snprintf(namespace, sizeof(namespace), "%.*s", (int)len, (const char *)text.ptr);
    return e->in->may_read(e->in->arg, namespace);
}

static const char *path_need(uint16_t kind)
{
    static const char *const needs[] = {
        [IMAGE_PATH_EXACT] = "is not",
        [IMAGE_PATH_PREFIX] = "is not at or below",
        [IMAGE_PATH_REGEX] = "does not match",
    };
    return needs[kind];
}

/* What the match that lost asks for. */
static void write_need(const struct explanation *e, const struct route_candidate *c,
                       char buf[SENTENCE_BYTES])
{
    const struct image_view *v = &e->view;
    const struct image_match *match = &v->matches[c->match];
    const struct image_path *path = &v->paths[match->path];
    struct slice text = image_text(v, path->text), name = {0}, value = {0};
    const char *is_not = "not";
    if (c->predicate != IMAGE_NONE) {
        if (image_has_pattern(v->predicates[c->predicate].kind))
            is_not = "does not match";
        name = image_text(v, v->predicates[c->predicate].name);
        value = image_text(v, v->predicates[c->predicate].value);
    }
    if (c->loss == ROUTE_LOSS_PATH)
        snprintf(buf, SENTENCE_BYTES, "the path %s %.*s", path_need(path->kind), TEXT_ARGS(text));
    else if (c->loss == ROUTE_LOSS_METHOD)
        snprintf(buf, SENTENCE_BYTES, "the method is not %.*s",
                 TEXT_ARGS(image_text(v, match->method)));
    else if (c->loss == ROUTE_LOSS_HEADER)
        snprintf(buf, SENTENCE_BYTES, "header %.*s is absent or %s \"%.*s\"", TEXT_ARGS(name),
                 is_not, TEXT_ARGS(value));
    else if (c->loss == ROUTE_LOSS_QUERY)
        snprintf(buf, SENTENCE_BYTES, "query parameter %.*s is absent or %s \"%.*s\"",
                 TEXT_ARGS(name), is_not, TEXT_ARGS(value));
    else
        snprintf(buf, SENTENCE_BYTES, "%s", route_loss_help(c->loss));
}

static json_t *describe_match(const struct explanation *e, const struct route_candidate *c)
{
    const struct image_view *v = &e->view;
    const struct image_match *match = &v->matches[c->match];
    const struct image_rule *rule = &v->rules[match->rule];
    struct image_string route = v->routes[rule->route].name;
    char because[SENTENCE_BYTES];
    if (!explain_may_read(e, route))
        return json_pack("{s:s}", "route", "(of a namespace that you may not read)");
    write_need(e, c, because);
    json_t *because_json = json_string(because);
    return json_pack("{s:o,s:i,s:i,s:o,s:o,s:o}", "route", explain_text(e, route), "rule",
                     (int)rule->index, "match", (int)match->index, "hostname",
                     explain_text(e, v->hosts[c->host].name), "path",
                     explain_text(e, v->paths[match->path].text), "because",
                     because_json != NULL ? because_json : json_string(""));
}

/* A listener or hostname that lost with all that it has; NULL: not for the asker's eyes. */
static json_t *describe_group(const struct explanation *e, const struct route_candidate *c)
{
    const struct image_listener *listener = &e->view.listeners[c->listener];
    if (!explain_may_read(e, listener->name))
        return NULL;
    json_t *o = json_pack("{s:o,s:s}", "listener", explain_text(e, listener->name), "because",
                          route_loss_help(c->loss));
    json_object_set_new(
        o, "hostname",
        explain_text(e, c->host == IMAGE_NONE ? listener->hostname : e->view.hosts[c->host].name));
    return o;
}

void explain_candidate(void *arg, const struct route_candidate *candidate)
{
    struct explanation *e = arg;
    if (candidate->loss == ROUTE_LOSS_NONE)
        return;
    if (json_array_size(e->candidates) == EXPLAIN_CANDIDATES_MAX) {
        e->omitted++;
        return;
    }
    json_t *o = candidate->match != IMAGE_NONE ? describe_match(e, candidate)
                                               : describe_group(e, candidate);
    if (o == NULL)
        return;
    json_object_set_new(o, "lost", json_string(route_loss_name(candidate->loss)));
    json_array_append_new(e->candidates, o);
}
