/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In kube.c's place: a server that the test is. kube_call() keeps the request; the test looks at it
 * and answers when it likes.
 */
#pragma once

#include "controller/kube.h"

#define HELD_CALLS_MAX 64u

struct held_call {
    char method[8];
    char path[KUBE_PATH_MAX];
    json_t *body; /* a reference */
    kube_done_fn on_done;
    void *owner;
    bool is_open; /* neither answered nor cancelled */
};

/* All that was asked since held_reset(), in its order. */
extern struct held_call held_calls[HELD_CALLS_MAX];
extern unsigned held_calls_n;

/* Forgets all. */
void held_reset(void);

/* The first call that waits for an answer; NULL: none. */
struct held_call *held_open(void);

/* Answers it; takes `body` (NULL: none). */
void held_answer(struct held_call *call, int status, json_t *body);
