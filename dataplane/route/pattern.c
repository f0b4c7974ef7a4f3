/* SPDX-License-Identifier: Apache-2.0 */
/* See pattern.h. */
#include "route/pattern.h"

#include "base/assert.h"

#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct route_patterns {
    uint32_t n_databases;
    unsigned n_readers;
    hs_database_t **databases; /* by index in the image */
    hs_scratch_t *scratches[]; /* of each reader */
};

static const char *error_text(hs_error_t error)
{
    switch (error) {
    case HS_NOMEM:
        return "no memory";
    case HS_DB_VERSION_ERROR:
        return "compiled by another version of Hyperscan";
    case HS_DB_PLATFORM_ERROR:
        return "compiled for another processor";
    case HS_DB_MODE_ERROR:
        return "compiled for another mode";
    default:
        return "damaged";
    }
}

/* Each database, and room for all of them in the first reader's scratch. */
static hs_error_t load(struct route_patterns *p, const struct image_view *v, uint32_t *ret_index)
{
    for (uint32_t i = 0; i < v->n_databases; i++) {
        const char *bytes = (const char *)v->database_bytes + v->databases[i].offset;
        *ret_index = i;
        hs_error_t error = hs_deserialize_database(bytes, v->databases[i].length, &p->databases[i]);
        if (error == HS_SUCCESS)
            error = hs_alloc_scratch(p->databases[i], &p->scratches[0]);
        if (error != HS_SUCCESS)
            return error;
    }
    return HS_SUCCESS;
}

static hs_error_t clone_scratches(struct route_patterns *p)
{
    for (unsigned i = 1; i < p->n_readers; i++) {
        hs_error_t error = hs_clone_scratch(p->scratches[0], &p->scratches[i]);
        if (error != HS_SUCCESS)
            return error;
    }
    return HS_SUCCESS;
}

bool route_patterns_new(const struct image_view *v, unsigned readers, struct route_patterns **ret,
                        char *fault, size_t fault_bytes)
{
    uint32_t index = 0;
    hs_error_t error = HS_NOMEM;
    ASSERT(readers > 0);
    *ret = NULL;
    if (v->n_databases == 0)
        return true;
    struct route_patterns *p = calloc(1, sizeof(*p) + readers * sizeof(p->scratches[0]));
    if (p != NULL) {
        p->n_databases = v->n_databases;
        p->n_readers = readers;
        p->databases = calloc(v->n_databases, sizeof(hs_database_t *));
    }
    if (p != NULL && p->databases != NULL)
        error = load(p, v, &index);
    if (error == HS_SUCCESS)
        error = clone_scratches(p);
    if (error == HS_SUCCESS) {
        *ret = p;
        return true;
    }
    snprintf(fault, fault_bytes, "database %u of regular expressions: %s", index,
             error_text(error));
    route_patterns_free(p);
    return false;
}

void route_patterns_free(struct route_patterns *p)
{
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->n_readers; i++)
        hs_free_scratch(p->scratches[i]);
    for (uint32_t i = 0; i < p->n_databases && p->databases != NULL; i++)
        hs_free_database(p->databases[i]);
    free(p->databases);
    free(p);
}

struct asking {
    struct route_hits *hits;
    uint32_t n;
};

/* What a database tells is believed within its set only: see image_check_patterns.c. */
static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *context)
{
    struct asking *a = context;
    if (id < a->n)
        a->hits->bits[id / 64] |= 1ULL << id % 64;
    return 0;
}

void route_pattern_ask(const struct route_reader *reader, const struct image_pattern_set *set,
                       struct slice text, struct route_hits *ret)
{
    const struct route_patterns *p = reader->patterns;
    struct asking asking = {ret, set->n_patterns};
    *ret = (struct route_hits){0};
    ASSERT(p != NULL && reader->number < p->n_readers && set->database < p->n_databases);
    hs_error_t error =
        hs_scan(p->databases[set->database], text.len == 0 ? "" : (const char *)text.ptr,
                (unsigned)text.len, 0, p->scratches[reader->number], on_match, &asking);
    ASSERT_HOT(error == HS_SUCCESS);
    if (error != HS_SUCCESS)
        *ret = (struct route_hits){0};
}
