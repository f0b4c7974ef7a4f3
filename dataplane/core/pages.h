/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large memory for machines without reserved hugepages: transparent huge pages where the kernel has
 * some, else plain ones. A pool of 400 MB is then there in a tenth of the time (200 page faults for
 * 100,000), which is most of a restart, and traffic misses the TLB less. Thread: any.
 */
#pragma once

#include <stddef.h>

/* Of these sizes it is worth it; a huge page of x86-64 and of arm64 with 4 kB pages. */
#define PAGES_HUGE_BYTES (2u << 20)

/* `bytes` of zeroed memory, aligned to a huge page; none of it is touched yet. NULL: none. */
void *pages_map(size_t bytes);

/* Gives back what pages_map() gave for the same size. */
void pages_unmap(void *memory, size_t bytes);
