/* SPDX-License-Identifier: Apache-2.0 */
/* Into a network namespace and back. Thread: the composer's; the namespace is the thread's. */
#pragma once

#include <stdbool.h>

/* The calling thread enters the namespace with that name (as `ip netns` has them). *ret_back leads
 * back. False: there is none, or no right; errno says. */
bool netns_enter(const char *name, int *ret_back);

/* Goes back, and closes `back`. */
void netns_leave(int back);
