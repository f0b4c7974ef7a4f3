/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of selector.h, read in one pass over a copy of the text. */
#include "api/selector.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum op {
    OP_EXISTS,
    OP_NOT_EXISTS,
    OP_IN,
    OP_NOT_IN, /* also if there is no such label */
};

struct term {
    enum op op;
    const char *key;
    unsigned n;
    const char *values[SELECTOR_VALUES_MAX];
};

struct selector {
    char *text; /* the words, each with its NUL */
    unsigned n;
    struct term terms[SELECTOR_TERMS_MAX];
};

struct reader {
    const char *from;
    char *to; /* where words are copied */
};

static void skip_space(struct reader *r)
{
    while (*r->from == ' ')
        r->from += 1;
}

static bool take(struct reader *r, const char *token)
{
    skip_space(r);
    size_t len = strlen(token);
    if (strncmp(r->from, token, len) != 0)
        return false;
    r->from += len;
    return true;
}

/* A key or value; may be empty. */
static const char *take_word(struct reader *r)
{
    skip_space(r);
    const char *word = r->to;
    while (isalnum((unsigned char)*r->from) || (*r->from != '\0' && strchr("-_./", *r->from)))
        *r->to++ = *r->from++;
    *r->to++ = '\0';
    return word;
}

static bool add_value(struct term *t, struct reader *r)
{
    if (t->n == SELECTOR_VALUES_MAX)
        return false;
    t->values[t->n++] = take_word(r);
    return true;
}

static bool read_set(struct term *t, struct reader *r)
{
    if (!take(r, "("))
        return false;
    do {
        if (!add_value(t, r))
            return false;
    } while (take(r, ","));
    return take(r, ")");
}

/* The word after a key, if it is `word` and followed by a space or a bracket. */
static bool take_keyword(struct reader *r, const char *word)
{
    skip_space(r);
    size_t len = strlen(word);
    if (strncmp(r->from, word, len) != 0 || (r->from[len] != ' ' && r->from[len] != '('))
        return false;
    r->from += len;
    return true;
}

static bool read_term(struct term *t, struct reader *r)
{
    bool is_not = take(r, "!");
    t->key = take_word(r);
    if (t->key[0] == '\0')
        return false;
    t->op = is_not ? OP_NOT_EXISTS : OP_EXISTS;
    if (is_not)
        return true;
    if (take_keyword(r, "in")) {
        t->op = OP_IN;
        return read_set(t, r);
    }
    if (take_keyword(r, "notin")) {
        t->op = OP_NOT_IN;
        return read_set(t, r);
    }
    if (take(r, "!=")) {
        t->op = OP_NOT_IN;
        return add_value(t, r);
    }
    if (take(r, "==") || take(r, "=")) {
        t->op = OP_IN;
        return add_value(t, r);
    }
    return true;
}

int selector_parse(const char *text, struct selector **ret)
{
    struct selector *s = calloc(1, sizeof(*s));
    /* Each word grows by a NUL; no word is without a character of text beside it. */
    char *copy = malloc(2 * strlen(text) + SELECTOR_TERMS_MAX + 2);
    if (s == NULL || copy == NULL) {
        free(s);
        free(copy);
        return -ENOMEM;
    }
    s->text = copy;
    struct reader r = {.from = text, .to = copy};
    skip_space(&r);
    bool is_good = true;
    while (is_good && *r.from != '\0') {
        is_good = s->n < SELECTOR_TERMS_MAX && read_term(&s->terms[s->n], &r);
        s->n += is_good ? 1 : 0;
        skip_space(&r);
        if (is_good && *r.from != '\0')
            is_good = take(&r, ",") && *r.from != '\0';
    }
    if (!is_good) {
        selector_free(s);
        return -EINVAL;
    }
    *ret = s;
    return 0;
}

void selector_free(struct selector *s)
{
    if (s == NULL)
        return;
    free(s->text);
    free(s);
}

static bool term_matches(const struct term *t, const char *value)
{
    if (t->op == OP_EXISTS || t->op == OP_NOT_EXISTS)
        return (value != NULL) == (t->op == OP_EXISTS);
    bool is_in = false;
    for (unsigned i = 0; i < t->n && value != NULL; i++)
        is_in = is_in || strcmp(t->values[i], value) == 0;
    return is_in == (t->op == OP_IN);
}

bool selector_matches(const struct selector *s, const json_t *object)
{
    const json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");
    for (unsigned i = 0; s != NULL && i < s->n; i++) {
        const struct term *t = &s->terms[i];
        if (!term_matches(t, json_string_value(json_object_get(labels, t->key))))
            return false;
    }
    return true;
}
