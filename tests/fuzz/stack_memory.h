/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of the stack under a fuzz target. Making a stack anew for each input would cost more
 * than the input: so it is made once, its memory (all of what core_memory() gave) is remembered,
 * and copied back for the next input. Between two blocks lies one that a sanitizer forbids.
 * Takes core_memory()'s place by the linker's --wrap.
 */
#pragma once

#include <stdbool.h>

/* Has stack_memory_keep() been called? */
bool stack_memory_is_kept(void);

/* What the blocks hold now is what they will hold again. */
void stack_memory_keep(void);

/* Puts everything back. */
void stack_memory_restore(void);
