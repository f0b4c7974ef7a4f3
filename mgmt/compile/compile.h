/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a plan (attach/plan.h) to the bytes of a route image (abi/image.h). The semantics are
 * decided in the plan; here names become indices, ages become an order, text takes the form that
 * requests are matched in. The same plan gives the same bytes, but for the generation.
 *
 * What cannot be put into an image is left out and told by a note, and keeps nothing else out. A
 * rule whose filter cannot be carried out answers 500; a match that cannot be carried out is left
 * out whole, never widened.
 *
 * Thread: mgmtd's; pure. Cost: O(n log n) in the size of the plan. Errors: negative errno.
 */
#pragma once

#include "attach/plan.h"

#include <stddef.h>
#include <stdint.h>

struct regex_cache;

struct compile_input {
    const struct plan *plan;
    struct regex_cache *patterns;  /* compiles regular expressions; NULL: they are left out */
    const uint32_t *group_ids;     /* the store's id of each of the plan's groups */
    const char *const *port_names; /* the dataplane's ports by index, as WELCOME named them */
    uint32_t n_ports;
    uint64_t generation; /* at least 1 */
    /* One sentence for each thing that is left out; may be NULL. */
    void (*on_note)(void *arg, const char *text);
    void *arg;
};

/* The image, `*ret_len` bytes, to be freed by free(). -E2BIG: beyond a limit of the format.
 * -ENOMEM. */
int compile_image(const struct compile_input *in, void **ret_data, size_t *ret_len);
