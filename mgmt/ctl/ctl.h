/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluicectl's commands. Each takes what the command line said and returns the exit status: 0 done,
 * 1 refused or failed (said on stderr), 2 the command line was wrong.
 *
 * Owner: sluicectl's main. Thread: one.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;

#define CTL_HEADERS_MAX 32u /* -H options of explain */

enum ctl_exit {
    CTL_DONE = 0,
    CTL_FAILED = 1,
    CTL_USAGE = 2,
};

enum ctl_output {
    CTL_TABLE,
    CTL_JSON,
    CTL_YAML,
    CTL_NAME,
};

struct ctl_options {
    const char *server;
    const char *token_file;
    const char *ca_file;
    const char *namespace; /* NULL: "default" */
    const char *file;      /* -f; "-" is standard input */
    const char *run_dir;
    const char *address; /* explain */
    const char *client;  /* likewise */
    enum ctl_output output;
    bool all_namespaces;
    bool ignore_not_found;
    const char *state;    /* flows; NULL: any */
    int worker;           /* flows, trace, capture, requests; -1: all */
    unsigned seconds;     /* of these: how long at most; routes: of so long */
    bool has_seconds;     /* that was said */
    uint64_t packets;     /* records at most; 0: no bound */
    uint64_t bytes;       /* likewise */
    unsigned sample;      /* requests: one of so many, by chance */
    bool wants_errors;    /* requests: errors only */
    bool wants_query;     /* requests: with the query */
    const char *port;     /* capture: by its name; NULL: all */
    const char *protocol; /* capture: of IP; NULL: any */
    unsigned snap_bytes;  /* capture: of each frame; 0: all */
    const char *write_to; /* capture: the file; "-": standard output */
    unsigned n_headers;
    const char *headers[CTL_HEADERS_MAX]; /* "Name: value" */
    int n_words;                          /* after the command */
    char **words;
};

/* apply -f FILE: makes each object of the file be as the file says, in the file's order. Goes on
 * after an object that was refused; the exit status says whether all went well. */
enum ctl_exit ctl_apply(struct client *c, const struct ctl_options *o);

/* delete KIND NAME | delete -f FILE. */
enum ctl_exit ctl_delete(struct client *c, const struct ctl_options *o);

/* get KIND [NAME] [-n NS | -A] [-o json|yaml|name]. */
enum ctl_exit ctl_get(struct client *c, const struct ctl_options *o);

/* explain METHOD URL [--address ADDR] [-H 'Name: value']...: which route, rule and backend would
 * get this request. */
enum ctl_exit ctl_explain(struct client *c, const struct ctl_options *o);

/* stats: the dataplane's counters as `name value` lines, sums over the workers first, then each
 * worker's as `worker<N>.name value`. Reads the telemetry segment itself, so it works while mgmtd
 * is down. */
enum ctl_exit ctl_stats(const struct ctl_options *o);

/* routes [NAMESPACE/NAME...] [--seconds N] [--json]: requests and times of each route since the
 * dataplane's start, or of the next N seconds. Reads the segment, too. */
enum ctl_exit ctl_routes(const struct ctl_options *o);

/* flows [MATCH...] [--state S] [--worker N] [--json]: what the workers know of their flows. Reads
 * from the dataplane itself, as stats does; so do the next three. */
enum ctl_exit ctl_flows(const struct ctl_options *o);

/* trace MATCH... [--seconds N]: each segment of the flows that match, and what the stack decided.
 * */
enum ctl_exit ctl_trace(const struct ctl_options *o);

/* capture [MATCH...] -w FILE [--port P] [--protocol P] [--snap N] [--packets N] [--bytes N]
 * [--seconds N]: their frames as pcapng. */
enum ctl_exit ctl_capture(const struct ctl_options *o);

/* requests [MATCH...] [--errors] [--query] [--sample N] [--seconds N]: each request as it ends, as
 * the access log has it. */
enum ctl_exit ctl_requests(const struct ctl_options *o);

/* Reads the manifests of `file` ("-": standard input) as an array of objects; a List counts as its
 * items. NULL: it said on stderr what was wrong. */
json_t *ctl_manifests_read(const char *file);

/* Says on stderr what a Status answer (or, with `status` < 0, the client) says: message and each
 * cause with its field. */
void ctl_print_refusal(const struct client *c, const char *subject, int status,
                       const json_t *answer);

/* The string at a path like "metadata.name"; "" if there is none. */
const char *ctl_text_at(const json_t *object, const char *path);
