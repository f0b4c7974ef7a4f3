/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of a gRPC check share. Thread: the worker. */
#pragma once

#include "health/health_grpc.h"

#include <nghttp2/nghttp2.h>

/* The call's block, as nghttp2 takes memory from it. */
nghttp2_mem health_grpc_memory(struct health_grpc *g);
