/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table of options gives the parser and the usage text. */
#include "options.h"

#include "access/access_line.h"
#include "base/container.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_LIST(X)                                                                            \
    X(RUN_DIR, "run-dir", "DIR", "where the control socket is made")                               \
    X(STATE_DIR, "state-dir", "DIR", "where the last good image and the endpoints are kept")       \
    X(WORKERS, "workers", "N", "worker cores, 1 to 64 (default 1)")                                \
    X(IDLE, "idle", "poll|adaptive", "what a worker does without work (default adaptive)")         \
    X(PROBE, "probe", "all|own|none",                                                              \
      "new addresses that are asked for before use: none, not VIPs, all (default all)")            \
    X(PORT, "port", "KEY=VALUE,...", "a port, once for each; see below")                           \
    X(EXCEPTION_NETNS, "exception-netns", "NAME",                                                  \
      "network namespace of the ports' taps, where routing daemons run")                           \
    X(MEM, "mem", "MB", "memory for packets, 64 to 1048576 (default 512)")                         \
    X(CONNS, "conns", "N", "client connections a worker (default 16384)")                          \
    X(TUNNEL_IDLE, "tunnel-idle", "S",                                                             \
      "a WebSocket, a connection that is passed on or a call ends after so many seconds "          \
      "without a byte (default 3600)")                                                             \
    X(CORES, "cores", "LIST",                                                                      \
      "CPUs to run on, as 0-3,8: housekeeping on the first (default: all)")                        \
    X(CRYPTO_CORES, "crypto-cores", "N",                                                           \
      "cores for TLS handshakes, on the CPUs after the workers' (default 0: workers do them)")     \
    X(CRYPTO_PROVIDER, "crypto-provider", "NAME",                                                  \
      "a provider of OpenSSL's whose device does public-key work")                                 \
    X(ACCESS_LOG, "access-log", "FILE", "a line of JSON for each request; moved away: a new one")  \
    X(ACCESS_SAMPLE, "access-sample", "N",                                                         \
      "one of N requests is logged, by chance; 0: errors only (default 1)")                        \
    X(ACCESS_ERRORS, "access-errors", "all|sample",                                                \
      "requests answered 500 and above, or not wholly (default all)")                              \
    X(ACCESS_FIELDS, "access-fields", "NAME,...", "what is logged of each; see below")             \
    X(HELP, "help", NULL, "this text")                                                             \
    X(VERSION, "version", NULL, "the version")

enum option_id {
    OPTION_NONE = 256, /* above every letter that getopt could give back */
#define X(id, name, value, help) OPTION_##id,
    OPTIONS_LIST(X)
#undef X
};

void options_print_help(void)
{
    puts(
        "usage: sluice-dataplane --run-dir DIR --state-dir DIR --port KEY=VALUE,... [OPTION...]\n");
#define X(id, name, value, help)                                                                   \
    printf("  --%-13s %-14s %s\n", name, (const char *)value != NULL ? (const char *)value : "",   \
           help);
    OPTIONS_LIST(X)
#undef X
    puts("\nA port is name=NAME,driver=DRIVER and what the driver needs:");
    for (unsigned i = 0; net_drivers[i] != NULL; i++)
        printf("  driver=%-7s %s\n", net_drivers[i]->name, net_drivers[i]->help);
    puts("With any driver: tap=NAME, an interface for routing daemons beside it (exception path)");
    puts("\nThe access log's fields, all but query by default:");
    for (unsigned i = 0; i < ACCESS_FIELDS; i++)
        printf("  %-14s %s\n", access_field_name((enum access_field)i),
               access_field_help((enum access_field)i));
}

static bool parse_number(const char *name, const char *text, unsigned long min, unsigned long max,
                         unsigned *ret, struct net_fault *ret_fault)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < min || n > max)
        return net_fault_set(ret_fault, "--%s %.40s: a number from %lu to %lu", name, text, min,
                             max);
    *ret = (unsigned)n;
    return true;
}

static bool parse_idle(const char *text, struct options *o, struct net_fault *ret_fault)
{
    if (strcmp(text, "poll") == 0)
        o->idle = IDLE_POLL;
    else if (strcmp(text, "adaptive") == 0)
        o->idle = IDLE_ADAPTIVE;
    else
        return net_fault_set(ret_fault, "--idle %.40s: there is poll and adaptive", text);
    return true;
}

static bool parse_probe(const char *text, struct options *o, struct net_fault *ret_fault)
{
    static const char *const names[] = {
        [NET_PROBE_NONE] = "none", [NET_PROBE_OWN] = "own", [NET_PROBE_ALL] = "all"};
    for (unsigned i = 0; i < array_len(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            o->probe = (enum net_probe)i;
            return true;
        }
    }
    return net_fault_set(ret_fault, "--probe %.40s: there is all, own and none", text);
}

static bool parse_access_errors(const char *text, struct options *o, struct net_fault *ret_fault)
{
    if (strcmp(text, "all") != 0 && strcmp(text, "sample") != 0)
        return net_fault_set(ret_fault, "--access-errors %.40s: there is all and sample", text);
    o->access_has_errors = strcmp(text, "all") == 0;
    return true;
}

static bool parse_access_fields(const char *text, struct options *o, struct net_fault *ret_fault)
{
    return access_fields_parse(text, &o->access_fields) ||
           net_fault_set(ret_fault, "--access-fields %.80s: names of fields, see --help", text);
}

static bool parse_port(const char *text, struct options *o, struct net_fault *ret_fault)
{
    struct net_fault why;
    struct net_options port;
    if (o->n_ports == PORTS_MAX)
        return net_fault_set(ret_fault, "--port: at most %u ports", PORTS_MAX);
    if (!net_options_parse(text, &port, &why))
        return net_fault_set(ret_fault, "--port %.60s: %.120s", text, why.text);
    for (unsigned i = 0; i < o->n_ports; i++) {
        if (strcmp(o->ports[i].name, port.name) == 0)
            return net_fault_set(ret_fault, "--port: two ports have the name %s", port.name);
    }
    o->ports[o->n_ports++] = port;
    return true;
}

/* "3", or "2-5", from `*text` on, which is moved behind it. */
static bool parse_range(const char **text, struct options *o)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    unsigned long first = strtoul(*text, &end, 10);
    unsigned long last = first;
    if (*end == '-') {
        if (end[1] < '0' || end[1] > '9')
            return false;
        last = strtoul(end + 1, &end, 10);
    }
    *text = end;
    if (first > last || last >= CPU_SETSIZE || last - first >= OPTIONS_CPUS_MAX - o->n_cpus)
        return false;
    for (unsigned long cpu = first; cpu <= last; cpu++)
        o->cpus[o->n_cpus++] = (uint16_t)cpu;
    return true;
}

static bool parse_cores(const char *text, struct options *o, struct net_fault *ret_fault)
{
    const char *rest = text;
    o->n_cpus = 0;
    while (parse_range(&rest, o)) {
        if (*rest == '\0')
            return true;
        if (*rest++ != ',')
            break;
    }
    return net_fault_set(ret_fault, "--cores %.40s: CPUs as 0-3,8", text);
}

/* All CPUs that this process may use. */
static void take_all_cpus(struct options *o)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof(set), &set);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && o->n_cpus < OPTIONS_CPUS_MAX; cpu++) {
        if (CPU_ISSET(cpu, &set))
            o->cpus[o->n_cpus++] = (uint16_t)cpu;
    }
    if (o->n_cpus == 0)
        o->cpus[o->n_cpus++] = 0;
}

static bool take(int id, const char *value, struct options *o, struct net_fault *ret_fault)
{
    switch (id) {
    case OPTION_RUN_DIR:
        o->run_dir = value;
        return true;
    case OPTION_STATE_DIR:
        o->state_dir = value;
        return true;
    case OPTION_WORKERS:
        return parse_number("workers", value, 1, WORKERS_MAX, &o->workers, ret_fault);
    case OPTION_IDLE:
        return parse_idle(value, o, ret_fault);
    case OPTION_PROBE:
        return parse_probe(value, o, ret_fault);
    case OPTION_PORT:
        return parse_port(value, o, ret_fault);
    case OPTION_EXCEPTION_NETNS:
        o->exception_netns = value;
        return true;
    case OPTION_MEM:
        return parse_number("mem", value, 64, 1048576, &o->mem_mb, ret_fault);
    case OPTION_CONNS:
        return parse_number("conns", value, 16, OPTIONS_CONNS_MAX, &o->conns, ret_fault);
    case OPTION_TUNNEL_IDLE:
        return parse_number("tunnel-idle", value, 1, OPTIONS_TUNNEL_IDLE_S_MAX, &o->tunnel_idle_s,
                            ret_fault);
    case OPTION_CORES:
        return parse_cores(value, o, ret_fault);
    case OPTION_CRYPTO_CORES:
        return parse_number("crypto-cores", value, 0, OPTIONS_CRYPTO_CORES_MAX, &o->crypto_cores,
                            ret_fault);
    case OPTION_CRYPTO_PROVIDER:
        o->crypto_provider = value;
        return true;
    case OPTION_ACCESS_LOG:
        o->access_log = value;
        return true;
    case OPTION_ACCESS_SAMPLE:
        return parse_number("access-sample", value, 0, OPTIONS_ACCESS_ONE_IN_MAX, &o->access_one_in,
                            ret_fault);
    case OPTION_ACCESS_ERRORS:
        return parse_access_errors(value, o, ret_fault);
    case OPTION_ACCESS_FIELDS:
        return parse_access_fields(value, o, ret_fault);
    case OPTION_HELP:
        o->wants_help = true;
        return true;
    case OPTION_VERSION:
        o->wants_version = true;
        return true;
    default:
        return net_fault_set(ret_fault, "unknown option, or one without its value");
    }
}

/* What must be there when all is read. */
static bool check_whole(const struct options *o, struct net_fault *ret_fault)
{
    if (o->wants_help || o->wants_version)
        return true;
    if (o->run_dir == NULL || o->run_dir[0] == '\0')
        return net_fault_set(ret_fault, "--run-dir is required");
    if (o->state_dir == NULL || o->state_dir[0] == '\0')
        return net_fault_set(ret_fault, "--state-dir is required");
    if (o->access_log != NULL && o->access_log[0] == '\0')
        return net_fault_set(ret_fault, "--access-log: the name of a file");
    if (o->access_one_in == 0 && !o->access_has_errors)
        return net_fault_set(ret_fault, "--access-sample 0 leaves nothing but --access-errors all");
    if (o->n_ports == 0)
        return net_fault_set(ret_fault, "at least one --port is required");
    for (unsigned i = 0; i < o->n_ports; i++) {
        bool has_netns = o->exception_netns != NULL && o->exception_netns[0] != '\0';
        if (o->ports[i].tap[0] != '\0' && !has_netns)
            return net_fault_set(ret_fault, "--port %s: tap= needs --exception-netns",
                                 o->ports[i].name);
    }
    return true;
}

bool options_parse(int argc, char **argv, struct options *ret, struct net_fault *ret_fault)
{
    static const struct option table[] = {
#define X(id, name, value, help)                                                                   \
    {name, (const char *)value != NULL ? required_argument : no_argument, NULL, OPTION_##id},
        OPTIONS_LIST(X)
#undef X
            {NULL, 0, NULL, 0}};
    struct options o = {.workers = 1,
                        .idle = IDLE_ADAPTIVE,
                        .probe = NET_PROBE_ALL,
                        .mem_mb = 512,
                        .conns = 16384,
                        .access_one_in = 1,
                        .access_has_errors = true,
                        .access_fields = access_fields_default()};
    optind = 0; /* a fresh start, also for tests that parse many */
    opterr = 0;
    for (;;) {
        int id = getopt_long(argc, argv, "+", table, NULL);
        if (id < 0)
            break;
        if (id == '?')
            return net_fault_set(ret_fault, "%.100s: unknown, or without its value",
                                 argv[optind - 1]);
        if (!take(id, optarg, &o, ret_fault))
            return false;
    }
    if (optind < argc)
        return net_fault_set(ret_fault, "%.100s: not an option", argv[optind]);
    if (!check_whole(&o, ret_fault))
        return false;
    if (o.n_cpus == 0)
        take_all_cpus(&o);
    *ret = o;
    return true;
}
