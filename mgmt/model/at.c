/* SPDX-License-Identifier: Apache-2.0 */
/* See at.h. */
#include "model/at.h"

const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

int64_t int_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

const json_t *at_path(const json_t *object, const char *first, const char *second)
{
    return json_object_get(json_object_get(object, first), second);
}
