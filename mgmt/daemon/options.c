/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, and its help. */
#include "daemon/options.h"

#include "cert/system_cas.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: sluice-mgmtd --run-dir DIR --state-dir DIR [options]\n"
    "\n"
    "The management plane of a Sluice appliance.\n"
    "\n"
    "  --run-dir DIR               where the dataplane's socket is\n"
    "  --state-dir DIR             where everything that must last is kept\n"
    "  --listen ADDR:PORT          where the API is served ([ADDR]:PORT for IPv6; default "
    "[::]:8443)\n"
    "  --bootstrap-token-file F    first boot: take the token from F, or write it to F (mode "
    "0600)\n"
    "  --controller-name NAME      the GatewayClasses that are ours\n"
    "  --system-ca FILE            well-known CA certificates, for backends (default\n"
    "                              /etc/ssl/certs/ca-certificates.crt)\n"
    "  --resolver ADDR[:PORT]      a name server for the names of Backends ([ADDR]:PORT for "
    "IPv6);\n"
    "                              up to 3 times (default: those of /etc/resolv.conf)\n"
    "  --bird-config FILE          BIRD's configuration, written from BgpPeers (default: none)\n"
    "  --bird-socket FILE          BIRD's control socket (default /run/bird/bird.ctl)\n"
    "  --keepalived-config FILE    keepalived's, written from VirtualRouters (default: none)\n"
    "  --keepalived-pid FILE       its number (default /run/keepalived.pid)\n"
    "  --foreground                accepted; it always stays in the foreground\n"
    "  --help                      this text\n";

/* "192.0.2.1:8443", "[2001:db8::1]:8443", ":8443". */
static bool parse_place(const char *text, struct ip_addr *ret_addr, uint16_t *ret_port)
{
    char addr[IP_ADDR_TEXT_MAX + 2];
    const char *colon = strrchr(text, ':');
    char *end = NULL;
    if (colon == NULL || (size_t)(colon - text) >= sizeof(addr) || colon[1] == '\0')
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    memcpy(addr, text, (size_t)(colon - text));
    addr[colon - text] = '\0';
    size_t len = strlen(addr);
    if (len == 0)
        return true;
    bool is_bracketed = addr[0] == '[' && addr[len - 1] == ']';
    if (is_bracketed)
        addr[len - 1] = '\0';
    return ip_addr_parse(is_bracketed ? addr + 1 : addr, ret_addr);
}

/* Adds a name server to the list as resolve has it. */
static bool add_resolver(const char *text, struct options *o)
{
    struct ip_addr addr = {0};
    uint16_t port = 0;
    size_t len = strlen(o->resolvers);
    bool is_bare = ip_addr_parse(text, &addr);
    if (!is_bare && (!parse_place(text, &addr, &port) || ip_addr_is_zero(&addr) || port == 0))
        return false;
    bool is_bracketed = is_bare && !ip_addr_is_v4(&addr);
    int n = snprintf(o->resolvers + len, sizeof(o->resolvers) - len, "%s%s%s%s", len > 0 ? "," : "",
                     is_bracketed ? "[" : "", text, is_bracketed ? "]" : "");
    return ++o->n_resolvers <= OPTIONS_RESOLVERS_MAX && (size_t)n < sizeof(o->resolvers) - len;
}

static const struct option long_options[] = {
    {"run-dir", required_argument, NULL, 'r'},
    {"state-dir", required_argument, NULL, 's'},
    {"listen", required_argument, NULL, 'l'},
    {"bootstrap-token-file", required_argument, NULL, 'b'},
    {"controller-name", required_argument, NULL, 'c'},
    {"system-ca", required_argument, NULL, 'a'},
    {"resolver", required_argument, NULL, 'n'},
    {"bird-config", required_argument, NULL, 'B'},
    {"bird-socket", required_argument, NULL, 'S'},
    {"keepalived-config", required_argument, NULL, 'K'},
    {"keepalived-pid", required_argument, NULL, 'P'},
    {"foreground", no_argument, NULL, 'f'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* One option. 0, 1 or -EINVAL, as options_parse(). */
static int take(int option, struct options *o)
{
    switch (option) {
    case 'r':
        o->run_dir = optarg;
        return 0;
    case 's':
        o->state_dir = optarg;
        return 0;
    case 'b':
        o->bootstrap_token_file = optarg;
        return 0;
    case 'c':
        o->controller_name = optarg;
        return 0;
    case 'a':
        o->system_ca = optarg;
        return 0;
    case 'B':
        o->bird_config = optarg;
        return 0;
    case 'S':
        o->bird_socket = optarg;
        return 0;
    case 'K':
        o->keepalived_config = optarg;
        return 0;
    case 'P':
        o->keepalived_pid = optarg;
        return 0;
    case 'f':
        return 0;
    case 'l':
        if (parse_place(optarg, &o->listen_addr, &o->listen_port))
            return 0;
        fprintf(stderr, "sluice-mgmtd: --listen wants ADDR:PORT, not %s\n", optarg);
        return -EINVAL;
    case 'n':
        if (add_resolver(optarg, o))
            return 0;
        fprintf(stderr, "sluice-mgmtd: --resolver wants ADDR or ADDR:PORT, %u at most, not %s\n",
                OPTIONS_RESOLVERS_MAX, optarg);
        return -EINVAL;
    case 'h':
        fputs(help, stdout);
        return 1;
    default:
        return -EINVAL; /* getopt has said why */
    }
}

int options_parse(int argc, char **argv, struct options *ret)
{
    struct options o = {.listen_port = OPTIONS_PORT_DEFAULT,
                        .system_ca = SYSTEM_CAS_PATH,
                        .bird_socket = OPTIONS_BIRD_SOCKET_DEFAULT,
                        .keepalived_pid = OPTIONS_KEEPALIVED_PID_DEFAULT};
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        int result = take(option, &o);
        if (result != 0)
            return result;
    }
    if (optind < argc) {
        fprintf(stderr, "sluice-mgmtd: what is %s?\n", argv[optind]);
        return -EINVAL;
    }
    if (o.run_dir == NULL || o.state_dir == NULL) {
        fprintf(stderr, "sluice-mgmtd: --run-dir and --state-dir are needed; see --help\n");
        return -EINVAL;
    }
    *ret = o;
    return 0;
}
