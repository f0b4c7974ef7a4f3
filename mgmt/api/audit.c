/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log: a JSON line for each request that changed something or was refused for who asked.
 * Append-only, written before the answer goes out. It names objects and never shows what is in
 * them.
 */
#include "api/api_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool is_worth_a_line(const struct api_call *call)
{
    if (call->code == 401 || call->code == 403 || call->code == 429)
        return true;
    return call->target.kind == TARGET_CHANGESET ||
           (call->target.kind == TARGET_OBJECTS && call->target.verb >= VERB_CREATE);
}

static void add(json_t *line, const char *key, const char *text)
{
    if (text[0] != '\0')
        json_object_set_new(line, key, json_string(text));
}

static json_t *line_of(const struct api_call *call)
{
    char when[40];
    char source[IP_ADDR_TEXT_MAX];
    struct timespec now;
    struct tm parts;
    const struct target *t = &call->target;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t len = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(when + len, sizeof(when) - len, ".%03ldZ", now.tv_nsec / 1000000);
    json_t *line =
        json_pack("{s:s,s:s}", "time", when, "source", ip_addr_format(&call->source, source));
    add(line, "token", call->who.name);
    if (call->who.name[0] != '\0')
        add(line, "role", api_role_name(call->who.role));
    add(line, "verb", t->kind == TARGET_CHANGESET ? "changeset" : target_verb_name(t->verb));
    if (t->type != NULL) {
        add(line, "group", t->type->group);
        add(line, "resource", t->type->plural);
    }
    if (t->kind == TARGET_EXTRA)
        add(line, "path", t->extra->path);
    if (t->is_status)
        add(line, "subresource", "status");
    add(line, "namespace", t->namespace_);
    add(line, "name", t->name[0] != '\0' ? t->name : meta_text(call->answer, "name"));
    if (call->is_dry_run)
        json_object_set_new(line, "dryRun", json_true());
    json_object_set_new(line, "code", json_integer(call->code));
    return line;
}

void audit_write(struct api_call *call)
{
    if (!is_worth_a_line(call))
        return;
    json_t *line = line_of(call);
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    size_t len = text != NULL ? strlen(text) : 0;
    bool is_lost = text == NULL;
    if (text != NULL) {
        text[len] = '\n'; /* in place of the NUL: one write, one line */
        is_lost = write(call->api->audit_fd, text, len + 1) != (ssize_t)(len + 1);
    }
    free(text);
    if (is_lost)
        call->api->stats.audit_lost += 1;
}
