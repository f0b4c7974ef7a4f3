/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules' files share. */
#pragma once

#include "model/rules.h"

/* A string member, "" if it is not there. */
const char *rule_text(const json_t *object, const char *key);

/* Is the member this text? */
bool rule_is(const json_t *object, const char *key, const char *text);

/* Is there such a member? */
bool rule_has(const json_t *object, const char *key);
