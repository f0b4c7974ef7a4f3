/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sluice-dataplane: the composition root. Makes the parts in the order in which they need each
 * other, starts a loop for each worker, keeps house until it is told to stop, and takes everything
 * down in the reverse order. Nothing below knows of anything here.
 */
#include "base/assert.h"
#include "base/container.h"
#include "core/census.h"
#include "core/endpoint_table.h"
#include "core/links.h"
#include "core/masters.h"
#include "core/port_setup.h"
#include "core/rcu.h"
#include "drivers/crypto/crypto_core.h"
#include "drivers/net/iface.h"
#include "drivers/net/netns.h"
#include "eal.h"
#include "housekeeping.h"
#include "loop.h"
#include "mirror/mirror.h"
#include "obs/hub.h"
#include "options.h"
#include "packets.h"
#include "telemetry.h"
#include "tls/tls.h"
#include "tls/tls_crypto.h"
#include "tls/tls_device.h"
#include "tls/tls_identity.h"
#include "tls/tls_tickets.h"
#include "verify/verify_thread.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HOUSEKEEPING_MS 100 /* how long it sleeps at most when nobody speaks to it */

/* How long a process that was killed may take to be gone: tens of ms were seen with 256 MB. */
#define LOCK_WAIT_MS_MAX 1500u
#define LOCK_STEP_MS 10u

/* Places for what routes had: one is for all that find none. */
#define ROUTES_PER_WORKER (STATS_ROUTES_MAX + 1u)

static volatile sig_atomic_t is_stopping;

/* All parts, in the order in which they are made. */
struct dataplane {
    struct options options;
    int run_lock;
    int state_lock;
    struct net_device devices[PORTS_MAX];
    struct telemetry *telemetry;
    char runtime_dir[256];
    uint32_t n_mbufs;
    struct rte_mempool *mbufs;
    unsigned n_open_ports;
    struct port_setup ports[PORTS_MAX];
    struct port_hub *hub;
    struct rcu *rcu;
    struct endpoint_table *endpoints;
    struct census *census;
    struct obs_hub *obs;
    struct tls_tickets *tickets;
    struct mirror *mirror;
    struct masters *masters; /* NULL: nobody tells */
    struct links *links;     /* NULL: no port has several devices */
    struct verify_lane *lanes[WORKERS_MAX];
    struct verify_thread *verifier;
    struct crypto_core *crypto_cores[OPTIONS_CRYPTO_CORES_MAX];
    struct job_lane *job_lanes[WORKERS_MAX][OPTIONS_CRYPTO_CORES_MAX];
    struct housekeeping *housekeeping;
    struct loop loops[WORKERS_MAX];
    uint64_t began_us;
    char took[256]; /* "eal 0.140, ..." for the line that says ready */
};

static bool say(const char *what, const char *why)
{
    fprintf(stderr, "sluice-dataplane: %s: %s\n", what, why);
    return false;
}

static void on_signal(int signal)
{
    is_stopping = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: poll() must wake up */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Takes the lock. One that was killed a moment ago holds it until the kernel has taken down its
 * memory and sockets, so whoever restarts it at once must not be turned away. */
static bool wait_for_lock(int fd)
{
    const struct timespec step = {.tv_nsec = LOCK_STEP_MS * 1000000};
    for (unsigned waited_ms = 0; waited_ms <= LOCK_WAIT_MS_MAX; waited_ms += LOCK_STEP_MS) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        if (errno != EWOULDBLOCK || is_stopping)
            return false;
        nanosleep(&step, NULL);
    }
    return false;
}

/* Two processes on one directory would take each other's sockets, files and ports. mgmtd uses the
 * same directories, so the lock is a file of our own. The kernel lets go of it when we end. */
static bool lock_dir(const char *path, int *ret_fd)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return say(path, strerror(errno));
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return say(path, strerror(errno));
    int fd = openat(dir, "dataplane.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int fault = errno;
    close(dir);
    if (fd < 0)
        return say(path, strerror(fault));
    if (!wait_for_lock(fd)) {
        close(fd);
        return say(path, "another dataplane uses this directory");
    }
    *ret_fd = fd;
    return true;
}

static bool start_eal(struct dataplane *d)
{
    struct net_fault fault;
    struct eal_args args;
    const struct options *o = &d->options;
    for (unsigned i = 0; i < o->n_ports; i++) {
        if (!net_driver_describe(&o->ports[i], i, o->workers, &d->devices[i], &fault))
            return say("cannot start", fault.text);
    }
    eal_args_make(o, d->devices, eal_has_hugepages(o->mem_mb), &args);
    if (rte_eal_init(args.argc, args.argv) < 0)
        return say("DPDK does not start", rte_strerror(rte_errno));
    snprintf(d->runtime_dir, sizeof(d->runtime_dir), "%s", rte_eal_get_runtime_dir());
    return true;
}

static bool make_packets(struct dataplane *d)
{
    struct net_fault fault;
    return packets_make(&d->options, &d->mbufs, &d->n_mbufs, &fault) ||
           say("cannot start", fault.text);
}

/* Frames are spread by a key that nobody outside knows. */
static bool make_spread_key(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        return say("no random bytes", strerror(errno));
    return spread_key_make(seed) || say("cannot start", "no memory for the key of frames");
}

static bool open_ports(struct dataplane *d)
{
    struct net_fault fault;
    const struct options *o = &d->options;
    if (!make_spread_key())
        return false;
    for (; d->n_open_ports < o->n_ports; d->n_open_ports++) {
        unsigned i = d->n_open_ports;
        if (!net_port_open(&o->ports[i], &d->devices[i], i, o->workers, d->mbufs, &d->ports[i],
                           &fault))
            return say("cannot start", fault.text);
        if (!net_beside_open(&o->ports[i], o->exception_netns, d->mbufs, &d->ports[i], &fault)) {
            net_port_close(&o->ports[i], &d->devices[i], &d->ports[i]);
            return say("cannot start", fault.text);
        }
        char line[300];
        net_port_describe(&d->ports[i], line, sizeof(line));
        fprintf(stderr, "sluice-dataplane: %s\n", line);
    }
    return true;
}

static bool make_shared(struct dataplane *d)
{
    const struct options *o = &d->options;
    d->hub = port_hub_new(d->ports, o->n_ports, o->workers);
    d->rcu = rcu_new(o->workers);
    d->endpoints = d->rcu != NULL ? endpoint_table_new(d->rcu) : NULL;
    d->census = census_new((uint64_t)o->conns * o->workers);
    d->obs = obs_hub_new(o->workers);
    d->tickets = tls_tickets_new();
    bool has_all = d->hub != NULL && d->endpoints != NULL && d->census != NULL && d->obs != NULL &&
                   d->tickets != NULL;
    return has_all || say("cannot start", "no memory");
}

/* Before the first key is loaded, which its provider then has. */
static bool open_device(struct dataplane *d)
{
    const char *provider = d->options.crypto_provider;
    return provider == NULL || tls_device_open(provider) ||
           say("cannot start", "OpenSSL does not load the provider of --crypto-provider");
}

/* Before the first private key is loaded. A box that cannot lock memory serves all the same. The
 * library copies parts of keys into common memory (RSA's primes, what it reads PEM with), so there
 * is no core file of this process at all. */
static bool make_secure_heap(struct dataplane *d)
{
    prctl(PR_SET_DUMPABLE, 0);
    if (!tls_secure_heap_new())
        say("private keys are in common memory", "memory cannot be locked");
    return true;
}

/* The kernel's side of the exception path, in its namespace, if a port has a tap. */
static bool make_mirror(struct dataplane *d)
{
    const struct options *o = &d->options;
    const char *taps[PORTS_MAX];
    int back;
    if (o->exception_netns == NULL)
        return true;
    d->masters = calloc(1, sizeof(*d->masters));
    if (d->masters == NULL)
        return say("cannot start", "no memory");
    for (unsigned i = 0; i < o->n_ports; i++)
        taps[i] = o->ports[i].tap;
    if (!netns_enter(o->exception_netns, &back))
        return say(o->exception_netns, strerror(errno));
    d->mirror = mirror_new(taps, o->n_ports);
    int fault = errno;
    netns_leave(back);
    return d->mirror != NULL || say("no netlink socket", strerror(fault));
}

/* Of ports with several devices, which is in use. */
static bool make_links(struct dataplane *d)
{
    bool has_members = false;
    for (unsigned i = 0; i < d->n_open_ports; i++)
        has_members = has_members || d->ports[i].n_members != 0;
    if (!has_members)
        return true;
    d->links = calloc(1, sizeof(*d->links));
    return d->links != NULL || say("cannot start", "no memory");
}

static bool make_housekeeping(struct dataplane *d)
{
    const struct options *o = &d->options;
    struct housekeeping_fault fault;
    struct housekeeping_config config = {
        .run_dir = o->run_dir,
        .state_dir = o->state_dir,
        .workers = o->workers,
        .n_ports = o->n_ports,
        .endpoints = d->endpoints,
        .stats = telemetry_block(d->telemetry, o->workers),
        .mbufs = d->mbufs,
        .telemetry_fd = telemetry_fd(d->telemetry),
        .tickets = d->tickets,
        .mirror = d->mirror,
        .masters = d->masters,
        .ports = d->ports,
        .links = d->links,
        .has_carrier = iface_has_carrier,
        .obs = d->obs,
        .now_us = loop_now_us,
        .access = {.file = o->access_log,
                   .one_in = o->access_one_in,
                   .has_errors = o->access_has_errors,
                   .fields = o->access_fields},
    };
    for (unsigned i = 0; i < o->n_ports; i++) {
        config.port_names[i] = o->ports[i].name;
    }
    d->housekeeping = housekeeping_new(&config, &fault);
    return d->housekeeping != NULL || say("cannot start", fault.text);
}

static bool make_verifier(struct dataplane *d)
{
    for (unsigned i = 0; i < d->options.workers; i++) {
        d->lanes[i] = verify_lane_new();
        if (d->lanes[i] == NULL)
            return say("cannot start", "no memory");
    }
    d->verifier = verify_thread_start(d->lanes, d->options.workers);
    return d->verifier != NULL || say("cannot start", "no thread that looks at passwords");
}

/* A lane from each worker to each crypto core. */
static bool make_crypto_cores(struct dataplane *d)
{
    const struct options *o = &d->options;
    static_assert(OPTIONS_CRYPTO_CORES_MAX <= TLS_LANES_MAX && WORKERS_MAX <= CRYPTO_LANES_MAX,
                  "all have lanes to all");
    for (unsigned core = 0; core < o->crypto_cores; core++) {
        struct job_lane *lanes[WORKERS_MAX];
        for (unsigned worker = 0; worker < o->workers; worker++) {
            lanes[worker] = d->job_lanes[worker][core] = job_lane_new();
            if (lanes[worker] == NULL)
                return say("cannot start", "no memory");
        }
        d->crypto_cores[core] =
            crypto_core_new(lanes, o->workers, o->idle == IDLE_POLL, tls_thread_done);
        if (d->crypto_cores[core] == NULL)
            return say("cannot start", "no memory");
    }
    return true;
}

/* The worker's share of chance comes from the kernel, once. */
static bool make_workers(struct dataplane *d)
{
    const struct options *o = &d->options;
    struct {
        struct siphash_key key;
        uint64_t seeds[WORKERS_MAX];
    } random;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return say("no random bytes", strerror(errno));
    for (unsigned i = 0; i < o->workers; i++) {
        struct worker_config config = {
            .core = {.now_us = loop_now_us(),
                     .worker = (uint8_t)i,
                     .workers = (uint8_t)o->workers,
                     .socket = (int)rte_lcore_to_socket_id(1 + i),
                     .mbufs = d->mbufs,
                     .stats = telemetry_block(d->telemetry, i),
                     .routes = telemetry_routes(d->telemetry, i),
                     .n_routes = ROUTES_PER_WORKER,
                     .rng_seed = random.seeds[i],
                     .hash_key = random.key,
                     .cycles = rte_rdtsc,
                     .masters = d->masters,
                     .links = d->links,
                     .census = d->census,
                     .obs = d->obs},
            .ports = d->hub,
            .generations = housekeeping_generations(d->housekeeping),
            .endpoints = d->endpoints,
            .rcu = d->rcu,
            .lanes = d->job_lanes[i],
            .n_lanes = o->crypto_cores,
        };
        worker_config_default(&config, o->conns, d->n_mbufs, o->workers);
        config.probe = o->probe;
        if (o->tunnel_idle_s > 0)
            config.proxy.tunnel_ms = o->tunnel_idle_s * 1000;
        config.proxy.tickets = d->tickets;
        config.proxy.verify = d->lanes[i];
        d->loops[i] = (struct loop){.idle = o->idle, .is_stopping = &is_stopping};
        d->loops[i].worker = worker_new(&config);
        if (d->loops[i].worker == NULL)
            return say("cannot start", "no memory for a worker");
    }
    return true;
}

/* The workers' clock does not go before the EAL is there. */
static uint64_t clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool make_telemetry(struct dataplane *d)
{
    d->telemetry = telemetry_new(d->options.workers, ROUTES_PER_WORKER);
    return d->telemetry != NULL || say("no telemetry segment", strerror(errno));
}

static bool lock_dirs(struct dataplane *d)
{
    return lock_dir(d->options.run_dir, &d->run_lock) &&
           lock_dir(d->options.state_dir, &d->state_lock);
}

static const struct stage {
    const char *name;
    bool (*make)(struct dataplane *d);
} stages[] = {
    {"telemetry", make_telemetry},
    {"locks", lock_dirs}, /* what the one before left may still be on its way out */
    {"eal", start_eal},   /* 100 ms of it measure the CPU's clock */
    {"packets", make_packets},
    {"ports", open_ports},
    {"keys", make_secure_heap}, /* which ticket keys are in, too */
    {"shared", make_shared},
    {"device", open_device},
    {"links", make_links},
    {"mirror", make_mirror},
    {"state", make_housekeeping}, /* reads the last good image and the endpoints */
    {"verifier", make_verifier},
    {"crypto", make_crypto_cores},
    {"workers", make_workers},
};

/* Goes through the stages; `d->took` tells how long each was, because a restart is an outage. */
static bool start(struct dataplane *d)
{
    size_t len = 0;
    uint64_t before_us = clock_us();
    d->began_us = before_us;
    for (size_t i = 0; i < array_len(stages); i++) {
        if (!stages[i].make(d))
            return false;
        uint64_t now_us = clock_us();
        len +=
            (size_t)snprintf(d->took + len, sizeof(d->took) - len, "%s%s %.3f", i > 0 ? ", " : "",
                             stages[i].name, (double)(now_us - before_us) / 1e6);
        ASSERT(len < sizeof(d->took));
        before_us = now_us;
    }
    return true;
}

/* Starts the workers' loops and keeps house until a signal comes. */
static void run(struct dataplane *d)
{
    unsigned workers = d->options.workers;
    for (unsigned i = 0; i < workers; i++) {
        int fault = rte_eal_remote_launch(loop_run, &d->loops[i], 1 + i);
        ASSERT(fault == 0);
    }
    for (unsigned i = 0; i < d->options.crypto_cores; i++) {
        int fault = rte_eal_remote_launch(crypto_core_run, d->crypto_cores[i], 1 + workers + i);
        ASSERT(fault == 0);
    }
    fprintf(stderr, "sluice-dataplane: ready, %u workers, %u ports, after %.3f s: %s\n", workers,
            d->options.n_ports, (double)(clock_us() - d->began_us) / 1e6, d->took);
    while (!is_stopping)
        housekeeping_poll(d->housekeeping, HOUSEKEEPING_MS);
    for (unsigned i = 0; i < workers; i++)
        rte_eal_wait_lcore(1 + i);
    for (unsigned i = 0; i < d->options.crypto_cores; i++) {
        crypto_core_stop(d->crypto_cores[i]);
        rte_eal_wait_lcore(1 + workers + i);
    }
}

/* In the reverse order of start(); every part takes "never made" for an answer. */
static void stop(struct dataplane *d)
{
    verify_thread_stop(d->verifier);
    for (unsigned i = 0; i < d->options.workers; i++) {
        worker_free(d->loops[i].worker);
        verify_lane_free(d->lanes[i]);
        for (unsigned core = 0; core < d->options.crypto_cores; core++)
            job_lane_free(d->job_lanes[i][core]);
    }
    for (unsigned i = 0; i < d->options.crypto_cores; i++)
        crypto_core_free(d->crypto_cores[i]);
    housekeeping_free(d->housekeeping);
    mirror_free(d->mirror);
    free(d->masters);
    free(d->links);
    obs_hub_free(d->obs);
    tls_tickets_free(d->tickets);
    tls_device_close();
    endpoint_table_free(d->endpoints);
    census_free(d->census);
    rcu_free(d->rcu);
    port_hub_free(d->hub);
    for (unsigned i = 0; i < d->n_open_ports; i++) {
        net_beside_close(&d->ports[i]);
        net_port_close(&d->options.ports[i], &d->devices[i], &d->ports[i]);
    }
    spread_key_forget();
    rte_mempool_free(d->mbufs);
    if (d->runtime_dir[0] != '\0') {
        rte_eal_cleanup();
        eal_clean_up(d->runtime_dir);
    }
    telemetry_free(d->telemetry);
}

int main(int argc, char **argv)
{
    static struct dataplane d = {.run_lock = -1, .state_lock = -1};
    struct net_fault fault;
    if (!options_parse(argc, argv, &d.options, &fault)) {
        fprintf(stderr, "sluice-dataplane: %s\nTry --help.\n", fault.text);
        return EXIT_OPTIONS;
    }
    if (d.options.wants_help) {
        options_print_help();
        return 0;
    }
    if (d.options.wants_version) {
        puts("sluice-dataplane " SLUICE_VERSION);
        return 0;
    }
    catch_signals();
    bool is_up = start(&d);
    if (is_up)
        run(&d);
    stop(&d);
    return is_up ? 0 : EXIT_FAILED;
}
