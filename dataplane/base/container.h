/* SPDX-License-Identifier: Apache-2.0 */
/* From a member back to the struct that embeds it. */
#pragma once

#include <stddef.h>

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define array_len(a) (sizeof(a) / sizeof((a)[0]))
