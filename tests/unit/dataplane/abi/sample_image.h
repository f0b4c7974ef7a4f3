/* SPDX-License-Identifier: Apache-2.0 */
/* An image with something in every section, and requests that reach all of it. */
#pragma once

#include "abi/image.h"

#include <stddef.h>
#include <stdint.h>

/* Generation 7 of the sample; freed by free(). Ends the test when it cannot be made. */
void *sample_image(size_t *ret_len);

/* Uses an accepted image of any content as a worker would: looks up binds, matches requests, walks
 * filters and backends. Reading out of bounds is the sanitizer's to find. */
void use_image(const void *data);

/* What image_check() says of an image in which the byte at `at` is another, and of which section.
 * It is as before afterwards. */
enum image_fault fault_with(void *data, size_t len, const uint8_t *at, uint8_t byte,
                            uint32_t *ret_section);
