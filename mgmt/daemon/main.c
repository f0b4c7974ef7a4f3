/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-mgmtd: the composition root of the management plane. One process, one thread, one loop.
 * Boot order is data: each row makes one part and can take it down again.
 */
#include "daemon/daemon.h"
#include "daemon/metrics.h"
#include "daemon/route_metrics.h"

#include "api/api.h"
#include "base/container.h"
#include "cert/cert.h"
#include "cert/system_cas.h"
#include "cert/ticket_secret.h"
#include "loop/loop.h"
#include "model/model.h"
#include "reconcile/explain.h"
#include "reconcile/reconcile.h"
#include "resolve/resolve.h"
#include "routing/routing.h"
#include "store/store.h"
#include "tls/tls.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_BYTES_MAX 65536u
#define LAST_ROUNDS 8

struct part {
    const char *name;
    int (*init)(struct daemon *d); /* negative errno; has said why on stderr */
    void (*done)(struct daemon *d);
};

static int complain(int error, const char *what, const char *text)
{
    fprintf(stderr, "sluice-mgmtd: %s: %s\n", what, text[0] != '\0' ? text : strerror(-error));
    return error;
}

/* ---- loop, signals ---- */

static struct loop_io signal_io;

static void on_signal(struct loop_io *io, uint32_t ready)
{
    struct signalfd_siginfo info;
    if (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        loop_stop(io->loop);
}

static int init_loop(struct daemon *d)
{
    sigset_t set;
    int error = loop_new(&d->loop);
    if (error != 0)
        return complain(error, "event loop", "");
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    signal_io.on_ready = on_signal;
    error = fd < 0 ? -errno : loop_io_add(d->loop, &signal_io, fd, EPOLLIN);
    return error != 0 ? complain(error, "signals", "") : 0;
}

/* Connections that were let go end in the loop: a few rounds are theirs. */
static void done_loop(struct daemon *d)
{
    for (int i = 0; d->loop != NULL && i < LAST_ROUNDS; i++)
        loop_round(d->loop, 0);
    if (signal_io.loop != NULL) {
        loop_io_remove(&signal_io);
        close(signal_io.fd);
    }
    if (d->loop != NULL)
        loop_free(d->loop);
}

/* ---- model, store ---- */

static int init_model(struct daemon *d)
{
    int error = model_init();
    return error != 0 ? complain(error, "model", "") : 0;
}

static void done_model(struct daemon *d)
{
    model_done();
}

/* As a cluster has it from the start. */
static int make_default_namespace(struct store *store)
{
    struct store_txn *txn = NULL;
    const struct resource_type *type = model_type_find("", "v1", "namespaces");
    if (store_version(store) > 1)
        return 0; /* not the first boot: then it is there */
    json_t *object = json_pack("{s:s,s:s,s:{s:s}}", "apiVersion", "v1", "kind", "Namespace",
                               "metadata", "name", "default");
    int error = object != NULL ? model_default(type, object) : -ENOMEM;
    if (error == 0)
        error = store_begin(store, &txn);
    if (error == 0)
        error = store_put(txn, type->plural, object, NULL);
    json_decref(object);
    return error == 0 ? store_commit(txn) : error;
}

static int init_store(struct daemon *d)
{
    const char *text = "";
    if (mkdir(d->options.state_dir, 0700) != 0 && errno != EEXIST)
        return complain(-errno, d->options.state_dir, "");
    int error = store_open(d->options.state_dir, &d->store, &text);
    if (error != 0)
        return complain(error, "store", text);
    error = make_default_namespace(d->store);
    return error != 0 ? complain(error, "store", store_error(d->store)) : 0;
}

static void done_store(struct daemon *d)
{
    if (d->store != NULL)
        store_close(d->store);
}

/* ---- certificate ---- */

/* A small file whole, malloc'ed. -EFBIG: it is no PEM of ours. */
static int read_pem(const char *path, struct slice *ret)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return -errno;
    uint8_t *bytes = malloc(PEM_BYTES_MAX);
    size_t n = bytes != NULL ? fread(bytes, 1, PEM_BYTES_MAX, f) : 0;
    int error = bytes == NULL ? -ENOMEM : ferror(f) ? -EIO : n == PEM_BYTES_MAX ? -EFBIG : 0;
    fclose(f);
    if (error != 0)
        free(bytes);
    else
        *ret = slice_of(bytes, n);
    return error;
}

static void forget_pem(struct slice pem)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)pem.ptr;
    if (bytes != NULL)
        explicit_bzero(bytes, pem.len);
    free(bytes);
}

static int make_context(struct daemon *d, const struct cert_paths *paths)
{
    struct tls_server_config config = {.alpn = "http/1.1"};
    int error = read_pem(paths->certificate, &config.certificate_chain);
    if (error != 0)
        return complain(error, paths->certificate, "");
    error = read_pem(paths->key, &config.private_key);
    if (error != 0)
        complain(error, paths->key, "");
    enum tls_fault fault = error == 0 ? tls_server_new(&config, &d->tls) : TLS_FAULT_OK;
    forget_pem(config.certificate_chain);
    forget_pem(config.private_key);
    if (fault != TLS_FAULT_OK)
        return complain(-EINVAL, paths->certificate, tls_fault_name(fault));
    return error;
}

static int init_tls(struct daemon *d)
{
    char text[IP_ADDR_TEXT_MAX];
    const char *names[1] = {ip_addr_format(&d->options.listen_addr, text)};
    struct cert_paths paths;
    size_t n = ip_addr_is_zero(&d->options.listen_addr) ? 0 : 1;
    int error = cert_ensure(d->options.state_dir, names, n, &paths);
    if (error != 0)
        return complain(error, "the API's certificate", "");
    d->system_cas = system_cas_read(d->options.system_ca);
    error = ticket_secret_ensure(d->options.state_dir, d->ticket_secret);
    return error != 0 ? complain(error, "the secret of session tickets", "")
                      : make_context(d, &paths);
}

static void done_tls(struct daemon *d)
{
    if (d->tls != NULL)
        tls_context_free(d->tls);
}

/* ---- API ---- */

static int init_api(struct daemon *d)
{
    const char *text = "";
    int error = api_bootstrap(d->store, d->options.bootstrap_token_file, stdout, &text);
    fflush(stdout);
    if (error != 0)
        return complain(error, "first boot", text);
    struct api_config config = {
        .loop = d->loop,
        .store = d->store,
        .tls = d->tls,
        .state_dir = d->options.state_dir,
        .addr = d->options.listen_addr,
        .port = d->options.listen_port,
    };
    error = api_new(&config, &d->api, &text);
    if (error != 0) {
        fprintf(stderr, "sluice-mgmtd: %s: %s\n", text, strerror(-error));
        return error;
    }
    return 0;
}

static void done_api(struct daemon *d)
{
    if (d->api != NULL)
        api_free(d->api);
}

/* ---- names ---- */

static int init_resolve(struct daemon *d)
{
    const char *servers = d->options.resolvers[0] != '\0' ? d->options.resolvers : NULL;
    int error = resolve_new(d->loop, servers, &d->resolve);
    return error != 0 ? complain(error, "--resolver", "") : 0;
}

static void done_resolve(struct daemon *d)
{
    resolve_free(d->resolve);
}

/* ---- from objects to traffic ---- */

static int init_reconcile(struct daemon *d)
{
    struct reconcile_config config = {
        .loop = d->loop,
        .store = d->store,
        .run_dir = d->options.run_dir,
        .controller_name = d->options.controller_name,
        .system_cas = d->system_cas,
        .resolve = d->resolve,
        .ticket_secret = d->ticket_secret,
    };
    int error = reconcile_new(&config, &d->reconcile);
    return error != 0 ? complain(error, "the dataplane's socket", "") : 0;
}

static void done_reconcile(struct daemon *d)
{
    reconcile_free(d->reconcile);
    free((void *)(uintptr_t)d->system_cas.ptr);
}

static int init_routing(struct daemon *d)
{
    struct routing_config config = {
        .loop = d->loop,
        .store = d->store,
        .bird_config = d->options.bird_config,
        .bird_socket = d->options.bird_socket,
        .keepalived_config = d->options.keepalived_config,
        .keepalived_pid = d->options.keepalived_pid,
        .run_dir = d->options.run_dir,
    };
    int error = routing_new(&config, &d->routing);
    return error != 0 ? complain(error, "the routing daemons' side", "") : 0;
}

static void done_routing(struct daemon *d)
{
    routing_free(d->routing);
}

static int init_paths(struct daemon *d)
{
    int error = explain_register(d->api, d->reconcile);
    if (error == 0)
        error = metrics_register(d);
    if (error == 0)
        error = route_metrics_register(d);
    return error != 0 ? complain(error, "paths of the API", "") : 0;
}

static void done_nothing(struct daemon *d)
{
}

/* ---- all ---- */

static const struct part parts[] = {
    {"loop", init_loop, done_loop},          {"model", init_model, done_model},
    {"store", init_store, done_store},       {"tls", init_tls, done_tls},
    {"resolve", init_resolve, done_resolve}, {"reconcile", init_reconcile, done_reconcile},
    {"routing", init_routing, done_routing}, {"api", init_api, done_api},
    {"paths", init_paths, done_nothing},
};

int main(int argc, char **argv)
{
    struct daemon d = {0};
    int result = options_parse(argc, argv, &d.options);
    if (result != 0)
        return result > 0 ? 0 : 2;
    size_t made = 0;
    umask(0077);
    prctl(PR_SET_DUMPABLE, 0); /* it holds every Secret: none of them is for a core file */
    while (result == 0 && made < array_len(parts))
        result = parts[made++].init(&d);
    if (result == 0) {
        printf("sluice-mgmtd: the API is served on port %u\n", api_port(d.api));
        fflush(stdout);
        result = loop_run(d.loop);
    }
    while (made > 0)
        parts[--made].done(&d);
    return result == 0 ? 0 : 1;
}
