/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain over the API: a review that is answered and not stored, as Kubernetes'
 * SelfSubjectAccessReview is.
 *
 *   POST /apis/sluice.internal/v1/explain
 *   {"apiVersion": "sluice.internal/v1", "kind": "Explain",
 *    "spec": {"method": "GET", "url": "http://foo.example.com/"}}
 *   -> the same with "status"; both are described in compile/explain.h
 *
 * Owner: the daemon. Thread: the loop's.
 */
#pragma once

#define EXPLAIN_PATH "/apis/sluice.internal/v1/explain"

struct api;
struct reconcile;

/* Registers the path. `reconcile` must outlive the api. Errors as api_register(). */
int explain_register(struct api *api, struct reconcile *reconcile);
