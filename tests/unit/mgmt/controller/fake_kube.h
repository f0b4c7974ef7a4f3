/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An API server played by the test, in place of the client (controller/kube.h): calls wait until
 * fake_run() answers them with what the server says, watches are told what the test wants.
 */
#pragma once

#include "controller/kinds.h"
#include "controller/kube.h"

#include <jansson.h>

struct loop;

struct fake_server {
    json_t *objects[KIND_COUNT]; /* lists: what there is */
    bool is_served[KIND_COUNT];
    bool is_creatable; /* "create" is among the verbs */
    int definition;    /* a GET of any kind's definition (CRD) is answered so; 404: it is gone; */
    bool has_none;     /* or this server has no definitions at all */
    const char *definition_since; /* its creationTimestamp */
    int going_after;              /* so many GETs later it has a deletionTimestamp; < 0: never */
    unsigned n_definition_gets;
    const char *uid;  /* of the namespace kube-system */
    unsigned version; /* resourceVersion of lists */
    unsigned page;    /* objects in a page; 0: all in one */
    int fail_status;  /* every list is answered so; 0: it is answered */
    json_t *fail_body;
    int fail_pages; /* pages after the first are answered so */
    unsigned n_lists, n_whole_lists, n_watches, n_gets;
    char watch_version[64]; /* resourceVersion= of the latest watch of any kind */
};

extern struct fake_server server;

/* A client of the fake server, and a server that serves every kind and has nothing. */
struct kube *fake_new(void);
void fake_free(struct kube *k);

/* An object of a name; version 0: the server's. A new reference. */
json_t *fake_object(enum kind kind, const char *namespace_, const char *name, unsigned version);

/* Puts it into the server's list (in place of one of its name), or takes it out. */
void fake_put(enum kind kind, json_t *object);
void fake_remove(enum kind kind, const char *name);

/* Answers all calls that wait, and what they bring about, and lets the loop go round. */
void fake_run(struct loop *loop);

/* Tells the watch of the kind an event; it may be no event. False: there is no such watch. */
bool fake_event(enum kind kind, const char *type, json_t *object);

/* Ends the watch of the kind. */
bool fake_end_watch(enum kind kind, int status);

/* Is there a watch of the kind? */
bool fake_is_watched(enum kind kind);
