/* SPDX-License-Identifier: Apache-2.0 */
/* Which flows are meant by an observation's request. Pure; it runs in the worker, so that what is
 * not meant is never copied. Cost: O(matches). */
#pragma once

#include "abi/observe.h"

#include <stdbool.h>

/* Is every value of the request in its range? For requests that come from outside. */
bool obs_request_is_sound(const struct control_observe *r, uint32_t length);

/* Does who looks at requests want this one? `chance` is drawn evenly from all numbers, for all who
 * look; an error, or what may become one, is wanted whatever it says by who asked for errors. */
bool obs_request_wants(const struct control_observe *r, bool is_error, uint32_t chance);

/* Does the request mean the flow between these two ends? No matches: all are meant. */
bool obs_request_has(const struct control_observe *r, const struct ip_addr *one, uint16_t one_port,
                     const struct ip_addr *other, uint16_t other_port);
