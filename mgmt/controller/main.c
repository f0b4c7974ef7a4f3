/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-controller: mirrors a cluster's objects into appliances, and their statuses back. One
 * process, one thread, one loop. Boot order is data: each row makes one part and can take it down
 * again.
 */
#include "controller/controller.h"

#include "base/container.h"
#include "controller/writers.h"
#include "loop/loop.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAST_ROUNDS 8

struct part {
    const char *name;
    int (*init)(struct controller *c); /* negative errno; has said why on stderr */
    void (*done)(struct controller *c);
};

static int complain(int error, const char *what)
{
    fprintf(stderr, "sluice-controller: %s: %s\n", what, strerror(-error));
    return error;
}

/* ---- loop, signals ---- */

static struct loop_io signal_io;
static struct controller *signalled;

static void on_left(struct controller *c)
{
    loop_stop(c->loop);
}

static void on_signal(struct loop_io *io, uint32_t ready)
{
    struct signalfd_siginfo info;
    if (read(io->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGUSR1) {
        fprintf(stderr, "sluice-controller: an operator confirms: what is held is removed\n");
        source_confirm(signalled->source);
        return;
    }
    writers_leave(signalled->writers, on_left);
}

static int init_loop(struct controller *c)
{
    sigset_t set;
    int error = loop_new(&c->loop);
    if (error != 0)
        return complain(error, "event loop");
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    signalled = c;
    signal_io.on_ready = on_signal;
    error = fd < 0 ? -errno : loop_io_add(c->loop, &signal_io, fd, EPOLLIN);
    return error != 0 ? complain(error, "signals") : 0;
}

static void done_loop(struct controller *c)
{
    for (int i = 0; c->loop != NULL && i < LAST_ROUNDS; i++)
        loop_round(c->loop, 0);
    if (signal_io.loop != NULL) {
        loop_io_remove(&signal_io);
        close(signal_io.fd);
    }
    if (c->loop != NULL)
        loop_free(c->loop);
}

/* ---- the cluster ---- */

static int init_kube(struct controller *c)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return complain(-ENOMEM, "libcurl");
    const struct kube_config config = {
        .loop = c->loop, .access = &c->options.cluster, .user_agent = "sluice-controller/1"};
    int error = kube_new(&config, &c->kube);
    return error != 0 ? complain(error, c->options.cluster.server) : 0;
}

static void done_kube(struct controller *c)
{
    kube_free(c->kube);
    curl_global_cleanup();
}

static void on_change(void *owner, struct source *source, const struct source_change *change)
{
    struct controller *c = owner;
    mirror_on_change(c->mirror, change);
    writers_on_change(c->writers, change);
}

static void on_state(void *owner, struct source *source, enum kind kind)
{
    struct controller *c = owner;
    writers_on_state(c->writers);
}

static void on_cluster_trouble(void *owner, struct source *source, enum kind kind, const char *text)
{
    fprintf(stderr, "sluice-controller: cluster: %s: %s\n", kind_info(kind)->plural, text);
}

static void on_held(void *owner, struct source *source, enum kind kind, const char *text)
{
    const struct controller *c = owner;
    writers_on_held(c->writers, kind, text);
}

static int init_source(struct controller *c)
{
    const struct source_config config = {
        .loop = c->loop,
        .kube = c->kube,
        .reads_named = true,
        .watches_named = c->options.watches_named,
        .has_mesh = c->options.has_mesh,
        .idle_ms_max = c->options.idle_ms_max,
        .hold = c->options.hold,
        .owner = c,
        .on_change = on_change,
        .on_state = on_state,
        .on_trouble = on_cluster_trouble,
        .on_held = on_held,
    };
    int error = source_new(&config, &c->source);
    if (error != 0)
        return complain(error, "the cluster's cache");
    mirror_attach(c->mirror, c->source);
    return 0;
}

static void done_source(struct controller *c)
{
    source_free(c->source);
}

/* ---- the appliances ---- */

static void on_appliance_trouble(void *owner, size_t appliance, enum kind kind, const char *text)
{
    const struct controller *c = owner;
    fprintf(stderr, "sluice-controller: %s: %s: %s\n", mirror_appliance_name(c->mirror, appliance),
            kind_info(kind)->plural, text);
}

static bool may_write(void *owner)
{
    const struct controller *c = owner;
    return writers_may(c->writers);
}

static void on_news(void *owner, enum mirror_news news, size_t appliance, enum kind kind,
                    const char *namespace_, const char *name)
{
    struct controller *c = owner;
    writers_on_news(c->writers, kind, namespace_, name);
}

static int init_mirror(struct controller *c)
{
    struct mirror_config config = {
        .loop = c->loop,
        .cluster = c->options.cluster_name,
        .controller_name = c->options.controller_name,
        .n_appliances = c->options.n_appliances,
        .has_mesh = c->options.has_mesh,
        .owner = c,
        .may_write = may_write,
        .on_trouble = on_appliance_trouble,
        .on_news = on_news,
    };
    memcpy(config.appliances, c->options.appliances, sizeof(config.appliances));
    int error = mirror_new(&config, &c->mirror);
    return error != 0 ? complain(error, "the appliances") : 0;
}

static void done_mirror(struct controller *c)
{
    mirror_free(c->mirror);
}

/* ---- what writes to the cluster ---- */

static int init_writers(struct controller *c)
{
    return writers_new(c, &c->writers);
}

static void done_writers(struct controller *c)
{
    writers_free(c->writers);
    c->writers = NULL;
}

/* ---- all ---- */

static const struct part parts[] = {
    {"loop", init_loop, done_loop},          {"kube", init_kube, done_kube},
    {"mirror", init_mirror, done_mirror},    {"source", init_source, done_source},
    {"writers", init_writers, done_writers},
};

int main(int argc, char **argv)
{
    struct controller c = {0};
    umask(0077);
    int result = options_parse(argc, argv, &c.options);
    if (result != 0) {
        options_free(&c.options);
        return result > 0 ? 0 : 2;
    }
    size_t made = 0;
    while (result == 0 && made < array_len(parts))
        result = parts[made++].init(&c);
    if (result == 0) {
        printf("sluice-controller: mirrors %s into %zu appliance%s\n", c.options.cluster.server,
               c.options.n_appliances, c.options.n_appliances == 1 ? "" : "s");
        fflush(stdout);
        result = loop_run(c.loop);
    }
    while (made > 0)
        parts[--made].done(&c);
    options_free(&c.options);
    return result == 0 ? 0 : 1;
}
