/* SPDX-License-Identifier: Apache-2.0 */
/* See ctl/observe.h. */
#include "ctl/observe.h"

#include "base/container.h"
#include "ctl/match.h"
#include "publish/control_io.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_WAIT_MS 5000
#define STOP_LOOK_MS 100 /* how soon a Ctrl-C that came between two looks is seen */
#define REQUEST_ID 2u

static volatile sig_atomic_t is_told_to_stop;

/* A connection, and what came last on it. */
struct session {
    int socket;
    bool is_stopping;
    struct stats_map stats;
    struct control_welcome welcome;
    struct control_received *in;
};

static void on_signal(int signal)
{
    is_told_to_stop = 1;
}

static enum ctl_exit fail(const struct ctl_options *o, const char *why)
{
    fprintf(stderr, "sluicectl: %s/" CONTROL_SOCKET_NAME ": %s\n", o->run_dir, why);
    return CTL_FAILED;
}

bool observe_request(const struct ctl_options *o, enum observe_kind kind,
                     struct control_observe *ret)
{
    *ret = (struct control_observe){
        .kind = kind,
        .workers = o->worker < 0 ? UINT64_MAX : 1ull << o->worker,
        .ports = UINT32_MAX,
        .snap_bytes = o->snap_bytes > 0 ? o->snap_bytes : OBSERVE_SNAP_BYTES_MAX,
        .records_max = o->packets > 0 ? o->packets : UINT64_MAX,
        .bytes_max = o->bytes > 0 ? o->bytes : UINT64_MAX,
        .ms_max = o->seconds * 1000,
    };
    if (o->n_words > (int)OBSERVE_MATCHES_MAX) {
        fprintf(stderr, "sluicectl: at most %u matches at once\n", OBSERVE_MATCHES_MAX);
        return false;
    }
    for (int i = 0; i < o->n_words; i++) {
        if (!match_parse(o->words[i], &ret->matches[ret->n_matches++])) {
            fprintf(stderr,
                    "sluicectl: %s: not ADDRESS[/LENGTH][:PORT], or two of them with a comma\n",
                    o->words[i]);
            return false;
        }
    }
    return true;
}

/* Waits for a message. 0, -EINTR (nothing came), or a negative errno. */
static int await(struct session *s, int wait_ms)
{
    struct pollfd wait = {.fd = s->socket, .events = POLLIN};
    int n = poll(&wait, 1, wait_ms);
    if (n <= 0)
        return -EINTR;
    return control_receive(s->socket, s->in);
}

/* HELLO and WELCOME, and the names of the counters. */
static int greet(struct session *s)
{
    struct control_hello hello = {.role = CONTROL_OBSERVER, .pid = (uint32_t)getpid()};
    int result = control_send(s->socket, CONTROL_HELLO, 1, &hello, sizeof(hello), -1);
    if (result != 0)
        return result;
    result = await(s, ANSWER_WAIT_MS);
    if (result != 0)
        return result == -EINTR ? -ETIMEDOUT : result;
    if (s->in->msg.type != CONTROL_WELCOME || s->in->msg.length != sizeof(s->welcome) ||
        s->in->fd < 0)
        return -EPROTO;
    memcpy(&s->welcome, s->in->body, sizeof(s->welcome));
    result = stats_map_open(s->in->fd, &s->stats);
    close(s->in->fd);
    return result;
}

/* OBSERVE and its RESULT; *ret_epoch_us is the time of time 0. */
static enum ctl_exit ask(struct session *s, const struct ctl_options *o,
                         const struct control_observe *request, uint64_t *ret_epoch_us)
{
    struct control_result result;
    int fault = control_send(s->socket, CONTROL_OBSERVE, REQUEST_ID, request, sizeof(*request), -1);
    if (fault == 0)
        fault = await(s, ANSWER_WAIT_MS);
    if (fault != 0)
        return fail(o, strerror(fault == -EINTR ? ETIMEDOUT : -fault));
    if (s->in->msg.type != CONTROL_RESULT || s->in->msg.length != sizeof(result))
        return fail(o, "no answer of ours");
    memcpy(&result, s->in->body, sizeof(result));
    result.text[sizeof(result.text) - 1] = '\0';
    if (result.fault != OBSERVE_FAULT_OK)
        return fail(o, result.text);
    *ret_epoch_us = result.subject;
    return CTL_DONE;
}

/* Hands out the records of a message. False: the command has enough, or the message is broken. */
static bool hand_out(const struct control_received *in, const struct observer *observer)
{
    uint32_t at = 0;
    while (at < in->msg.length) {
        const struct observe_record *record = (const struct observe_record *)(in->body + at);
        if (in->msg.length - at < sizeof(*record) || record->bytes < sizeof(*record) ||
            record->bytes % 8 != 0 || record->bytes > in->msg.length - at)
            return false;
        if (!observer->on_record(observer->owner, record))
            return false;
        at += record->bytes;
    }
    return true;
}

/* Says STOP once, if it is time. */
static void stop_if_told(struct session *s)
{
    if (!is_told_to_stop || s->is_stopping)
        return;
    s->is_stopping = true;
    control_send(s->socket, CONTROL_STOP, REQUEST_ID, NULL, 0, -1);
}

static enum ctl_exit follow(struct session *s, const struct ctl_options *o,
                            const struct observer *observer)
{
    for (;;) {
        stop_if_told(s);
        int result = await(s, STOP_LOOK_MS);
        if (result == -EINTR || result == -EAGAIN)
            continue;
        if (result != 0)
            return fail(o, result == -EPIPE ? "the dataplane ended the connection"
                                            : strerror(-result));
        if (s->in->msg.type == CONTROL_RECORDS) {
            if (!hand_out(s->in, observer))
                return CTL_FAILED;
        } else if (s->in->msg.type == CONTROL_OBSERVED &&
                   s->in->msg.length == sizeof(struct control_observed)) {
            observer->end(observer->owner, (const struct control_observed *)s->in->body);
            return CTL_DONE;
        }
    }
}

static enum ctl_exit run(struct session *s, const struct ctl_options *o,
                         const struct control_observe *request, const struct observer *observer)
{
    struct observe_scene scene = {.welcome = &s->welcome, .stats = &s->stats};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    int result = greet(s);
    if (result != 0)
        return fail(o, strerror(-result));
    sigaction(SIGINT, &action, NULL); /* a second one ends us at once */
    sigaction(SIGTERM, &action, NULL);
    bool is_welcome = observer->greet == NULL || observer->greet(observer->owner, &s->welcome);
    enum ctl_exit status = is_welcome ? ask(s, o, request, &scene.epoch_us) : CTL_FAILED;
    if (status == CTL_DONE)
        status = observer->begin(observer->owner, &scene) ? follow(s, o, observer) : CTL_FAILED;
    stats_map_close(&s->stats);
    return status;
}

enum ctl_exit observe_run(const struct ctl_options *o, const struct control_observe *request,
                          const struct observer *observer)
{
    struct session s = {.in = malloc(sizeof(*s.in))};
    s.socket = s.in != NULL ? control_connect(o->run_dir) : -ENOMEM;
    enum ctl_exit status =
        s.socket < 0 ? fail(o, strerror(-s.socket)) : run(&s, o, request, observer);
    if (s.socket >= 0)
        close(s.socket);
    free(s.in);
    return status;
}
