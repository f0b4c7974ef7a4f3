/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be there for a Gateway. Pure: JSON in, JSON out. Private to infra. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define INFRA_NAME_BYTES 64u /* a Service's name is a label of 63 characters */
/* Of a Gateway: a Service, and an EndpointSlice a family. */
#define INFRA_OBJECTS_MAX 3u

enum infra_object { INFRA_SERVICE, INFRA_SLICE_IPV4, INFRA_SLICE_IPV6 };

/* The name of the Service: "<gateway>-<class>" (GEP-1762), or where that is none of a Service,
 * "gateway-" and digits of the Gateway's uid. */
void infra_service_name(const json_t *gateway, char ret[INFRA_NAME_BYTES]);

/* The name of one of the objects. */
void infra_object_name(const json_t *gateway, enum infra_object which,
                       char ret[INFRA_NAME_BYTES + 8]);

/* The object as it has to be, a new reference; NULL: there need not be one (no address of that
 * family). */
json_t *infra_wanted(const json_t *gateway, enum infra_object which);

/* Does it belong to that Gateway? */
bool infra_is_of(const json_t *object, const json_t *gateway);

/* A merge patch that makes of `there` what is wanted, a new reference; NULL: it is so already.
 * Labels and annotations that others put there stay, and ours that are wanted no more go: their
 * names are kept in an annotation. */
json_t *infra_patch(const json_t *there, const json_t *wanted);
