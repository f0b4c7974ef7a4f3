/* SPDX-License-Identifier: Apache-2.0 */
/* HTTPS calls by libcurl. Owner: sluicectl; thread: one. */
#include "ctl/client.h"

#include "base/assert.h"
#include "ctl/client_priv.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct answer {
    char *data;
    size_t len;
    bool is_too_big;
};

int client_new(const struct client_config *config, struct client **ret)
{
    if (strncmp(config->server, "https://", 8) != 0)
        return -EINVAL;
    struct client *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    c->curl = curl_easy_init();
    c->server = strdup(config->server);
    c->ca_file = config->ca_file != NULL ? strdup(config->ca_file) : NULL;
    if (config->token != NULL &&
        asprintf(&c->authorization, "Authorization: Bearer %s", config->token) < 0)
        c->authorization = NULL;
    if (c->curl == NULL || c->server == NULL ||
        (config->token != NULL && c->authorization == NULL)) {
        client_free(c);
        return -ENOMEM;
    }
    size_t len = strlen(c->server);
    while (len > 0 && c->server[len - 1] == '/')
        c->server[--len] = '\0';
    *ret = c;
    return 0;
}

void client_free(struct client *c)
{
    if (c == NULL)
        return;
    curl_easy_cleanup(c->curl);
    json_decref(c->resources);
    if (c->authorization != NULL)
        explicit_bzero(c->authorization, strlen(c->authorization));
    free(c->authorization);
    free(c->ca_file);
    free(c->server);
    free(c);
}

const char *client_error(const struct client *c)
{
    return c->error;
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
    struct answer *a = arg;
    size_t len = size * n;
    if (a->len + len > CLIENT_ANSWER_BYTES_MAX) {
        a->is_too_big = true;
        return 0;
    }
    char *grown = realloc(a->data, a->len + len + 1);
    if (grown == NULL)
        return 0;
    memcpy(grown + a->len, data, len);
    a->data = grown;
    a->len += len;
    return len;
}

static void set_options(struct client *c, const char *method, const char *url, const char *body,
                        struct curl_slist *headers, struct answer *answer)
{
    curl_easy_reset(c->curl); /* keeps the connection */
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_PATH_AS_IS, 1L); /* no name is a way up */
    curl_easy_setopt(c->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "*"); /* a box is managed directly */
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, CLIENT_TIMEOUT_MS);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->error);
    if (c->ca_file != NULL)
        curl_easy_setopt(c->curl, CURLOPT_CAINFO, c->ca_file);
    if (body != NULL) {
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
    }
}

static int curl_errno(CURLcode code, const struct answer *answer)
{
    if (answer->is_too_big)
        return -EFBIG;
    if (code == CURLE_OPERATION_TIMEDOUT)
        return -ETIMEDOUT;
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
        return -ECONNREFUSED;
    return -EPROTO;
}

/* The status code, with the JSON of the answer; or a negative errno and a message. */
static int read_answer(struct client *c, CURLcode code, const struct answer *answer,
                       json_t **ret_answer)
{
    long status = 0;
    if (code != CURLE_OK) {
        if (c->error[0] == '\0')
            snprintf(c->error, sizeof(c->error), "%s", curl_easy_strerror(code));
        return curl_errno(code, answer);
    }
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    ASSERT(status >= 100);
    json_error_t error;
    json_t *json = NULL;
    if (answer->len > 0)
        json = json_loadb(answer->data, answer->len, JSON_DECODE_ANY, &error);
    if (answer->len > 0 && json == NULL) {
        snprintf(c->error, sizeof(c->error), "the answer (%ld) is not JSON: %s", status,
                 error.text);
        return -EPROTO;
    }
    *ret_answer = json;
    return (int)status;
}

static struct curl_slist *make_headers(const struct client *c, const char *content_type)
{
    char line[160];
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    headers = curl_slist_append(headers, "Expect:");
    if (c->authorization != NULL)
        headers = curl_slist_append(headers, c->authorization);
    if (content_type != NULL) {
        snprintf(line, sizeof(line), "Content-Type: %s", content_type);
        headers = curl_slist_append(headers, line);
    }
    return headers;
}

int client_call(struct client *c, const char *method, const char *path, const char *content_type,
                const json_t *body, json_t **ret_answer)
{
    struct answer answer = {0};
    char url[CLIENT_PATH_MAX + 512];
    int n = snprintf(url, sizeof(url), "%s%s", c->server, path);
    if (n < 0 || (size_t)n >= sizeof(url)) {
        snprintf(c->error, sizeof(c->error), "the URL is too long");
        return -EINVAL;
    }
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    if (body != NULL && text == NULL)
        return -ENOMEM;
    struct curl_slist *headers = make_headers(c, content_type);
    c->error[0] = '\0';
    set_options(c, method, url, text, headers, &answer);
    int result = read_answer(c, curl_easy_perform(c->curl), &answer, ret_answer);
    curl_slist_free_all(headers);
    free(text);
    free(answer.data);
    return result;
}
