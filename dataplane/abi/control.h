/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contract 1c, control: how images, endpoints and the telemetry segment change hands. A UNIX socket
 * of type SOCK_SEQPACKET, <run-dir>/dataplane.sock, mode 0600, listened on by the dataplane's
 * housekeeping core. Each datagram is one message: struct control_msg, then `length` bytes of body;
 * memory travels as a file descriptor (SCM_RIGHTS). Host byte order: both ends are one box. Every
 * request is answered by a message with the same `id`; GENERATION and FAULT may come at any time
 * with id 0.
 *
 * One manager at a time: a new HELLO as manager takes over, the old one's connection is closed.
 * Observers (sluicectl) may only say HELLO, OBSERVE and STOP: they can look, and change nothing.
 *
 *   type        from  body                          fd                     answer
 *   HELLO       peer  struct control_hello          -                      WELCOME
 *   WELCOME     dp    struct control_welcome        telemetry, read-only   -
 *   PUBLISH     mgmt  struct control_publish        image memfd, sealed    RESULT, then GENERATION
 *   KEYS        mgmt  struct control_keys           keys memfd, sealed     RESULT
 *   ENDPOINTS   mgmt  struct endpoint_record + list -                      RESULT
 *   RESULT      dp    struct control_result         -                      -
 *   GENERATION  dp    struct control_generation     -                      -
 *   OBSERVE     peer  struct control_observe        -                      RESULT, then RECORDS
 *   STOP        peer  -                             -                      OBSERVED
 *   RECORDS, OBSERVED: abi/observe.h
 *
 * KEYS: all certificates and keys (abi/keys.h) that the images in use and the next one name, in
 * place of those before. PUBLISH, KEYS: the memfd must carry F_SEAL_SHRINK|GROW|WRITE|SEAL. RESULT
 * says whether it was accepted; GENERATION says that every worker has reported the generation: only
 * then may a status say Programmed.
 */
#pragma once

#include <stdint.h>

#define CONTROL_MAGIC 0x43434c53u /* "SLCC" */
#define CONTROL_VERSION 1u
#define CONTROL_SOCKET_NAME "dataplane.sock"
#define CONTROL_MSG_BYTES_MAX 65536u
#define CONTROL_PORTS_MAX 16u
#define CONTROL_PORT_NAME_BYTES 32u

enum control_type {
    CONTROL_HELLO = 1,
    CONTROL_WELCOME = 2,
    CONTROL_PUBLISH = 3,
    CONTROL_ENDPOINTS = 4,
    CONTROL_RESULT = 5,
    CONTROL_GENERATION = 6,
    CONTROL_OBSERVE = 7,
    CONTROL_RECORDS = 8,
    CONTROL_STOP = 9,
    CONTROL_OBSERVED = 10,
    CONTROL_KEYS = 11,
};

enum control_role {
    CONTROL_OBSERVER = 0,
    CONTROL_MANAGER = 1,
};

struct control_msg {
    uint32_t magic;
    uint16_t version;
    uint16_t type;   /* enum control_type */
    uint64_t id;     /* chosen by the asker, repeated in the answer; not 0 */
    uint32_t length; /* bytes of body after this header */
    uint32_t reserved;
};

struct control_hello {
    uint32_t role; /* enum control_role */
    uint32_t pid;
};

struct control_welcome {
    uint64_t generation;        /* that every worker serves now; 0: none yet */
    uint64_t image_checksum;    /* content checksum of that image; the same content need not be sent
                                again */
    uint64_t generation_newest; /* accepted; above `generation` while workers have yet to take it:
                                   the next one must be greater than this */
    uint32_t workers;
    uint32_t n_ports; /* <= CONTROL_PORTS_MAX */
    /* In the order of their indices: what Interface objects call a port, the image calls by its
     * index. */
    char port_names[CONTROL_PORTS_MAX][CONTROL_PORT_NAME_BYTES]; /* NUL-terminated */
};

struct control_publish {
    uint64_t generation; /* greater than any before; the image's header says the same */
    uint64_t length;     /* bytes of the image */
};

struct control_keys {
    uint64_t length; /* bytes of the segment */
};

struct control_result {
    uint32_t type;    /* of the request: PUBLISH, KEYS, ENDPOINTS or OBSERVE */
    uint32_t fault;   /* 0: accepted; else enum image_fault, keys_fault and so on */
    uint64_t offset;  /* PUBLISH: where in the image the fault lies; KEYS: the entry at fault */
    uint64_t subject; /* PUBLISH: generation; ENDPOINTS: group; OBSERVE: see abi/observe.h */
    char text[160];   /* the fault in words, NUL-terminated */
};

struct control_generation {
    uint64_t generation; /* every worker serves this one or a later one */
};

_Static_assert(sizeof(struct control_msg) == 24, "wire layout");
_Static_assert(sizeof(struct control_welcome) == 544, "wire layout");
_Static_assert(sizeof(struct control_result) == 184, "wire layout");
