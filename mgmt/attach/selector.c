/* SPDX-License-Identifier: Apache-2.0 */
/* Label selectors (Kubernetes: LabelSelector). All parts must hold; an empty one selects all, one
 * that is not there selects nothing. */
#include "attach/attach_priv.h"

#include <string.h>

static bool has_value(const json_t *values, const json_t *value)
{
    size_t i;
    const json_t *item;
    json_array_foreach(values, i, item)
    {
        if (json_equal(item, value)) {
            return true;
        }
    }
    return false;
}

/* One of matchExpressions. An operator that does not exist selects nothing. */
static bool expression_matches(const json_t *expression, const json_t *labels)
{
    const char *relation = text_at(expression, "operator");
    const json_t *values = json_object_get(expression, "values");
    const json_t *label = json_object_get(labels, text_at(expression, "key"));
    if (strcmp(relation, "In") == 0) {
        return label != NULL && has_value(values, label);
    }
    if (strcmp(relation, "NotIn") == 0) {
        return label == NULL || !has_value(values, label);
    }
    if (strcmp(relation, "Exists") == 0) {
        return label != NULL;
    }
    return strcmp(relation, "DoesNotExist") == 0 && label == NULL;
}

bool selector_selects(const json_t *selector, const json_t *labels)
{
    if (selector == NULL) {
        return false;
    }
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(selector, "matchLabels"), key, value)
    {
        const json_t *label = json_object_get(labels, key);
        if (label == NULL || !json_equal(label, value)) {
            return false;
        }
    }
    size_t i;
    const json_t *expression;
    json_array_foreach(json_object_get(selector, "matchExpressions"), i, expression)
    {
        if (!expression_matches(expression, labels)) {
            return false;
        }
    }
    return true;
}
