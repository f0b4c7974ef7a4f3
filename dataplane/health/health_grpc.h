/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of grpc.health.v1.Health/Check: what a check asks, and what the answer says. They go
 * by HTTP/2 as every check's do (health_http.c). Owner: the check. Thread: the worker.
 */
#pragma once

#include "abi/image_format.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of an answer's message that are looked at: the envelope, a status, and what is too many. */
#define HEALTH_GRPC_MESSAGE_BYTES_MAX 32u

struct health_grpc {
    uint8_t request[5 + 3 + IMAGE_GRPC_SERVICE_BYTES_MAX];
    uint32_t request_len;
    uint32_t request_at; /* of these, sent */
    uint8_t message[HEALTH_GRPC_MESSAGE_BYTES_MAX];
    uint32_t message_len;
};

/* A call about the service, which has IMAGE_GRPC_SERVICE_BYTES_MAX at most; empty: about the server
 * as a whole. */
void health_grpc_init(struct health_grpc *g, struct slice service);

/* Some more of the answer's message. */
void health_grpc_take(struct health_grpc *g, struct slice bytes);

/* Is it SERVING, and nothing else? */
bool health_grpc_is_serving(const struct health_grpc *g);
