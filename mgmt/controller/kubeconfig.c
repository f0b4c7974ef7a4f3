/* SPDX-License-Identifier: Apache-2.0 */
/* kubeconfig files: clusters, users and contexts by name, each field taken or refused. */
#include "controller/kubeconfig.h"

#include "base/base64.h"
#include "base/container.h"
#include "yaml/yaml.h"

#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    const char *file;
    char *text; /* KUBE_TEXT_MAX: what is wrong */
    bool may_be_insecure;
};

__attribute__((format(printf, 3, 4))) static int complain(const struct reading *r, int error,
                                                          const char *format, ...)
{
    char what[KUBE_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    snprintf(r->text, KUBE_TEXT_MAX, "%.200s: %.280s", r->file, what);
    return error;
}

int kubeconfig_read_file(const char *file, char **ret)
{
    FILE *f = fopen(file, "re");
    if (f == NULL)
        return -errno;
    char *text = malloc(KUBECONFIG_BYTES_MAX + 1);
    size_t n = text != NULL ? fread(text, 1, KUBECONFIG_BYTES_MAX + 1, f) : 0;
    int error = text == NULL ? -ENOMEM : ferror(f) ? -EIO : n > KUBECONFIG_BYTES_MAX ? -EFBIG : 0;
    fclose(f);
    if (error == 0) {
        text[n] = '\0';
        error = strlen(text) == n ? 0 : -EINVAL;
    }
    if (error != 0)
        free(text);
    else
        *ret = realloc(text, n + 1);
    return error;
}

/* ---- fields ---- */

/* A text field; NULL: not there. */
static const char *text_field(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* A file that the kubeconfig names is meant from its own folder on. */
static char *beside(const struct reading *r, const char *file)
{
    char *path = NULL;
    char *copy = strdup(r->file);
    if (copy == NULL)
        return NULL;
    int n = file[0] == '/' ? asprintf(&path, "%s", file)
                           : asprintf(&path, "%s/%s", dirname(copy), file);
    free(copy);
    return n < 0 ? NULL : path;
}

static int read_named(const struct reading *r, const char *key, const char *file, char **ret)
{
    char *path = beside(r, file);
    int error = path != NULL ? kubeconfig_read_file(path, ret) : -ENOMEM;
    free(path);
    return error == 0 ? 0 : complain(r, error, "%s: %s: %s", key, file, strerror(-error));
}

static int decode(const struct reading *r, const char *key, const char *text, char **ret)
{
    size_t n = 0;
    size_t capacity = strlen(text);
    uint8_t *bytes = malloc(capacity + 1);
    if (bytes == NULL)
        return complain(r, -ENOMEM, "%s: no memory", key);
    if (!base64_decode(slice_of_str(text), bytes, capacity, &n) || memchr(bytes, '\0', n) != NULL) {
        free(bytes);
        return complain(r, -EINVAL, "%s: not base64 of a text", key);
    }
    bytes[n] = '\0';
    *ret = (char *)bytes;
    return 0;
}

/* The PEM of "KEY-data" (which wins, as in kubectl) or of the file that "KEY" names. */
static int take_pem(const struct reading *r, const json_t *object, const char *key, char **ret)
{
    char data_key[64];
    snprintf(data_key, sizeof(data_key), "%s-data", key);
    const char *data = text_field(object, data_key);
    const char *file = text_field(object, key);
    if (data != NULL)
        return decode(r, data_key, data, ret);
    return file != NULL ? read_named(r, key, file, ret) : 0;
}

static int take_text(const struct reading *r, const char *key, const char *text, char **ret)
{
    *ret = text != NULL ? strdup(text) : NULL;
    return text == NULL || *ret != NULL ? 0 : complain(r, -ENOMEM, "%s: no memory", key);
}

/* What we do not do, each with its reason. */
static int refuse(const struct reading *r, const json_t *object, const char *const (*refused)[2],
                  size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(object, refused[i][0]);
        if (value != NULL && !json_is_null(value))
            return complain(r, -EINVAL, "%s: not supported: %s", refused[i][0], refused[i][1]);
    }
    return 0;
}

static int take_cluster(const struct reading *r, const json_t *cluster, struct kube_access *a)
{
    static const char *const refused[][2] = {
        {"proxy-url", "the server is reached directly"},
    };
    const char *server = text_field(cluster, "server");
    if (server == NULL)
        return complain(r, -EINVAL, "clusters[].cluster.server: required");
    if (strncmp(server, "https://", 8) != 0)
        return complain(r, -EINVAL, "clusters[].cluster.server: must be an https URL, not %s",
                        server);
    int error = refuse(r, cluster, refused, array_len(refused));
    a->is_insecure = json_is_true(json_object_get(cluster, "insecure-skip-tls-verify"));
    if (error == 0 && a->is_insecure && !r->may_be_insecure)
        error = complain(r, -EINVAL,
                         "insecure-skip-tls-verify: refused: anybody could say what is served;"
                         " give certificate-authority, or insist with --insecure-cluster");
    if (error == 0)
        error = take_text(r, "server", server, &a->server);
    if (error == 0)
        error = take_text(r, "tls-server-name", text_field(cluster, "tls-server-name"),
                          &a->server_name);
    return error == 0 ? take_pem(r, cluster, "certificate-authority", &a->ca_pem) : error;
}

static int take_user(const struct reading *r, const json_t *user, struct kube_access *a)
{
    static const char *const refused[][2] = {
        {"exec", "no programs are run; use a token file or a client certificate"},
        {"auth-provider", "use a token file or a client certificate"},
        {"username", "passwords are not sent"},
        {"password", "passwords are not sent"},
        {"as", "nobody is impersonated"},
        {"as-uid", "nobody is impersonated"},
        {"as-groups", "nobody is impersonated"},
        {"as-user-extra", "nobody is impersonated"},
    };
    const char *token_file = text_field(user, "tokenFile");
    int error = refuse(r, user, refused, array_len(refused));
    if (error == 0)
        error = take_pem(r, user, "client-certificate", &a->certificate_pem);
    if (error == 0)
        error = take_pem(r, user, "client-key", &a->key_pem);
    if (error == 0 && (a->certificate_pem == NULL) != (a->key_pem == NULL))
        error = complain(r, -EINVAL, "client-certificate and client-key: one without the other");
    if (error == 0)
        error = take_text(r, "token", text_field(user, "token"), &a->token);
    if (error == 0 && token_file != NULL) {
        a->token_file = beside(r, token_file);
        error = a->token_file != NULL ? 0 : complain(r, -ENOMEM, "tokenFile: no memory");
    }
    return error;
}

/* ---- the file ---- */

/* The item of a list with this name: its member `key`. */
static const json_t *named(const json_t *config, const char *list, const char *name,
                           const char *key)
{
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(config, list), i, item)
    {
        const char *this_name = text_field(item, "name");
        if (this_name != NULL && strcmp(this_name, name) == 0)
            return json_object_get(item, key);
    }
    return NULL;
}

static int take_context(const struct reading *r, const json_t *config, const char *name,
                        struct kube_access *a)
{
    if (name == NULL)
        name = text_field(config, "current-context");
    if (name == NULL)
        return complain(r, -EINVAL, "current-context: required, or name a context");
    const json_t *context = named(config, "contexts", name, "context");
    if (context == NULL)
        return complain(r, -EINVAL, "contexts: there is none named %s", name);
    const char *cluster_name = text_field(context, "cluster");
    const char *user_name = text_field(context, "user");
    const json_t *cluster =
        cluster_name != NULL ? named(config, "clusters", cluster_name, "cluster") : NULL;
    const json_t *user = user_name != NULL ? named(config, "users", user_name, "user") : NULL;
    if (!json_is_object(cluster))
        return complain(r, -EINVAL, "contexts[%s].cluster: there is no cluster named %s", name,
                        cluster_name != NULL ? cluster_name : "(nothing)");
    if (user_name != NULL && !json_is_object(user))
        return complain(r, -EINVAL, "contexts[%s].user: there is no user named %s", name,
                        user_name);
    int error = take_cluster(r, cluster, a);
    if (error == 0)
        error = take_user(r, user, a);
    return error == 0 ? take_text(r, "namespace", text_field(context, "namespace"), &a->namespace_)
                      : error;
}

int kubeconfig_load(const char *file, const char *context, bool may_be_insecure,
                    struct kube_access *ret, char text[KUBE_TEXT_MAX])
{
    const struct reading r = {.file = file, .text = text, .may_be_insecure = may_be_insecure};
    struct kube_access access = {0};
    struct yaml_error fault;
    char *data = NULL;
    json_t *documents = NULL;
    int error = kubeconfig_read_file(file, &data);
    if (error != 0)
        return complain(&r, error, "%s", strerror(-error));
    error = yaml_load(data, strlen(data), &documents, &fault);
    explicit_bzero(data, strlen(data));
    free(data);
    if (error != 0)
        return complain(&r, error, "line %zu, column %zu: %s", fault.line, fault.column,
                        fault.text);
    const json_t *config = json_array_get(documents, 0);
    if (!json_is_object(config) || json_array_size(documents) != 1)
        error = complain(&r, -EINVAL, "is no kubeconfig: one YAML object is wanted");
    if (error == 0)
        error = take_context(&r, config, context, &access);
    json_decref(documents);
    if (error == 0)
        *ret = access;
    else
        kube_access_free(&access);
    return error;
}

/* ---- in a cluster ---- */

static int take_pod_file(const struct reading *r, const char *name, char **ret)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", r->file, name);
    int error = kubeconfig_read_file(path, ret);
    if (error != 0)
        return complain(r, error, "%s: %s", name, strerror(-error));
    return 0;
}

int kubeconfig_in_cluster(const char *dir, struct kube_access *ret, char text[KUBE_TEXT_MAX])
{
    const struct reading r = {.file = dir != NULL ? dir : KUBECONFIG_POD_DIR, .text = text};
    struct kube_access a = {0};
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    if (host == NULL || port == NULL)
        return complain(&r, -EINVAL,
                        "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set:"
                        " this is no pod");
    bool is_v6 = strchr(host, ':') != NULL;
    if (asprintf(&a.server, "https://%s%s%s:%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port) <
        0)
        a.server = NULL;
    if (asprintf(&a.token_file, "%s/token", r.file) < 0)
        a.token_file = NULL;
    int error = a.server != NULL && a.token_file != NULL ? 0 : -ENOMEM;
    if (error == 0)
        error = take_pod_file(&r, "ca.crt", &a.ca_pem);
    if (error == 0)
        error = take_pod_file(&r, "token", &a.token); /* to be sure that it is there */
    if (error == 0 && take_pod_file(&r, "namespace", &a.namespace_) == 0)
        a.namespace_[strcspn(a.namespace_, "\r\n")] = '\0';
    if (error == 0)
        *ret = a;
    else
        kube_access_free(&a);
    return error;
}
