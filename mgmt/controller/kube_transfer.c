/* SPDX-License-Identifier: Apache-2.0 */
/* One request in libcurl's terms: URL, headers, trust, where the answer goes; and the token. */
#include "controller/kube_priv.h"

#include "base/assert.h"
#include "controller/kubeconfig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON "application/json"

/* ---- token ---- */

static void set_token(struct kube *k, const char *token)
{
    if (k->authorization != NULL)
        explicit_bzero(k->authorization, strlen(k->authorization));
    free(k->authorization);
    k->authorization = NULL;
    if (token != NULL && asprintf(&k->authorization, "Authorization: Bearer %s", token) < 0)
        k->authorization = NULL;
}

/* Nothing that would end the header field which carries it. */
static bool is_token(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
            return false;
    }
    return true;
}

/* Is it what the header says already? */
static bool is_current(const struct kube *k, const char *token)
{
    const char *space = k->authorization != NULL ? strrchr(k->authorization, ' ') : NULL;
    return space != NULL && strcmp(space + 1, token) == 0;
}

void kube_token_refresh(struct kube *k)
{
    struct stat now;
    char *text = NULL;
    if (k->access.token_file == NULL) {
        if (k->authorization == NULL)
            set_token(k, k->access.token);
        return;
    }
    bool is_there = stat(k->access.token_file, &now) == 0;
    bool is_same = is_there && now.st_ino == k->token_inode &&
                   now.st_mtim.tv_sec == k->token_mtime.tv_sec &&
                   now.st_mtim.tv_nsec == k->token_mtime.tv_nsec;
    if (!is_there || (is_same && k->authorization != NULL))
        return; /* a file that is just being replaced: the old token may still do */
    if (kubeconfig_read_file(k->access.token_file, &text) != 0)
        return;
    text[strcspn(text, "\r\n")] = '\0';
    if (text[0] != '\0' && is_token(text)) {
        k->is_refused &= is_current(k, text);
        set_token(k, text);
        k->token_inode = now.st_ino;
        k->token_mtime = now.st_mtim;
    }
    explicit_bzero(text, strlen(text));
    free(text);
}

void kube_token_forget(struct kube *k)
{
    k->token_inode = 0;
    k->token_mtime = (struct timespec){0};
}

bool kube_token_may_try(struct kube *k)
{
    uint64_t now_us = loop_now_us(k->loop);
    if (!k->is_refused)
        return true;
    if (now_us < k->try_us)
        return false;
    k->try_us = now_us + KUBE_REFUSED_MS * 1000ull;
    return true;
}

void kube_token_answered(struct kube *k, int status)
{
    if (status != 401) {
        k->is_refused &= status < 100 || status == 429;
        return;
    }
    kube_token_forget(k);
    if (!k->is_refused)
        k->try_us = loop_now_us(k->loop) + KUBE_REFUSED_MS * 1000ull;
    k->is_refused = true;
}

/* ---- the handle ---- */

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
    struct kube_transfer *t = arg;
    size_t len = size * n;
    size_t max = t->is_watch ? KUBE_LINE_BYTES_MAX : KUBE_ANSWER_BYTES_MAX;
    if (lines_rest(&t->data) + len > max || !lines_add(&t->data, data, len)) {
        t->is_too_big = true;
        return 0;
    }
    if (t->is_watch)
        kube_mark_ready(t);
    return len;
}

/* The head of a watch's answer is whole: that alone is news. */
static size_t on_head(char *line, size_t size, size_t n, void *arg)
{
    struct kube_transfer *t = arg;
    if (size * n <= 2)
        kube_mark_ready(t);
    return size * n;
}

static struct curl_blob blob_of(char *text)
{
    return (struct curl_blob){.data = text, .len = strlen(text), .flags = CURL_BLOB_NOCOPY};
}

static void set_trust(CURL *easy, struct kube_access *access)
{
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (access->is_insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (access->ca_pem != NULL) {
        struct curl_blob ca = blob_of(access->ca_pem);
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* this CA, and no other */
    }
    if (access->certificate_pem != NULL && access->key_pem != NULL) {
        struct curl_blob certificate = blob_of(access->certificate_pem);
        struct curl_blob key = blob_of(access->key_pem);
        curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
        curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
    }
}

static bool add_header(struct kube_transfer *t, const char *line)
{
    struct curl_slist *headers = curl_slist_append(t->headers, line);
    if (headers != NULL)
        t->headers = headers;
    return headers != NULL;
}

static bool set_headers(struct kube_transfer *t, const struct kube_request *request)
{
    char accept[160];
    char type[160];
    snprintf(accept, sizeof(accept), "Accept: %s",
             request->accept != NULL ? request->accept : JSON);
    snprintf(type, sizeof(type), "Content-Type: %s",
             request->content_type != NULL ? request->content_type : JSON);
    return add_header(t, accept) && add_header(t, "Expect:") &&
           (request->body == NULL || add_header(t, type)) &&
           (t->kube->authorization == NULL || add_header(t, t->kube->authorization));
}

static void set_options(struct kube_transfer *t, const struct kube_request *request,
                        const char *url)
{
    struct kube *k = t->kube;
    CURL *easy = t->easy;
    unsigned deadline_ms = request->deadline_ms != 0 ? request->deadline_ms : KUBE_CALL_MS_DEFAULT;
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* no name is a way up */
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*"); /* the server is reached directly */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)KUBE_CONNECT_MS_MAX);
    if (t->is_watch) {
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    } else {
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)deadline_ms);
    }
    curl_easy_setopt(easy, CURLOPT_USERAGENT, k->user_agent);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->error);
    if (t->body != NULL) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, t->body);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(t->body));
    }
    set_trust(easy, &k->access);
}

/* The connection goes to where the server is, though the URL has the name in its certificate. */
static bool set_connect_to(struct kube_transfer *t)
{
    return t->kube->connect_to == NULL ||
           curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->kube->connect_to) == CURLE_OK;
}

int kube_transfer_init(struct kube_transfer *t, struct kube *k, const struct kube_request *request)
{
    char url[KUBE_PATH_MAX + 512];
    int n = snprintf(url, sizeof(url), "%s%s", k->base, request->path);
    if (n < 0 || (size_t)n >= sizeof(url) || request->path[0] != '/')
        return -EINVAL;
    kube_token_refresh(k);
    t->kube = k;
    t->state = TRANSFER_WAITING;
    t->data.line_max = t->is_watch ? KUBE_LINE_BYTES_MAX : KUBE_ANSWER_BYTES_MAX;
    t->easy = curl_easy_init();
    if (request->body != NULL)
        t->body = json_dumps(request->body, JSON_COMPACT);
    if (t->easy == NULL || (request->body != NULL && t->body == NULL) || !set_headers(t, request) ||
        !set_connect_to(t))
        return -ENOMEM;
    set_options(t, request, url);
    return 0;
}

void kube_transfer_stop(struct kube_transfer *t)
{
    if (t->state == TRANSFER_ACTIVE)
        curl_multi_remove_handle(t->kube->multi, t->easy);
    t->state = TRANSFER_OVER;
    if (list_is_linked(&t->link))
        list_remove(&t->link);
    if (list_is_linked(&t->ready_link))
        list_remove(&t->ready_link);
}

void kube_transfer_free(struct kube_transfer *t)
{
    kube_transfer_stop(t);
    if (t->easy != NULL)
        curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    if (t->body != NULL)
        explicit_bzero(t->body, strlen(t->body)); /* it may be a Secret */
    free(t->body);
    lines_done(&t->data);
    free(t);
}

int kube_transfer_status(const struct kube_transfer *t)
{
    long status = 0;
    if (t->local_status != 0)
        return t->local_status;
    if (t->is_too_big || t->data.is_broken)
        return -EFBIG;
    if (t->state == TRANSFER_OVER && t->code != CURLE_OK) {
        bool is_connect = t->code == CURLE_COULDNT_CONNECT || t->code == CURLE_COULDNT_RESOLVE_HOST;
        return is_connect                            ? -ECONNREFUSED
               : t->code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT
                                                     : -EPROTO;
    }
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}
