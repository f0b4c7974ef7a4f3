/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcp against the kernel's TCP on a real port, without proxy and images: a program to play with.
 *
 *   tcp_relay name=p0,driver=af_xdp,iface=veth0 198.18.0.1/24 198.18.0.2:80 [BYTES|usual [bbr]]
 *
 *   port 7     echo            port 9    takes everything, then closes
 *   port 19    sends until the client closes
 *   port 80    relays to the backend, moving mbufs
 *
 * BUFFER_BYTES is the receive window and the send buffer of each connection; bbr is the congestion
 * control of all (any other word: CUBIC). Prints counters at the
 * end (SIGINT, SIGTERM). The goodput bench (tests/bench) measures our TCP with it.
 */
#include "base/container.h"
#include "core/core.h"
#include "core/port_setup.h"
#include "drivers/net/driver.h"
#include "net/net.h"
#include "packets.h"
#include "tcp/tcp.h"

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_MB 256u
#define QUEUE_BYTES_USUAL (4u * 1024u * 1024u) /* as worker_config_default() has them */
#define FIRST_BYTES_USUAL (64u * 1024u)

struct flow {
    struct stream *s;
    struct flow *other; /* relay */
    uint16_t port;
    uint32_t sent;
    bool is_shut;
};

static struct core core;
static struct stats_worker stats;
static struct tcp *tcp;
static struct ip_addr backend;
static uint16_t backend_port;
static enum tcp_congestion congestion;
static volatile sig_atomic_t is_stopping;

static void on_signal(int signal)
{
    is_stopping = 1;
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void end_flow(struct flow *f)
{
    if (f->other != NULL)
        f->other->other = NULL;
    stream_release(f->s);
    free(f);
}

static void source_more(struct flow *f)
{
    static uint8_t bytes[65536];
    for (;;) {
        uint32_t from = f->sent % sizeof(bytes);
        for (uint32_t i = from; i < sizeof(bytes) && bytes[sizeof(bytes) - 1] == 0; i++)
            bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + 1);
        struct slice v = slice_of(bytes + from, sizeof(bytes) - from);
        size_t n = stream_write(f->s, &v, 1);
        f->sent += (uint32_t)n;
        if (n < v.len)
            return;
    }
}

static void move_and_close(struct flow *from, struct flow *to)
{
    while (stream_move(to->s, from->s, SIZE_MAX) > 0)
        ;
    if (stream_is_eof(from->s) && !to->is_shut) {
        to->is_shut = true;
        stream_shutdown(to->s);
    }
}

static void echo(struct flow *f)
{
    struct slice v;
    while (stream_peek(f->s, &v, 1) == 1) {
        size_t n = stream_write(f->s, &v, 1);
        stream_consume(f->s, n);
        if (n < v.len)
            return;
    }
    if (stream_is_eof(f->s))
        stream_shutdown(f->s);
}

static void on_event(struct stream *s, unsigned events)
{
    struct flow *f = s->owner;
    if (events & STREAM_CLOSED) {
        struct flow *other = f->other;
        if (stream_end(s) != STREAM_END_ORDERLY) {
            if (other != NULL)
                stream_abort(other->s);
        } else if (other != NULL && !other->is_shut) {
            other->is_shut = true;
            stream_shutdown(other->s);
        }
        end_flow(f);
        return;
    }
    if (f->other != NULL) {
        move_and_close(f, f->other);
        move_and_close(f->other, f);
    } else if (f->port == 7) {
        echo(f);
    } else if (f->port == 19) {
        stream_consume(s, stream_readable(s));
        if (stream_is_eof(s))
            stream_shutdown(s);
        else
            source_more(f);
    } else {
        stream_consume(s, stream_readable(s));
        if (stream_is_eof(s))
            stream_shutdown(s);
    }
}

static struct flow *flow_new(struct stream *s, uint16_t port)
{
    struct flow *f = calloc(1, sizeof(*f));
    f->s = s;
    f->port = port;
    s->owner = f;
    s->on_event = on_event;
    return f;
}

static bool on_listen(void *owner, const struct ip_addr *local, uint16_t port,
                      struct tcp_listening *ret)
{
    ret->bind = port;
    ret->congestion = congestion;
    return port == 7 || port == 9 || port == 19 || port == 80;
}

static bool on_accept(void *owner, struct stream *s, uint32_t bind)
{
    struct flow *f = flow_new(s, (uint16_t)bind);
    if (bind == 19)
        source_more(f);
    if (bind != 80)
        return true;
    struct tcp_open_args args = {
        .remote = backend, .remote_port = backend_port, .congestion = congestion};
    struct stream *to;
    enum tcp_open_fault fault = tcp_open(tcp, &args, &to);
    if (fault != TCP_OPEN_OK) {
        free(f);
        return false;
    }
    f->other = flow_new(to, 80);
    f->other->other = f;
    return true;
}

static void print_stats(void)
{
    for (unsigned i = 0; i < STAT_COUNT; i++) {
        if (stats.counters[i] != 0)
            printf("%s %lu\n", stat_name((enum stat_id)i), (unsigned long)stats.counters[i]);
    }
}

static struct port_hub *make_port(const char *text, struct rte_mempool **ret_mbufs, uint32_t *ret_n)
{
    static struct options options = {.n_ports = 1, .mem_mb = MEMORY_MB};
    static struct net_device device;
    static struct port_setup setup;
    struct net_fault fault;
    if (!net_options_parse(text, &options.ports[0], &fault) ||
        !net_driver_describe(&options.ports[0], 0, 1, &device, &fault)) {
        fprintf(stderr, "%s\n", fault.text);
        exit(2);
    }
    static char args[][16] = {"tcp_relay",     "--no-huge", "-m", "256",         "--no-shconf",
                              "--no-pci",      "-l",        "0",  "--log-level", "error",
                              "--no-telemetry"};
    char *argv[array_len(args) + 4] = {0};
    for (unsigned i = 0; i < array_len(args); i++)
        argv[i] = args[i];
    int n = (int)array_len(args);
    static char prefix[64];
    snprintf(prefix, sizeof(prefix), "--file-prefix=tcp-relay-%d", (int)getpid());
    argv[n++] = prefix;
    if (device.eal_option[0] != '\0') {
        argv[n++] = device.eal_option;
        argv[n++] = device.eal_value;
    }
    if (rte_eal_init(n, argv) < 0)
        exit(1);
    if (!packets_make(&options, ret_mbufs, ret_n, &fault) ||
        !net_port_open(&options.ports[0], &device, 0, 1, *ret_mbufs, &setup, &fault)) {
        fprintf(stderr, "%s\n", fault.text);
        exit(1);
    }
    return port_hub_new(&setup, 1, 1);
}

static void configure(struct net *net, const char *address)
{
    char text[64];
    snprintf(text, sizeof(text), "%s", address);
    char *slash = strchr(text, '/');
    if (slash != NULL)
        *slash = '\0';
    struct net_interface interface = {0};
    struct net_address a = {.prefix_len = (uint8_t)(slash == NULL ? 128 : 96 + atoi(slash + 1))};
    if (!ip_addr_parse(text, &a.addr))
        exit(2);
    if (!ip_addr_is_v4(&a.addr))
        a.prefix_len = (uint8_t)(a.prefix_len - 96);
    net_configure(net, &(struct net_config){&interface, 1, &a, 1, NULL, 0});
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 6)
        return 2;
    if (argc == 6 && strcmp(argv[5], "bbr") == 0)
        congestion = TCP_CONGESTION_BBR;
    bool is_usual = argc < 5 || strcmp(argv[4], "usual") == 0;
    uint32_t queue_bytes = is_usual ? QUEUE_BYTES_USUAL : (uint32_t)atoi(argv[4]);
    char *colon = strrchr(argv[3], ':');
    if (colon == NULL)
        return 2;
    *colon = '\0';
    backend_port = (uint16_t)atoi(colon + 1);
    if (!ip_addr_parse(argv[3], &backend))
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    struct rte_mempool *mbufs;
    uint32_t n_mbufs;
    struct port_hub *hub = make_port(argv[1], &mbufs, &n_mbufs);
    core_init(&core, &(struct core_config){.now_us = now_us(),
                                           .workers = 1,
                                           .socket = -1,
                                           .mbufs = mbufs,
                                           .stats = &stats,
                                           .rng_seed = now_us(),
                                           .hash_key = {now_us(), 4}});
    ports_join(hub, &core);
    struct net *net = net_new(&core);
    tcp = tcp_new(&core, net,
                  &(struct tcp_config){.conns_max = 4096,
                                       .timewaits_max = 8192,
                                       .half_open_max = 1024,
                                       .rx_window_bytes = queue_bytes,
                                       .tx_buffer_bytes = queue_bytes,
                                       .first_bytes = is_usual ? FIRST_BYTES_USUAL : 0,
                                       .quick_acks = 16,
                                       .is_paced = true,
                                       .has_ecn = true,
                                       .mbufs_low = n_mbufs / 8},
                  &(struct tcp_upcalls){on_listen, on_accept, NULL});
    net_set_tcp(net, tcp, &tcp_net_ops);
    configure(net, argv[2]);
    prctl(PR_SET_TIMERSLACK, 1000UL); /* ns, as loop_run() has it: else short sleeps are long */
    printf("ready\n");
    unsigned idle = 0;
    while (!is_stopping) {
        struct rte_mbuf *frames[128];
        core.now_us = now_us();
        unsigned n = port_rx(&core, frames, 128);
        net_input(net, frames, n);
        n += wheel_run(&core.wheel, core.now_us, 512);
        n += net_poll(net);
        n += tcp_poll(tcp);
        n += port_tx_flush(&core);
        idle = n > 0 ? 0 : idle + 1;
        if (idle > 50)
            usleep(20);
    }
    char text[4096];
    tcp_dump(tcp, text, sizeof(text));
    printf("%s", text);
    print_stats();
    return 0;
}
