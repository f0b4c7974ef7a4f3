/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The builder's guards. Of the conditions of a match the one becomes its guard that the fewest
 * matches of the path share: a request that gives the answer then has few to ask. So a thousand
 * routes that differ in the value of a header cost a request one question.
 */
#include "compile/image_builder_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>

static int compare_strings(struct image_string a, struct image_string b)
{
    if (a.offset != b.offset) /* each text is in the image once */
        return a.offset < b.offset ? -1 : 1;
    return a.length < b.length ? -1 : a.length > b.length;
}

static int compare_questions(const struct builder_condition *a, const struct builder_condition *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return compare_strings(a->name, b->name);
}

static int compare_answers(const struct builder_condition *a, const struct builder_condition *b)
{
    int order = compare_questions(a, b);
    return order != 0 ? order : compare_strings(a->value, b->value);
}

static int compare_conditions(const void *x, const void *y)
{
    const struct builder_condition *a = x, *b = y;
    int order = compare_answers(a, b);
    return order != 0 ? order : a->match < b->match ? -1 : a->match > b->match;
}

/* By match, the one with the fewest rivals first. */
static int compare_choices(const void *x, const void *y)
{
    const struct builder_condition *a = x, *b = y;
    if (a->match != b->match)
        return a->match < b->match ? -1 : 1;
    if (a->rivals != b->rivals)
        return a->rivals < b->rivals ? -1 : 1;
    return compare_answers(a, b);
}

static struct builder_condition *conditions_of(struct image_vec *vec)
{
    return (struct builder_condition *)(void *)vec->bytes;
}

static void add_condition(struct image_builder *b, struct builder_condition condition)
{
    struct builder_condition *e = NULL;
    if (condition.value.length <= IMAGE_ANSWER_BYTES_MAX)
        e = image_vec_push(b, &b->conditions);
    if (e != NULL)
        *e = condition;
}

/* All conditions of a match. One without any hangs on nothing, as does one that has but patterns,
 * or values that are all too long; any other guard is better, so it counts as shared by all. */
static void collect(struct image_builder *b, uint32_t index)
{
    const struct image_match *match = &ENTRIES(b, MATCHES, const struct image_match)[index];
    const struct image_predicate *predicates = ENTRIES(b, PREDICATES, const struct image_predicate);
    add_condition(b, (struct builder_condition){.kind = IMAGE_GUARD_NONE, .match = index});
    if (match->method.length != 0)
        add_condition(b, (struct builder_condition){.kind = match->is_grpc ? IMAGE_GUARD_CALL
                                                                           : IMAGE_GUARD_METHOD,
                                                    .value = match->method,
                                                    .match = index});
    for (uint32_t i = 0; i < (uint32_t)match->n_headers + match->n_queries; i++) {
        const struct image_predicate *p = &predicates[match->first_predicate + i];
        bool is_header = p->kind == IMAGE_PREDICATE_HEADER;
        if (image_has_pattern(p->kind))
            continue; /* has no one answer */
        add_condition(b, (struct builder_condition){.kind = is_header ? IMAGE_GUARD_HEADER
                                                                      : IMAGE_GUARD_QUERY,
                                                    .name = p->name,
                                                    .value = p->value,
                                                    .match = index});
    }
}

/* Sorts the conditions and says of each how many matches share it. */
static void count_rivals(struct image_builder *b)
{
    struct builder_condition *all = conditions_of(&b->conditions);
    uint32_t n = b->conditions.count;
    qsort(all, n, sizeof(*all), compare_conditions);
    for (uint32_t i = 0; i < n;) {
        uint32_t end = i + 1;
        while (end < n && compare_answers(&all[i], &all[end]) == 0)
            end++;
        for (uint32_t rivals = all[i].kind == IMAGE_GUARD_NONE ? IMAGE_NONE : end - i; i < end; i++)
            all[i].rivals = rivals;
    }
}

/* One condition for each match, in the order of questions and answers. */
static void choose(struct image_builder *b)
{
    struct builder_condition *all = conditions_of(&b->conditions);
    uint32_t n = b->conditions.count;
    b->chosen.count = 0;
    qsort(all, n, sizeof(*all), compare_choices);
    for (uint32_t i = 0; i < n; i++) {
        if (i != 0 && all[i - 1].match == all[i].match)
            continue;
        struct builder_condition *e = image_vec_push(b, &b->chosen);
        if (e == NULL)
            return;
        *e = all[i];
    }
    if (b->chosen.count != 0)
        qsort(b->chosen.bytes, b->chosen.count, sizeof(*all), compare_conditions);
}

static uint32_t count_questions(struct image_builder *b)
{
    const struct builder_condition *chosen = conditions_of(&b->chosen);
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->chosen.count; i++)
        n += i == 0 || compare_questions(&chosen[i - 1], &chosen[i]) != 0;
    return n;
}

static void push_guard(struct image_builder *b, uint32_t path, const struct builder_condition *c)
{
    struct image_guard *e = image_vec_push(b, SECTION(b, GUARDS));
    if (e != NULL)
        *e = (struct image_guard){.path = path, .name = c->name, .kind = (uint16_t)c->kind};
}

static void push_answer(struct image_builder *b, const struct builder_condition *c)
{
    struct image_answer *e = image_vec_push(b, SECTION(b, ANSWERS));
    if (e != NULL)
        *e = (struct image_answer){.guard = SECTION(b, GUARDS)->count - 1,
                                   .value = c->value,
                                   .first = SECTION(b, ANSWER_MATCHES)->count};
}

/* Writes what was chosen. */
static void write_guards(struct image_builder *b, uint32_t path)
{
    const struct builder_condition *c = conditions_of(&b->chosen);
    for (uint32_t i = 0; i < b->chosen.count; i++) {
        if (i == 0 || compare_questions(&c[i - 1], &c[i]) != 0)
            push_guard(b, path, &c[i]);
        if (i == 0 || compare_answers(&c[i - 1], &c[i]) != 0)
            push_answer(b, &c[i]);
        uint32_t *match = image_vec_push(b, SECTION(b, ANSWER_MATCHES));
        if (match == NULL)
            return;
        *match = c[i].match;
        uint32_t answer = SECTION(b, ANSWERS)->count - 1;
        ENTRIES(b, ANSWERS, struct image_answer)[answer].count++;
        ENTRIES(b, MATCHES, struct image_match)[c[i].match].answer = answer;
    }
}

int image_builder_guard(struct image_builder *b)
{
    SECTION(b, GUARDS)->count = 0;
    SECTION(b, ANSWERS)->count = 0;
    SECTION(b, ANSWER_MATCHES)->count = 0;
    for (uint32_t i = 0; i < SECTION(b, PATHS)->count && b->error == 0; i++) {
        struct image_path *path = &ENTRIES(b, PATHS, struct image_path)[i];
        path->first_guard = SECTION(b, GUARDS)->count;
        path->n_guards = 0;
        if (path->n_matches <= IMAGE_UNGUARDED_MATCHES_MAX)
            continue;
        b->conditions.count = 0;
        for (uint32_t k = 0; k < path->n_matches; k++)
            collect(b, path->first_match + k);
        count_rivals(b);
        choose(b);
        uint32_t n_questions = count_questions(b);
        if (b->error != 0 || n_questions > UINT16_MAX)
            continue; /* too many questions are no help */
        ASSERT(b->chosen.count == path->n_matches);
        path->n_guards = (uint16_t)n_questions;
        write_guards(b, i);
    }
    return b->error;
}
