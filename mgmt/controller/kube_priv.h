/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The insides of the client, for kube.c (calls, watches), kube_transfer.c (one libcurl handle) and
 * kube_multi.c (libcurl in the loop).
 *
 * A transfer is in one of three states:
 *   WAITING  for one of KUBE_CALLS_MAX (watches never wait)
 *   ACTIVE   libcurl has it
 *   OVER     libcurl has given it back; its owner is to be told, then it is freed
 *
 * libcurl may not be called from its own callbacks, and our users do what they like in theirs: so
 * libcurl's callbacks only gather, and mark the transfer `ready`; the users are told when libcurl
 * is done.
 */
#pragma once

#include "base/list.h"
#include "controller/kube.h"
#include "controller/lines.h"
#include "loop/loop.h"

#include <curl/curl.h>
#include <sys/stat.h>

enum transfer_state {
    TRANSFER_WAITING,
    TRANSFER_ACTIVE,
    TRANSFER_OVER,
};

struct kube_transfer {
    struct list_node link; /* of `waiting` or `active` */
    struct list_node ready_link;
    struct kube *kube;
    CURL *easy;
    struct curl_slist *headers;
    char *body;
    char error[CURL_ERROR_SIZE];
    enum transfer_state state;
    CURLcode code;    /* when it is OVER */
    int local_status; /* it was never sent: our own answer; 0: it was */
    bool is_too_big;  /* why `code` is a write error */
    bool is_watch;
    bool is_busy;      /* its owner is being told: it is not freed until he has been */
    bool is_doomed;    /* closed meanwhile */
    struct lines data; /* of a watch; of a call all is one */
};

struct kube_call {
    struct kube_transfer t; /* first */
    kube_done_fn on_done;
    void *owner;
};

struct kube_watch {
    struct kube_transfer t;            /* first */
    struct kube_watch_request request; /* path is not kept */
    struct wheel_timer idle;
    bool is_open; /* 200 was seen and told */
};

/* A socket of libcurl's in the loop. */
struct kube_socket {
    struct list_node link;
    struct loop_io io;
    struct kube *kube;
};

struct kube {
    struct loop *loop;
    struct kube_access access;
    char *user_agent;
    struct curl_slist *connect_to; /* CURLOPT_CONNECT_TO: where the server really is; NULL */
    char *base;                    /* what a path is put behind */
    char *authorization;           /* the header line; NULL */
    struct timespec token_mtime;
    ino_t token_inode;
    bool is_refused; /* the token was answered 401, and is the same still */
    uint64_t try_us; /* then: when it is tried again */
    CURLM *multi;
    struct wheel_timer timer; /* libcurl's */
    struct loop_task kick;    /* libcurl's timer that is due at once; and what is ready */
    struct list_node sockets, waiting, active, ready;
    unsigned n_waiting, n_calls; /* calls only */
};

/* ---- kube_multi.c ---- */

/* libcurl's multi handle with its callbacks set. */
int kube_multi_new(struct kube *k);

/* Frees it with its sockets; no transfer may be left. */
void kube_multi_free(struct kube *k);

/* Gives a transfer to libcurl. */
int kube_multi_add(struct kube *k, struct kube_transfer *t);

/* Marks it: it will be told when libcurl is done. */
void kube_mark_ready(struct kube_transfer *t);

/* ---- kube_transfer.c ---- */

/* Makes the handle of a request; is_watch is set already. Errors as kube_call(); then the transfer
 * is to be freed as any. */
int kube_transfer_init(struct kube_transfer *t, struct kube *k, const struct kube_request *request);

/* Takes it from wherever it is; nothing comes any more. */
void kube_transfer_stop(struct kube_transfer *t);

/* Stops it and frees what is in it and itself. */
void kube_transfer_free(struct kube_transfer *t);

/* The HTTP status, or a negative errno by what libcurl said. */
int kube_transfer_status(const struct kube_transfer *t);

/* The token's header is made anew if its file has changed. */
void kube_token_refresh(struct kube *k);

/* It was refused: the file is read anew even if it looks the same. */
void kube_token_forget(struct kube *k);

/* May a request be sent with the token that there is? True also for one that tries it. */
bool kube_token_may_try(struct kube *k);

/* What the token was answered with. */
void kube_token_answered(struct kube *k, int status);

/* ---- kube.c ---- */

/* A transfer is ready: tells its owner. It may be gone afterwards. */
void kube_transfer_tell(struct kube_transfer *t);

/* Starts calls that wait, as many as may run. */
void kube_start_waiting(struct kube *k);
