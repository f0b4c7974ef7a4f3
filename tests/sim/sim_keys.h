/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates and keys of the appliance: which ones an image shows, what it says of them, and what
 * comes before it, in a segment as mgmtd sends it, into the product's own key ring. One that the
 * next image shows no more ends with the last image that did: connections that saw it live on.
 */
#pragma once

#include "compile/image_builder.h"
#include "sim_box.h"
#include "sim_certs.h"

struct image_companion;

/* Does the image of that generation show the certificate? */
bool sim_keys_shows(const struct sim_box *b, uint64_t generation, enum sim_cert cert);

/* The certificates of the listener made last, which is HTTPS or ends TLS, for the next image. */
void sim_keys_add(struct sim_box *box, struct image_builder *b, enum image_protocol protocol);

/* Connections to the group's endpoints go by TLS. */
void sim_keys_secure_group(struct image_builder *b, uint32_t group);

/* A ring without keys. */
void sim_keys_begin(struct sim_box *b);

/* What goes with the next image, which was built so. */
struct image_companion *sim_keys_new(struct sim_box *b, const void *image);

/* No worker looks at it any more. */
void sim_keys_free(struct image_companion *companion);

/* All images are gone: frees the ring. */
void sim_keys_end(struct sim_box *b);

/* The ticket keys that come with the next image, if any do. */
void sim_keys_set_tickets(struct sim_box *b);
