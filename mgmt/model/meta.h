/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for metadata beyond its schema. Private to model. */
#pragma once

#include "model/model.h"

/* Names, namespace, labels, annotations, finalizers, owners; with `old` what may not change. The
 * structure is already checked. */
void meta_check(const struct resource_type *type, const json_t *meta, const json_t *old,
                struct model_errors *e);
