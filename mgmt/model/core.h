/* SPDX-License-Identifier: Apache-2.0 */
/* What the API server does for the core kinds beyond their schema. Private to model. */
#pragma once

#include "model/model.h"
#include "model/types.h"

/* Secret.stringData becomes data. */
void core_normalize(enum model_type_id id, json_t *obj);

/* Defaults that depend on other fields. */
void core_default(enum model_type_id id, json_t *obj);

/* Rules of Namespace, Service, Secret, ConfigMap, EndpointSlice; the structure is already
 * checked. */
void core_check(enum model_type_id id, const json_t *obj, const json_t *old,
                struct model_errors *e);

/* Rules of Service. One file a family; called by core_check(). */
void core_check_service(const json_t *obj, struct model_errors *e);

/* Rules of EndpointSlice. */
void core_check_endpoint_slice(const json_t *obj, const json_t *old, struct model_errors *e);

/* Rules of Secret. */
void core_check_secret(const json_t *obj, const json_t *old, struct model_errors *e);

/* Rules of ConfigMap. */
void core_check_config_map(const json_t *obj, const json_t *old, struct model_errors *e);
