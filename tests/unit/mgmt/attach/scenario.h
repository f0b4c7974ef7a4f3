/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios: a YAML file whose first document says what is expected,
 *
 *   plan: |       text of plan_dump(), may be left out
 *   status: |     text of scenario_statuses(), may be left out
 *   dns:          name: {IPv4: {state: good, addresses: [192.0.2.1]}}: what DNS says
 *
 * and whose other documents are the objects, as a user writes them.
 */
#pragma once

#include "attach/attach.h"

#include <jansson.h>

/* Objects as an object_source. */
struct scenario {
    json_t *objects; /* array: normalized, defaulted, valid, of the stored version */
    json_t *expected;
    struct object_source source;
};

/* What a run is given: the objects, and what DNS says. */
struct attach_input scenario_input(struct scenario *s);

/* Reads the file; the test ends if an object is not valid. */
void scenario_open(struct scenario *s, const char *file);
void scenario_close(struct scenario *s);

/* The object "Kind namespace/name" or "Kind name", to change it; NULL: there is none. */
json_t *scenario_find(struct scenario *s, const char *which);

/* Adds a copy of the object with defaults; the test ends if it is not valid. */
void scenario_add(struct scenario *s, const json_t *object);

/* Writes the wanted statuses into the objects, as reconcile does. `served`: every Gateway is.
 * Returns how many differed. */
int scenario_reconcile(struct scenario *s, bool served, const char *now);

/* Its status; the test ends if it is not there. */
json_t *scenario_status(struct scenario *s, const char *which);

/* The condition of a type in `from.conditions`; NULL: there is none. */
const json_t *scenario_condition(const json_t *from, const char *type);

/* A text of that condition; "" if it is not there. */
const char *scenario_field(const json_t *from, const char *type, const char *key);

/* Is the text in the plan? */
bool scenario_plan_has(struct scenario *s, const char *text);

/* The plan and the statuses (as they stand in the objects) as text; freed by the caller. */
char *scenario_plan(struct scenario *s);
char *scenario_statuses(struct scenario *s);

/* Opens, reconciles unserved and then served, and compares with what is expected. */
void scenario_check(const char *file);
