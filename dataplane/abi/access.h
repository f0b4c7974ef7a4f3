/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker tells of a request that has ended: a record of the observation OBSERVE_REQUESTS
 * (abi/observe.h). Names are not in it: they are the image's, found by its generation and these
 * indices by whoever writes them down (access/access_line.h).
 *
 *   struct access_record, then method, host, path and query one behind the other
 */
#pragma once

#include "abi/observe.h"

/* Kept of method, host, path and query together while a request is under way: a place for each
 * request that there can be. Longer ones are cut; nearly all are below 200. */
#define ACCESS_TEXT_BYTES_MAX 512u
/* Of that, for the host: as long as DNS lets it be, so that a path has room behind any host. */
#define ACCESS_HOST_BYTES_MAX 255u
#define ACCESS_METHOD_BYTES_MAX 32u /* methods of the registry have 17 at most */

#define ACCESS_NONE UINT32_MAX    /* no such thing in the image, or none was found */
#define ACCESS_NO_TIME UINT64_MAX /* it never came to that */

enum access_text {
    ACCESS_METHOD,
    ACCESS_HOST,
    ACCESS_PATH,
    ACCESS_QUERY,
    ACCESS_TEXTS,
};

enum access_flag {
    ACCESS_IS_CUT = 1,    /* the texts did not fit */
    ACCESS_HAS_QUERY = 2, /* asked for, and there was one, maybe of no bytes */
    ACCESS_IS_H2 = 4,     /* the client asked by HTTP/2 */
};

struct access_record {
    struct observe_record head; /* its time: when the request had ended */
    struct ip_addr client;
    struct ip_addr local;
    struct ip_addr endpoint; /* the last one that was asked; all zero: none */
    uint16_t client_port;
    uint16_t local_port;
    uint16_t endpoint_port;
    uint16_t status;   /* of the answer that the client got; 0: none */
    uint16_t end;      /* enum stat_id: a proxy_end_*; of a head that was refused a http_refused_*;
                        of what was passed on a proxy_l4_end_* or l4_end_* */
    uint8_t tries;     /* connections to backends that were asked for */
    uint8_t flags;     /* enum access_flag */
    uint32_t listener; /* in the image; ACCESS_NONE */
    uint32_t rule;     /* likewise */
    uint32_t backend;  /* likewise */
    uint64_t generation; /* of the image; 0: there was none */
    uint64_t request_bytes;
    uint64_t response_bytes;
    uint64_t total_us;   /* from the request's head on */
    uint64_t head_us;    /* until the answer's head came from the backend; ACCESS_NO_TIME */
    uint64_t connect_us; /* of the last try; ACCESS_NO_TIME: on a connection that was there, or
                            never established */
    uint16_t text_bytes[ACCESS_TEXTS];
    uint8_t text[];
};

_Static_assert(sizeof(struct access_record) == 144, "no hidden padding");
