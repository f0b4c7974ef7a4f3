/* SPDX-License-Identifier: Apache-2.0 */
/* Health and metrics over plain HTTP. See probe.h. */
#include "controller/probe.h"

#include "base/assert.h"
#include "base/container.h"
#include "http/http_server.h"
#include "loop/loop.h"
#include "loop/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct probe {
    struct probe_config config;
    struct http_env env;
    struct sock_listener *listener;
    struct list_node conns;
    struct wheel_timer second;
};

struct conn {
    struct list_node link;
    struct probe *probe;
    struct http_server http;
    struct wheel_timer timer;
    char *text; /* the answer; NULL: none */
    size_t len, at;
};

static void conn_free(struct conn *c)
{
    loop_timer_disarm(c->probe->config.loop, &c->timer);
    list_remove(&c->link);
    free(c->text);
    free(c);
}

static void arm(struct conn *c, uint64_t ms)
{
    loop_timer_disarm(c->probe->config.loop, &c->timer);
    loop_timer_arm(c->probe->config.loop, &c->timer, ms * 1000);
}

/* ---- answers ---- */

/* Writes what there is of the answer; the last thing that a caller does. */
static void pump(struct conn *c)
{
    c->at += http_server_write(&c->http, slice_of(c->text + c->at, c->len - c->at));
    if (c->at == c->len) {
        free(c->text);
        c->text = NULL;
        http_server_finish(&c->http);
    }
}

static void answer(struct conn *c, uint16_t status, const char *type, char *text, size_t len)
{
    struct http_field field = {slice_of_str("Content-Type"), slice_of_str(type)};
    struct http_response r = {
        .status = status, .fields = &field, .n_fields = 1, .body = HTTP_BODY_LENGTH, .length = len};
    if (text == NULL || !http_server_send_head(&c->http, &r)) {
        free(text);
        stream_abort(c->http.stream); /* its end is told by the loop */
        return;
    }
    c->text = text;
    c->len = len;
    c->at = 0;
    pump(c);
}

static void answer_text(struct conn *c, uint16_t status, const char *text)
{
    char *line = malloc(strlen(text) + 2);
    int n = line != NULL ? sprintf(line, "%s\n", text) : 0;
    answer(c, status, "text/plain; charset=utf-8", line, (size_t)n);
}

static void answer_metrics(struct conn *c)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (out == NULL) {
        answer(c, 500, OPENMETRICS, NULL, 0);
        return;
    }
    c->probe->config.metrics(c->probe->config.owner, out);
    fputs("# EOF\n", out);
    if (fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    answer(c, 200, OPENMETRICS, text, len);
}

static void answer_ready(struct conn *c)
{
    char why[256] = "ok";
    bool is_ready = c->probe->config.is_ready(c->probe->config.owner, why, sizeof(why));
    answer_text(c, is_ready ? 200 : 503, is_ready ? "ok" : why);
}

static bool is_text(struct slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static void on_request(struct http_server *http)
{
    struct conn *c = http->owner;
    const struct http_head *head = &http->request->head;
    bool is_read = is_text(head->method_text, "GET") || is_text(head->method_text, "HEAD");
    if (!is_read || !http_server_body_is_done(http)) {
        struct http_response r = {.status = is_read ? 413 : 405};
        http_server_answer(http, &r, slice_of_str("only GET, without a body\n"));
    } else if (is_text(head->path, "/metrics")) {
        answer_metrics(c);
    } else if (is_text(head->path, "/readyz")) {
        answer_ready(c);
    } else if (is_text(head->path, "/livez") || is_text(head->path, "/healthz")) {
        answer_text(c, 200, "ok"); /* who answers has a loop that turns */
    } else {
        answer_text(c, 404, "there are /metrics, /livez and /readyz");
    }
}

/* ---- connections ---- */

static void on_body(struct http_server *http)
{
}

static void on_writable(struct http_server *http)
{
    struct conn *c = http->owner;
    if (c->text != NULL) {
        pump(c);
    }
}

static void on_phase(struct http_server *http, enum http_server_phase phase)
{
    arm(http->owner, phase == HTTP_SERVER_IDLE ? PROBE_IDLE_MS_MAX : PROBE_MS_MAX);
}

static void on_end(struct http_server *http, bool was_in_exchange)
{
    conn_free(http->owner);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct conn *c = container_of(timer, struct conn, timer);
    if (c->http.phase == HTTP_SERVER_EXCHANGE) {
        http_server_abort(&c->http);
        conn_free(c);
    } else {
        http_server_timeout(&c->http);
    }
}

static const struct http_server_ops ops = {
    .on_request = on_request,
    .on_body = on_body,
    .on_writable = on_writable,
    .on_phase = on_phase,
    .on_end = on_end,
};

static void on_accept(void *owner, struct stream *s)
{
    struct probe *p = owner;
    struct conn *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        stream_abort(s);
        stream_release(s);
        return;
    }
    c->probe = p;
    c->timer.on_expire = on_timer;
    list_push_back(&p->conns, &c->link);
    http_server_init(&c->http, s, &p->env, &ops, c);
    arm(c, PROBE_MS_MAX);
}

/* ---- all ---- */

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
}

static void on_second(struct wheel_timer *timer, uint64_t now_us)
{
    struct probe *p = container_of(timer, struct probe, second);
    http_env_set_time(&p->env, (uint64_t)time(NULL));
    loop_timer_arm(p->config.loop, &p->second, 1000000);
}

int probe_new(const struct probe_config *config, struct probe **ret)
{
    struct probe *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return -ENOMEM;
    }
    p->config = *config;
    p->env = (struct http_env){
        .head_get = head_get, .head_put = head_put, .on_fault = on_fault, .owner = p};
    p->second.on_expire = on_second;
    list_init(&p->conns);
    struct sock_listen_config listen = {
        .addr = config->addr,
        .port = config->port,
        .conns_max = PROBE_CONNS_MAX,
        .on_accept = on_accept,
        .owner = p,
    };
    int error = sock_listen(config->loop, &listen, &p->listener);
    if (error != 0) {
        free(p);
        return error;
    }
    on_second(&p->second, 0);
    *ret = p;
    return 0;
}

void probe_free(struct probe *p)
{
    if (p == NULL) {
        return;
    }
    loop_timer_disarm(p->config.loop, &p->second);
    LIST_EACH_SAFE (it, next, &p->conns) {
        struct conn *c = container_of(it, struct conn, link);
        http_server_abort(&c->http);
        conn_free(c);
    }
    sock_listener_close(p->listener);
    free(p);
}

uint16_t probe_port(const struct probe *p)
{
    return sock_listener_port(p->listener);
}

bool probe_parse_listen(const char *text, struct ip_addr *ret_addr, uint16_t *ret_port)
{
    char addr[IP_ADDR_TEXT_MAX + 2];
    struct ip_addr parsed = {0};
    char *end = NULL;
    const char *colon = strrchr(text, ':');
    size_t n = colon != NULL ? (size_t)(colon - text) : sizeof(addr);
    if (n >= sizeof(addr) || colon[1] < '0' || colon[1] > '9') {
        return false;
    }
    unsigned long port = strtoul(colon + 1, &end, 10);
    bool is_bracketed = n > 1 && text[0] == '[' && text[n - 1] == ']';
    memcpy(addr, text + is_bracketed, n - 2 * is_bracketed);
    addr[n - 2 * is_bracketed] = '\0';
    if (*end != '\0' || port > UINT16_MAX || (addr[0] != '\0' && !ip_addr_parse(addr, &parsed))) {
        return false;
    }
    *ret_addr = parsed;
    *ret_port = (uint16_t)port;
    return true;
}

void probe_family(FILE *out, const char *name, const char *kind, const char *help)
{
    fprintf(out, "# TYPE %s %s\n# HELP %s %s.\n", name, kind, name, help);
}

/* A label's value, escaped (OpenMetrics 1.0, "escaped-string"). */
static void put_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            fputs("\\n", out);
            continue;
        }
        if (*text == '"' || *text == '\\') {
            fputc('\\', out);
        }
        fputc(*text, out);
    }
}

void probe_sample(FILE *out, const char *name, const char *kind, const char *appliance,
                  uint64_t value)
{
    fprintf(out, "%s%s", name, strcmp(kind, "counter") == 0 ? "_total" : "");
    if (appliance != NULL) {
        fputs("{appliance=\"", out);
        put_escaped(out, appliance);
        fputs("\"}", out);
    }
    fprintf(out, " %llu\n", (unsigned long long)value);
}
