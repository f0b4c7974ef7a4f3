/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of RateLimits: what the image could not say is refused. See rules.h. */
#include "model/rules_priv.h"
#include "model/text.h"

#include "abi/image_format.h"

#include <strings.h>

/* Numbers that do not fit their own bounds are told of there. */
bool rule_limit_burst(const struct rule *rule, const json_t *self, const json_t *old)
{
    uint64_t ms;
    const json_t *burst = json_object_get(self, "burst");
    uint64_t requests = (uint64_t)json_integer_value(json_object_get(self, "requests"));
    if (burst == NULL || requests == 0 || !text_parse_duration(rule_text(self, "per"), &ms) ||
        ms > IMAGE_LIMIT_PERIOD_MS_MAX) {
        return true;
    }
    return (uint64_t)json_integer_value(burst) * ms <= IMAGE_LIMIT_FILL_MS_MAX * requests;
}

bool rule_limit_header(const struct rule *rule, const json_t *self, const json_t *old)
{
    return strcasecmp(json_string_value(self), "Host") != 0;
}
