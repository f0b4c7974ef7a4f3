/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is made of an image for those who serve it, and lives as long as it does: the companion of
 * its generation (core/generation.h). Made and freed by housekeeping, read by workers.
 */
#pragma once

struct key_lease;
struct route_patterns;

struct image_companion {
    struct route_patterns *patterns; /* its regular expressions; NULL: it has none */
    struct key_lease *keys;          /* its identities */
};
