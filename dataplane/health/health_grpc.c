/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The health service of gRPC (grpc.health.v1, health.proto):
 *
 *   request   { string service = 1; }
 *   answer    { enum status = 1; }, SERVING is 1
 *
 * Each behind five bytes: not compressed (0), length. Anything but SERVING is no.
 */
#include "health/health_grpc.h"

#include "base/assert.h"

#include <assert.h>
#include <string.h>

enum {
    ENVELOPE_BYTES = 5,
    TAG_SERVICE = 1 << 3 | 2, /* field 1, bytes */
    TAG_STATUS = 1 << 3 | 0,  /* field 1, varint */
    SERVING = 1,
};

void health_grpc_init(struct health_grpc *g, struct slice service)
{
    ASSERT(service.len <= IMAGE_GRPC_SERVICE_BYTES_MAX);
    *g = (struct health_grpc){.request_len = 0};
    uint8_t *at = g->request + ENVELOPE_BYTES;
    if (service.len > 0) {
        *at++ = TAG_SERVICE;
        if (service.len >= 0x80) /* a varint of two bytes */
            *at++ = (uint8_t)(0x80 | (service.len & 0x7f));
        *at++ = (uint8_t)(service.len >= 0x80 ? service.len >> 7 : service.len);
        memcpy(at, service.ptr, service.len);
        at += service.len;
    }
    g->request_len = (uint32_t)(at - g->request);
    uint32_t bytes = g->request_len - ENVELOPE_BYTES; /* fits 16 bits */
    g->request[3] = (uint8_t)(bytes >> 8);
    g->request[4] = (uint8_t)bytes;
}

void health_grpc_take(struct health_grpc *g, struct slice bytes)
{
    size_t room = HEALTH_GRPC_MESSAGE_BYTES_MAX - g->message_len;
    size_t n = bytes.len < room ? bytes.len : room; /* when it is full it is none that counts */
    if (n == 0)
        return;
    memcpy(g->message + g->message_len, bytes.ptr, n);
    g->message_len += (uint32_t)n;
}

bool health_grpc_is_serving(const struct health_grpc *g)
{
    static const uint8_t serving[] = {0, 0, 0, 0, 2, TAG_STATUS, SERVING};
    static_assert(sizeof(serving) < HEALTH_GRPC_MESSAGE_BYTES_MAX, "one that is longer is seen");
    return g->message_len == sizeof(serving) && memcmp(g->message, serving, sizeof(serving)) == 0;
}
