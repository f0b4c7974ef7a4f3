/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a descriptor to an image that may be published: sealed, copied, checked whole, and fitting
 * this box. Nothing of an image is believed before. Thread: housekeeping.
 */
#pragma once

#include "abi/image.h"

#include <stdbool.h>
#include <stddef.h>

struct image_companion;
struct keyring;

/* A checked image in memory. */
struct image_map {
    const void *data;
    size_t length;
    struct image_companion *companion; /* of image_intake_companion(); NULL: none */
};

/* What is wrong, in words too. */
struct image_refusal {
    enum image_fault fault;
    uint64_t offset;
    char text[160];
};

/* A copy for workers to read: in huge pages if there are some, for each look into a large image is
 * at another place of it. NULL: no memory. */
void *image_intake_copy(const void *data, size_t length);

/* Frees the copy. */
void image_intake_free(const void *data, size_t length);

/* Copies the sealed memfd and checks it. `generation` and `length` are what the publisher
 * says of it; `n_ports` bounds its interfaces. False: *ret_refusal says why; nothing is kept. */
bool image_intake_fd(int fd, uint64_t generation, uint64_t length, unsigned n_ports,
                     struct image_map *ret, struct image_refusal *ret_refusal);

/* Makes what workers 0..workers-1 need beside a checked image: its regular expressions, and its
 * identities, from the ring. False: *ret_refusal says why; the caller still has to free the image.
 */
bool image_intake_companion(struct image_map *image, struct keyring *keys, unsigned workers,
                            struct image_refusal *ret_refusal);

/* NULL is fine. */
void image_companion_free(struct image_companion *companion);

/* The same check for bytes in memory. */
bool image_intake_check(const void *data, size_t length, unsigned n_ports,
                        struct image_refusal *ret_refusal);
