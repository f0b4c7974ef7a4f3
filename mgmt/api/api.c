/* SPDX-License-Identifier: Apache-2.0 */
/* Making and ending the API, and what other modules hang into it. */
#include "api/api_priv.h"

#include "base/assert.h"
#include "base/container.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static struct http_head_buf *head_get(void *owner)
{
    return malloc(sizeof(struct http_head_buf));
}

static void head_put(void *owner, struct http_head_buf *buf)
{
    free(buf);
}

static void on_fault(void *owner, enum http_fault fault, bool is_backend)
{
    struct api *api = owner;
    api->stats.faults += 1;
}

static void on_second(struct wheel_timer *timer, uint64_t now_us)
{
    struct api *api = container_of(timer, struct api, second);
    http_env_set_time(&api->env, (uint64_t)time(NULL));
    loop_timer_arm(api->loop, &api->second, 1000000);
}

/* Objects have changed: the watches look at the end of this round. */
static void on_commit(struct store_listener *listener, const struct store_change *changes, size_t n)
{
    struct api *api = container_of(listener, struct api, on_store);
    loop_task_program(api->loop, &api->watch_task);
}

static void pump_watches(struct loop_task *task)
{
    struct api *api = container_of(task, struct api, watch_task);
    LIST_EACH_SAFE (it, next, &api->watches) {
        struct feed *feed = container_of(it, struct feed, link);
        struct api_conn *conn = feed->conn;
        if (conn->out == NULL && feed->is_started)
            conn_pump(conn); /* may end this one, never another */
    }
}

static int start(struct api *api, const struct api_config *config, const char **ret_error)
{
    *ret_error = "the audit log cannot be opened";
    if (asprintf(&api->audit_path, "%s/audit.log", config->state_dir) < 0) {
        api->audit_path = NULL;
        return -ENOMEM;
    }
    int error = audit_open(api);
    if (error != 0)
        return error;
    *ret_error = "the kernel gives no random bytes";
    if (getrandom(api->auth.key, DIGEST_BYTES, 0) != DIGEST_BYTES)
        return -EIO;
    struct sock_listen_config listen = {
        .addr = config->addr,
        .port = config->port,
        .conns_max = API_CONNS_MAX,
        .on_accept = conn_accept,
        .owner = api,
    };
    *ret_error = "the API's address cannot be listened on";
    return sock_listen(api->loop, &listen, &api->listener);
}

/* What start() took. */
static void release(struct api *api)
{
    if (api->audit_fd >= 0)
        close(api->audit_fd);
    free(api->audit_path);
    explicit_bzero(api, sizeof(*api)); /* the key and the digests of tokens */
    free(api);
}

int api_new(const struct api_config *config, struct api **ret, const char **ret_error)
{
    struct api *api = calloc(1, sizeof(*api));
    *ret_error = "out of memory";
    if (api == NULL)
        return -ENOMEM;
    api->loop = config->loop;
    api->store = config->store;
    api->tls = config->tls;
    api->audit_fd = -1;
    api->env = (struct http_env){
        .head_get = head_get, .head_put = head_put, .on_fault = on_fault, .owner = api};
    api->second.on_expire = on_second;
    api->on_store.on_commit = on_commit;
    api->watch_task.run = pump_watches;
    list_init(&api->conns);
    list_init(&api->watches);
    int error = start(api, config, ret_error);
    if (error != 0) {
        release(api);
        return error;
    }
    store_listen(api->store, &api->on_store);
    on_second(&api->second, 0);
    *ret = api;
    return 0;
}

void api_free(struct api *api)
{
    store_unlisten(api->store, &api->on_store);
    loop_task_cancel(api->loop, &api->watch_task);
    loop_timer_disarm(api->loop, &api->second);
    LIST_EACH_SAFE (it, next, &api->conns) {
        conn_abort(container_of(it, struct api_conn, link));
    }
    sock_listener_close(api->listener);
    release(api);
}

uint16_t api_port(const struct api *api)
{
    return sock_listener_port(api->listener);
}

void api_stats(const struct api *api, struct api_stats *ret)
{
    struct sock_listener_stats listener;
    sock_listener_stats(api->listener, &listener);
    *ret = api->stats;
    ret->conns_refused = listener.refused_full;
}

int api_register(struct api *api, const struct api_extra *extra)
{
    ASSERT(extra->handle != NULL && extra->path[0] == '/');
    if (api->extras_n == API_EXTRAS_MAX)
        return -ENOSPC;
    api->extras[api->extras_n++] = *extra;
    return 0;
}

json_t *api_call_body(const struct api_call *call)
{
    return call->body;
}

const char *api_call_param(const struct api_call *call, const char *name)
{
    return params_get(&call->params, name);
}

void api_call_answer(struct api_call *call, int code, json_t *object)
{
    ASSERT(code >= 200 && code < 600);
    json_decref(call->answer);
    call->answer = object;
    call->code = code;
}

void api_call_answer_text(struct api_call *call, int code, const char *content_type, char *text)
{
    ASSERT(text != NULL);
    free(call->text);
    call->text = text;
    call->content_type = content_type;
    call->code = code;
}
