/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses of the kinds. Private to attach. `obj` is the object as it is now; new references. */
#pragma once

#include "attach/attach_priv.h"

/* Of a GatewayClass of ours. */
json_t *status_of_class(const struct attach *a, const struct at_class *c, const json_t *obj,
                        const char *now);

/* `is_served`: every worker serves an image made of this generation, so it is Programmed. */
json_t *status_of_gateway(const struct attach *a, const struct at_gateway *g, const json_t *obj,
                          const char *now, bool is_served);

/* NULL: the route has, had and needs no status of ours. */
json_t *status_of_route(const struct attach *a, const struct at_route *r, const json_t *obj,
                        const char *now);
