/* SPDX-License-Identifier: Apache-2.0 */
/* Merge patch (RFC 7386) and JSON patch (RFC 6902), pure on jansson values. Depth is bounded by the
 * body's (API_DEPTH_MAX), so a fixed stack does for recursion. */
#include "api/api_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct frame {
    json_t *target;
    json_t *patch;
    void *at; /* iterator within patch */
};

/* One member of a patch object. *ret_deeper: the member of `target` that an object merges into. */
static int merge_member(json_t *target, const char *key, json_t *value, json_t **ret_deeper)
{
    *ret_deeper = NULL;
    if (json_is_null(value)) {
        json_object_del(target, key);
        return 0;
    }
    if (!json_is_object(value))
        return json_object_set_new(target, key, json_deep_copy(value)) == 0 ? 0 : -ENOMEM;
    json_t *member = json_object_get(target, key);
    if (!json_is_object(member)) {
        member = json_object();
        if (json_object_set_new(target, key, member) != 0)
            return -ENOMEM;
    }
    *ret_deeper = member;
    return 0;
}

int patch_merge(json_t *target, json_t *patch)
{
    struct frame stack[API_DEPTH_MAX + 1];
    unsigned depth = 0;
    ASSERT(json_is_object(target) && json_is_object(patch));
    stack[0] = (struct frame){target, patch, json_object_iter(patch)};
    for (;;) {
        struct frame *f = &stack[depth];
        if (f->at == NULL) {
            if (depth == 0)
                return 0;
            depth -= 1;
            continue;
        }
        json_t *deeper = NULL;
        json_t *value = json_object_iter_value(f->at);
        int error = merge_member(f->target, json_object_iter_key(f->at), value, &deeper);
        if (error != 0)
            return error;
        f->at = json_object_iter_next(f->patch, f->at);
        if (deeper != NULL) {
            ASSERT(depth < API_DEPTH_MAX);
            stack[++depth] = (struct frame){deeper, value, json_object_iter(value)};
        }
    }
}

/* ---- RFC 6902 ---- */

#define POINTER_BYTES_MAX 1024u

/* A place in a document: the container, and the last word of the pointer. */
struct place {
    json_t *parent; /* NULL: the whole document */
    char word[POINTER_BYTES_MAX];
};

/* "~1" is "/", "~0" is "~" (RFC 6901). `ret` has room. */
static bool unescape(const char *from, size_t len, char *ret)
{
    for (size_t i = 0; i < len; i++) {
        if (from[i] != '~') {
            *ret++ = from[i];
        } else if (i + 1 < len && (from[i + 1] == '0' || from[i + 1] == '1')) {
            *ret++ = from[++i] == '0' ? '~' : '/';
        } else {
            return false;
        }
    }
    *ret = '\0';
    return true;
}

/* An array index without leading zeros; `n` for "-". False: none. */
static bool parse_index(const char *word, size_t n, size_t *ret)
{
    char *end = NULL;
    if (strcmp(word, "-") == 0) {
        *ret = n;
        return true;
    }
    if (word[0] < '0' || word[0] > '9' || (word[0] == '0' && word[1] != '\0') || strlen(word) > 9)
        return false;
    *ret = strtoul(word, &end, 10);
    return *end == '\0';
}

static json_t *member(json_t *container, const char *word)
{
    size_t index;
    if (json_is_object(container))
        return json_object_get(container, word);
    if (json_is_array(container) && parse_index(word, json_array_size(container), &index))
        return json_array_get(container, index);
    return NULL;
}

static bool find_place(json_t *document, const char *pointer, struct place *ret)
{
    ret->parent = NULL;
    ret->word[0] = '\0';
    if (pointer == NULL || strlen(pointer) >= POINTER_BYTES_MAX)
        return false;
    json_t *at = document;
    while (*pointer == '/') {
        if (ret->parent != NULL)
            at = member(at, ret->word);
        size_t len = strcspn(pointer + 1, "/");
        if (at == NULL || !unescape(pointer + 1, len, ret->word))
            return false;
        ret->parent = at;
        pointer += len + 1;
    }
    return *pointer == '\0';
}

static json_t *value_at(json_t *document, const struct place *p)
{
    return p->parent == NULL ? document : member(p->parent, p->word);
}

/* Takes `value`. */
static bool add_at(json_t **document, const struct place *p, json_t *value)
{
    size_t index;
    if (p->parent == NULL) {
        json_decref(*document);
        *document = value;
        return true;
    }
    if (json_is_object(p->parent))
        return json_object_set_new(p->parent, p->word, value) == 0;
    size_t n = json_array_size(p->parent);
    if (json_is_array(p->parent) && parse_index(p->word, n, &index) && index <= n)
        return json_array_insert_new(p->parent, index, value) == 0;
    json_decref(value);
    return false;
}

static bool remove_at(const struct place *p)
{
    size_t index;
    if (json_is_object(p->parent))
        return json_object_del(p->parent, p->word) == 0;
    return json_is_array(p->parent) && parse_index(p->word, json_array_size(p->parent), &index) &&
           json_array_remove(p->parent, index) == 0;
}

/* move and copy: the value at "from", a new reference; NULL: none. */
static json_t *take_from(json_t *document, const json_t *operation, bool is_move)
{
    struct place from;
    const char *pointer = json_string_value(json_object_get(operation, "from"));
    if (!find_place(document, pointer, &from))
        return NULL;
    json_t *value = json_deep_copy(value_at(document, &from));
    if (value != NULL && is_move && !remove_at(&from)) {
        json_decref(value);
        return NULL;
    }
    return value;
}

static bool is_op(const char *op, const char *name)
{
    return op != NULL && strcmp(op, name) == 0;
}

static const char *apply(json_t **document, const json_t *operation)
{
    const char *op = json_string_value(json_object_get(operation, "op"));
    const char *path = json_string_value(json_object_get(operation, "path"));
    json_t *value = json_object_get(operation, "value");
    json_t *taken = NULL;
    struct place p;
    if (is_op(op, "move") || is_op(op, "copy")) {
        taken = take_from(*document, operation, is_op(op, "move"));
        if (taken == NULL)
            return "there is nothing at \"from\"";
    }
    bool is_found = find_place(*document, path, &p);
    if (taken != NULL && is_found)
        return add_at(document, &p, taken) ? NULL : "nothing can be put at \"path\"";
    json_decref(taken);
    if (!is_found)
        return "there is nothing at \"path\"";
    if (is_op(op, "remove"))
        return remove_at(&p) ? NULL : "there is nothing at \"path\"";
    if (value == NULL)
        return "an operation has no \"value\", or is not of RFC 6902";
    if (is_op(op, "test"))
        return json_equal(value_at(*document, &p), value) ? NULL : "a test failed";
    if (is_op(op, "replace") && value_at(*document, &p) == NULL)
        return "there is nothing at \"path\"";
    if (is_op(op, "replace") && p.parent != NULL)
        remove_at(&p);
    if (!is_op(op, "replace") && !is_op(op, "add"))
        return "an operation is not of RFC 6902";
    return add_at(document, &p, json_deep_copy(value)) ? NULL : "nothing can be put at \"path\"";
}

int patch_json(const json_t *target, const json_t *operations, json_t **ret, const char **ret_error)
{
    json_t *document = json_deep_copy(target);
    size_t i;
    const json_t *operation;
    if (document == NULL)
        return -ENOMEM;
    json_array_foreach(operations, i, operation)
    {
        const char *error = apply(&document, operation);
        if (error != NULL) {
            json_decref(document);
            *ret_error = error;
            return -EINVAL;
        }
    }
    *ret = document;
    return 0;
}
