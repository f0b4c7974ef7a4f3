/* SPDX-License-Identifier: Apache-2.0 */
/* A buffer that grows to a line's size, with the lines taken off its front. */
#include "controller/lines.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

/* What was given is moved out before more is asked for, so that the buffer does not creep. */
static void compact(struct lines *l)
{
    if (l->at == 0)
        return;
    memmove(l->data, l->data + l->at, l->n - l->at);
    l->n -= l->at;
    l->searched -= l->at;
    l->at = 0;
}

static bool reserve(struct lines *l, size_t n)
{
    compact(l);
    if (l->n + n <= l->capacity)
        return true;
    size_t capacity = l->capacity == 0 ? 4096 : l->capacity;
    while (capacity < l->n + n)
        capacity *= 2;
    char *data = realloc(l->data, capacity);
    if (data == NULL)
        return false;
    l->data = data;
    l->capacity = capacity;
    return true;
}

bool lines_add(struct lines *l, const char *data, size_t n)
{
    if (l->is_broken)
        return false;
    if (n == 0)
        return true;
    if (!reserve(l, n)) {
        l->is_broken = true;
        return false;
    }
    memcpy(l->data + l->n, data, n);
    l->n += n;
    return true;
}

char *lines_next(struct lines *l, size_t *ret_len)
{
    ASSERT(l->at <= l->searched && l->searched <= l->n);
    if (l->is_broken || l->data == NULL)
        return NULL;
    char *end = memchr(l->data + l->searched, '\n', l->n - l->searched);
    size_t len = end != NULL ? (size_t)(end - l->data) - l->at : l->n - l->at;
    if (len > l->line_max) {
        l->is_broken = true;
        return NULL;
    }
    if (end == NULL) {
        l->searched = l->n;
        return NULL;
    }
    char *line = l->data + l->at;
    *end = '\0';
    l->at = (size_t)(end - l->data) + 1;
    l->searched = l->at;
    *ret_len = len;
    return line;
}

size_t lines_rest(const struct lines *l)
{
    return l->n - l->at;
}

json_t *lines_event(const char *line, size_t len)
{
    json_t *event = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_string(json_object_get(event, "type")) &&
        json_is_object(json_object_get(event, "object")))
        return event;
    json_decref(event);
    return NULL;
}

void lines_done(struct lines *l)
{
    free(l->data);
    *l = (struct lines){.line_max = l->line_max};
}
