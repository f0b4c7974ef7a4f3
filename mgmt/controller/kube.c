/* SPDX-License-Identifier: Apache-2.0 */
/* The client: calls that wait for their turn, watches that are taken apart into events. */
#include "controller/kube_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- access ---- */

static void wipe(char **text)
{
    if (*text != NULL)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void kube_access_free(struct kube_access *access)
{
    char **const texts[] = {&access->server,          &access->server_name, &access->ca_pem,
                            &access->certificate_pem, &access->key_pem,     &access->token,
                            &access->token_file,      &access->namespace_};
    for (size_t i = 0; i < array_len(texts); i++)
        wipe(texts[i]);
    access->is_insecure = false;
}

static bool copy_text(const char *from, char **to)
{
    *to = from != NULL ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

static bool copy_access(const struct kube_access *from, struct kube_access *to)
{
    to->is_insecure = from->is_insecure;
    return copy_text(from->server, &to->server) && copy_text(from->server_name, &to->server_name) &&
           copy_text(from->ca_pem, &to->ca_pem) &&
           copy_text(from->certificate_pem, &to->certificate_pem) &&
           copy_text(from->key_pem, &to->key_pem) && copy_text(from->token, &to->token) &&
           copy_text(from->token_file, &to->token_file) &&
           copy_text(from->namespace_, &to->namespace_);
}

/* ---- the client ---- */

/* The URL that paths are put behind. With a name for the certificate the URL has that name, and
 * libcurl connects to where the server is. */
static int make_base(struct kube *k)
{
    static const char https[] = "https://";
    char *server = k->access.server;
    if (server == NULL || strncmp(server, https, strlen(https)) != 0)
        return -EINVAL;
    for (size_t n = strlen(server); n > 0 && server[n - 1] == '/'; n--)
        server[n - 1] = '\0';
    const char *host = server + strlen(https);
    size_t host_len = strcspn(host, "/");
    const char *colon = memrchr(host, ':', host_len);
    bool has_port = colon != NULL && memchr(colon, ']', host_len - (size_t)(colon - host)) == NULL;
    if (k->access.server_name == NULL)
        return copy_text(server, &k->base) ? 0 : -ENOMEM;
    char *line = NULL;
    int port_len = has_port ? (int)(host_len - (size_t)(colon - host)) - 1 : 3;
    const char *port = has_port ? colon + 1 : "443";
    int name_len = (int)(has_port ? (size_t)(colon - host) : host_len);
    if (asprintf(&k->base, "%s%s:%.*s%s", https, k->access.server_name, port_len, port,
                 host + host_len) < 0)
        k->base = NULL;
    if (asprintf(&line, "%s:%.*s:%.*s:%.*s", k->access.server_name, port_len, port, name_len, host,
                 port_len, port) < 0)
        line = NULL;
    k->connect_to = line != NULL ? curl_slist_append(NULL, line) : NULL;
    free(line);
    return k->base != NULL && k->connect_to != NULL ? 0 : -ENOMEM;
}

int kube_new(const struct kube_config *config, struct kube **ret)
{
    struct kube *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return -ENOMEM;
    k->loop = config->loop;
    list_init(&k->sockets);
    list_init(&k->waiting);
    list_init(&k->active);
    list_init(&k->ready);
    int error =
        copy_access(config->access, &k->access) && copy_text(config->user_agent, &k->user_agent)
            ? 0
            : -ENOMEM;
    if (error == 0)
        error = make_base(k);
    if (error == 0)
        error = kube_multi_new(k);
    if (error != 0) {
        kube_free(k);
        return error;
    }
    *ret = k;
    return 0;
}

static void free_list(struct list_node *head)
{
    struct list_node *node;
    while ((node = list_peek_front(head)) != NULL) {
        struct kube_transfer *t = container_of(node, struct kube_transfer, link);
        if (t->is_watch)
            kube_watch_close((struct kube_watch *)t);
        else
            kube_transfer_free(t);
    }
}

void kube_free(struct kube *k)
{
    if (k == NULL)
        return;
    free_list(&k->waiting);
    free_list(&k->active);
    kube_multi_free(k);
    kube_access_free(&k->access);
    wipe(&k->authorization);
    curl_slist_free_all(k->connect_to);
    free(k->user_agent);
    free(k->base);
    free(k);
}

const char *kube_server(const struct kube *k)
{
    return k->access.server;
}

unsigned kube_pending(const struct kube *k)
{
    return k->n_waiting + k->n_calls;
}

/* ---- what an answer says ---- */

/* The Status' own words, or libcurl's; `buffer` holds those that are made up. */
static const char *say(const struct kube_transfer *t, int status, const json_t *body,
                       char buffer[KUBE_TEXT_MAX])
{
    const char *message = kube_text_at(body, "message");
    if (message[0] != '\0' && (status < 0 || status >= 300))
        return message;
    if (t->local_status != 0)
        return "the token was refused: a new one is waited for";
    if (status >= 300)
        snprintf(buffer, KUBE_TEXT_MAX, "answered %d", status);
    else if (status == -EFBIG)
        snprintf(buffer, KUBE_TEXT_MAX, "the answer is too big");
    else if (status < 0 && t->code != CURLE_OK)
        snprintf(buffer, KUBE_TEXT_MAX, "%s",
                 t->error[0] != '\0' ? t->error : curl_easy_strerror(t->code));
    else
        buffer[0] = '\0';
    return buffer;
}

static uint64_t retry_after_ms(const struct kube_transfer *t)
{
    curl_off_t seconds = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &seconds);
    return seconds > 0 && seconds < 3600 ? (uint64_t)seconds * 1000 : 0;
}

/* The JSON that came. NULL: none, or it is none; then *status says so if it was to be one. */
static json_t *read_body(struct kube_transfer *t, int *status, char buffer[KUBE_TEXT_MAX])
{
    json_error_t error;
    size_t n = lines_rest(&t->data);
    if (*status < 0 || n == 0)
        return NULL;
    json_t *body = json_loadb(t->data.data, n, JSON_DECODE_ANY, &error);
    if (body == NULL && *status < 300) {
        snprintf(buffer, KUBE_TEXT_MAX, "the answer is not JSON: %s", error.text);
        *status = -EPROTO;
    }
    return body;
}

static void tell_end(struct kube_transfer *t, kube_done_fn on_done, void *owner)
{
    char buffer[KUBE_TEXT_MAX] = "";
    int status = kube_transfer_status(t);
    json_t *body = read_body(t, &status, buffer);
    const struct kube_answer answer = {
        .status = status,
        .body = body,
        .text = buffer[0] != '\0' ? buffer : say(t, status, body, buffer),
        .retry_after_ms = retry_after_ms(t),
    };
    if (t->local_status == 0)
        kube_token_answered(t->kube, status);
    on_done(owner, &answer);
    json_decref(body);
}

/* ---- calls ---- */

int kube_call(struct kube *k, const struct kube_request *request, struct kube_call **ret)
{
    if (k->n_waiting >= KUBE_WAITING_MAX)
        return -EAGAIN;
    struct kube_call *call = calloc(1, sizeof(*call));
    if (call == NULL)
        return -ENOMEM;
    call->on_done = request->on_done;
    call->owner = request->owner;
    int error = kube_transfer_init(&call->t, k, request);
    if (error != 0) {
        call->t.kube = k;
        kube_transfer_free(&call->t);
        return error;
    }
    if (request->is_urgent)
        list_push_front(&k->waiting, &call->t.link);
    else
        list_push_back(&k->waiting, &call->t.link);
    k->n_waiting += 1;
    loop_task_program(k->loop, &k->kick);
    if (ret != NULL)
        *ret = call;
    return 0;
}

/* It no longer counts among those that wait or run. */
static void uncount(struct kube_transfer *t)
{
    if (t->is_watch)
        return;
    if (t->state == TRANSFER_WAITING)
        t->kube->n_waiting -= 1;
    else
        t->kube->n_calls -= 1;
}

void kube_call_cancel(struct kube_call *call)
{
    uncount(&call->t);
    loop_task_program(call->t.kube->loop, &call->t.kube->kick); /* another may run now */
    kube_transfer_free(&call->t);
}

static void end_call(struct kube_call *call, int error)
{
    struct kube_transfer *t = &call->t;
    uncount(t);
    list_remove(&t->link);
    t->state = TRANSFER_OVER;
    if (error != 0)
        t->code = CURLE_OUT_OF_MEMORY;
    tell_end(t, call->on_done, call->owner);
    kube_transfer_free(t);
}

void kube_start_waiting(struct kube *k)
{
    struct list_node *node;
    while (k->n_calls < KUBE_CALLS_MAX && (node = list_take_front(&k->waiting)) != NULL) {
        struct kube_transfer *t = container_of(node, struct kube_transfer, link);
        bool is_sent = kube_token_may_try(k);
        int error = is_sent ? kube_multi_add(k, t) : 0;
        k->n_waiting -= 1;
        k->n_calls += 1;
        if (is_sent && error == 0)
            continue;
        t->local_status = is_sent ? 0 : 401;
        t->state = TRANSFER_ACTIVE; /* as counted; libcurl does not have it */
        list_push_back(&k->active, &t->link);
        end_call((struct kube_call *)t, error);
    }
}

/* ---- watches ---- */

/* Tells that it is over, and frees it. */
static void end_watch(struct kube_watch *w, const struct kube_answer *answer)
{
    w->t.is_busy = true;
    if (answer != NULL)
        w->request.on_end(w->request.owner, answer);
    else
        tell_end(&w->t, w->request.on_end, w->request.owner);
    w->t.is_busy = false;
    kube_watch_close(w);
}

static void on_idle(struct wheel_timer *timer, uint64_t now_us)
{
    end_watch(container_of(timer, struct kube_watch, idle),
              &(struct kube_answer){.status = -ETIMEDOUT, .text = "nothing came for long"});
}

/* It is not sent: this is its answer. */
static void answer_at_once(struct kube_transfer *t, int status)
{
    t->local_status = status;
    t->state = TRANSFER_OVER;
    list_push_back(&t->kube->active, &t->link);
    kube_mark_ready(t);
}

int kube_watch_open(struct kube *k, const struct kube_watch_request *request,
                    struct kube_watch **ret)
{
    struct kube_watch *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return -ENOMEM;
    w->request = *request;
    w->request.path = NULL;
    w->idle.on_expire = on_idle;
    w->t.is_watch = true;
    w->t.kube = k;
    int error = kube_transfer_init(&w->t, k,
                                   &(struct kube_request){.method = "GET", .path = request->path});
    if (error == 0 && kube_token_may_try(k))
        error = kube_multi_add(k, &w->t);
    else if (error == 0)
        answer_at_once(&w->t, 401);
    if (error != 0) {
        kube_watch_close(w);
        return error;
    }
    loop_timer_arm(k->loop, &w->idle, (uint64_t)request->idle_ms_max * 1000);
    *ret = w;
    return 0;
}

void kube_watch_close(struct kube_watch *w)
{
    if (w == NULL)
        return;
    loop_timer_disarm(w->t.kube->loop, &w->idle);
    kube_transfer_stop(&w->t);
    w->t.is_doomed = true;
    if (!w->t.is_busy)
        kube_transfer_free(&w->t);
}

/* One line. False: it is no event. */
static bool tell_line(struct kube_watch *w, const char *line, size_t len)
{
    json_t *event = len > 0 ? lines_event(line, len) : NULL;
    if (event != NULL)
        w->request.on_event(w->request.owner, event);
    json_decref(event);
    return event != NULL || len == 0;
}

/* The lines that came. False: one is no event. */
static bool tell_lines(struct kube_watch *w)
{
    bool is_sound = true;
    size_t len;
    char *line;
    if (!w->is_open && w->request.on_open != NULL)
        w->request.on_open(w->request.owner);
    w->is_open = true;
    while (!w->t.is_doomed && is_sound && (line = lines_next(&w->t.data, &len)) != NULL)
        is_sound = tell_line(w, line, len);
    return is_sound;
}

static void tell_watch(struct kube_watch *w)
{
    struct kube_transfer *t = &w->t;
    bool is_sound = true;
    long status = t->local_status;
    if (status == 0)
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    loop_timer_arm(t->kube->loop, &w->idle, (uint64_t)w->request.idle_ms_max * 1000);
    if (status == 200) {
        t->is_busy = true;
        is_sound = tell_lines(w);
        t->is_busy = false;
    }
    if (t->is_doomed) {
        kube_watch_close(w);
    } else if (!is_sound) {
        end_watch(w, &(struct kube_answer){.status = -EBADMSG, .text = "a line is no event"});
    } else if (t->data.is_broken) {
        end_watch(w, &(struct kube_answer){.status = -EFBIG, .text = "a line is too long"});
    } else if (t->state == TRANSFER_OVER) {
        if (status == 200)
            lines_done(&t->data); /* the rest is half a line */
        end_watch(w, NULL);
    }
}

void kube_transfer_tell(struct kube_transfer *t)
{
    if (t->is_watch)
        tell_watch((struct kube_watch *)t);
    else
        end_call((struct kube_call *)t, 0);
}
