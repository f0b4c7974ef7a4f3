/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log: a JSON line for each request that changed something or was refused for who asked.
 * Append-only, written before the answer goes out. It names objects and never shows what is in
 * them. A full file is renamed and kept, API_AUDIT_FILES_MAX of them; then the oldest goes.
 */
#include "api/api_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static void format_now(char *buf, size_t size)
{
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t len = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(buf + len, size - len, ".%03ldZ", now.tv_nsec / 1000000);
}

static json_t *line_of(const struct api_call *call)
{
    char when[40];
    char source[IP_ADDR_TEXT_MAX];
    const struct target *t = &call->target;
    format_now(when, sizeof(when));
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

/* "<path>.<n>"; n 0: the file itself. */
static void file_name(const struct api *api, unsigned n, char buf[PATH_MAX])
{
    if (n == 0)
        snprintf(buf, PATH_MAX, "%s", api->audit_path);
    else
        snprintf(buf, PATH_MAX, "%s.%u", api->audit_path, n);
}

/* Each file becomes the next older one; what was the oldest is replaced. */
static void rotate(struct api *api)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    for (unsigned n = API_AUDIT_FILES_MAX; n > 0; n--) {
        file_name(api, n - 1, from);
        file_name(api, n, to);
        rename(from, to); /* may not be there yet */
    }
    close(api->audit_fd);
    api->audit_fd = -1;
}

int audit_open(struct api *api)
{
    struct stat st;
    int fd = open(api->audit_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    api->audit_fd = fd;
    api->audit_bytes = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    return 0;
}

/* One write, one line: nothing of two lines is ever mixed. */
static bool append(struct api *api, const char *line, size_t len)
{
    if (api->audit_fd >= 0 && api->audit_bytes >= API_AUDIT_BYTES_MAX)
        rotate(api);
    if (api->audit_fd < 0 && audit_open(api) != 0)
        return false;
    api->audit_bytes += len;
    return write(api->audit_fd, line, len) == (ssize_t)len;
}

void audit_write(struct api_call *call)
{
    if (!is_worth_a_line(call))
        return;
    json_t *line = line_of(call);
    char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
    json_decref(line);
    size_t len = text != NULL ? strlen(text) : 0;
    if (text != NULL)
        text[len] = '\n'; /* in place of the NUL */
    if (text == NULL || !append(call->api, text, len + 1))
        call->api->stats.audit_lost += 1;
    free(text);
}
