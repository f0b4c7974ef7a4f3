/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and keys of the appliance's images: which ones an image shows, what it says of them,
 * and what is made of them for its workers. Each image has identities of its own, which end with
 * it: connections that were shown one may live on.
 */
#pragma once

#include "compile/image_builder.h"
#include "sim_box.h"
#include "sim_certs.h"

struct image_companion;

/* Does the image of that generation show the certificate? */
bool sim_keys_shows(const struct sim_box *b, uint64_t generation, enum sim_cert cert);

/* The certificates of the listener made last, for the next image. */
void sim_keys_add(const struct sim_box *box, struct image_builder *b);

/* Connections to the group's endpoints go by TLS. */
void sim_keys_secure_group(struct image_builder *b, uint32_t group);

/* What goes with the next image, which was built so; NULL: nothing. */
struct image_companion *sim_keys_new(const struct sim_box *b);

/* NULL is fine. */
void sim_keys_free(struct image_companion *companion);

/* The ticket keys that come with the next image, if any do. */
void sim_keys_set_tickets(struct sim_box *b);
