/* SPDX-License-Identifier: Apache-2.0 */
/* From a member back to the struct that embeds it. */
#pragma once

#include <stddef.h>

/* The struct of that type whose `member` is at `ptr`. */
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* How many elements an array has; not for a pointer. */
#define array_len(a) (sizeof(a) / sizeof((a)[0]))
