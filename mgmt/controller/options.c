/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: how the cluster is reached, and which appliances it is mirrored into. */
#include "controller/options.h"

#include "base/container.h"
#include "controller/kubeconfig.h"
#include "controller/options_file.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 86400u

static const char help[] =
    "usage: sluice-controller --kubeconfig F | --in-cluster\n"
    "                         --appliance URL --appliance-ca F --appliance-token-file F ...\n"
    "                         [options]\n"
    "\n"
    "Mirrors a cluster's Gateways, routes and all that they need into one or more appliances.\n"
    "\n"
    "The cluster:\n"
    "  --kubeconfig F              how to reach it (no exec, no passwords)\n"
    "  --context C                 a context of the file; default: its current one\n"
    "  --insecure-cluster          follow insecure-skip-tls-verify of the kubeconfig: anybody on\n"
    "                              the way can then say what is served\n"
    "  --in-cluster                we are a pod: its service account\n"
    "  --cluster NAME              of several clusters that share an appliance: the name of this\n"
    "                              one, put before its namespaces and classes there\n"
    "  --controller-name NAME      the GatewayClasses that are ours (default\n"
    "                              sluice.internal/gateway-controller)\n"
    "  --mesh                      routes whose parent is a Service are ours, too, and Services\n"
    "                              that kube-proxy was told to leave to us; reads Pods\n"
    "  --watch-secrets             Secrets and ConfigMaps that are referred to are watched, by "
    "name,\n"
    "                              and not only read every 10 s: needs the right to watch them\n"
    "\n"
    "The appliances; what follows an --appliance is of that one:\n"
    "  --appliance URL             https://host:port of its API\n"
    "  --appliance-ca F            whom to trust, PEM\n"
    "  --appliance-token-file F    holds the token; read anew when it changes\n"
    "  --appliance-certificate F   or a client certificate, PEM,\n"
    "  --appliance-key F           and its key\n"
    "  --appliance-server-name N   the name in the appliance's certificate, if not URL's host\n"
    "  --appliance-name N          in logs and metrics (default: URL's host and port)\n"
    "  --appliances F              a file that lists them: appliances: [{name, server,\n"
    "                              serverName, caFile, tokenFile, certificateFile, keyFile}]\n"
    "\n"
    "What a list is without (nothing is removed because it could not be asked for):\n"
    "  --hold-count N              a mass is more than N objects of a kind (default 10)\n"
    "  --hold-percent N            and more than N percent of it, or all (default 20)\n"
    "  --hold-mass-seconds N       a mass is removed when a list so much later says the same\n"
    "                              (default 120; SIGUSR1 confirms now)\n"
    "  --hold-few-seconds N        so is what is no mass (default 5)\n"
    "  --watch-idle-seconds N      a watch that tells nothing for so long is made anew (default\n"
    "                              150)\n"
    "\n"
    "Itself:\n"
    "  --lease-namespace NS        where the Lease is (default: the context's or the pod's)\n"
    "  --lease-name NAME           its name (default sluice-controller)\n"
    "  --identity ID               our name in it (default: made of the host's name)\n"
    "  --no-lease                  there is one controller only\n"
    "  --listen ADDR:PORT          metrics and health; none: not served (default [::]:8080)\n"
    "  --help                      this text\n";

enum {
    OPTION_KUBECONFIG = 256,
    OPTION_CONTEXT,
    OPTION_INSECURE_CLUSTER,
    OPTION_IN_CLUSTER,
    OPTION_CLUSTER,
    OPTION_CONTROLLER_NAME,
    OPTION_MESH,
    OPTION_WATCH_SECRETS,
    OPTION_APPLIANCE,
    OPTION_CA,
    OPTION_TOKEN_FILE,
    OPTION_CERTIFICATE,
    OPTION_KEY,
    OPTION_SERVER_NAME,
    OPTION_NAME,
    OPTION_APPLIANCES,
    OPTION_HOLD_COUNT,
    OPTION_HOLD_PERCENT,
    OPTION_HOLD_MASS,
    OPTION_HOLD_FEW,
    OPTION_IDLE,
    OPTION_LEASE_NAMESPACE,
    OPTION_LEASE_NAME,
    OPTION_IDENTITY,
    OPTION_NO_LEASE,
    OPTION_LISTEN,
    OPTION_HELP,
};

static const struct option long_options[] = {
    {"kubeconfig", required_argument, NULL, OPTION_KUBECONFIG},
    {"context", required_argument, NULL, OPTION_CONTEXT},
    {"insecure-cluster", no_argument, NULL, OPTION_INSECURE_CLUSTER},
    {"in-cluster", no_argument, NULL, OPTION_IN_CLUSTER},
    {"cluster", required_argument, NULL, OPTION_CLUSTER},
    {"controller-name", required_argument, NULL, OPTION_CONTROLLER_NAME},
    {"mesh", no_argument, NULL, OPTION_MESH},
    {"watch-secrets", no_argument, NULL, OPTION_WATCH_SECRETS},
    {"appliance", required_argument, NULL, OPTION_APPLIANCE},
    {"appliance-ca", required_argument, NULL, OPTION_CA},
    {"appliance-token-file", required_argument, NULL, OPTION_TOKEN_FILE},
    {"appliance-certificate", required_argument, NULL, OPTION_CERTIFICATE},
    {"appliance-key", required_argument, NULL, OPTION_KEY},
    {"appliance-server-name", required_argument, NULL, OPTION_SERVER_NAME},
    {"appliance-name", required_argument, NULL, OPTION_NAME},
    {"appliances", required_argument, NULL, OPTION_APPLIANCES},
    {"hold-count", required_argument, NULL, OPTION_HOLD_COUNT},
    {"hold-percent", required_argument, NULL, OPTION_HOLD_PERCENT},
    {"hold-mass-seconds", required_argument, NULL, OPTION_HOLD_MASS},
    {"hold-few-seconds", required_argument, NULL, OPTION_HOLD_FEW},
    {"watch-idle-seconds", required_argument, NULL, OPTION_IDLE},
    {"lease-namespace", required_argument, NULL, OPTION_LEASE_NAMESPACE},
    {"lease-name", required_argument, NULL, OPTION_LEASE_NAME},
    {"identity", required_argument, NULL, OPTION_IDENTITY},
    {"no-lease", no_argument, NULL, OPTION_NO_LEASE},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* What is read before anything is opened. */
struct words {
    const char *kubeconfig;
    const char *context;
    bool is_in_cluster;
    bool may_be_insecure;
};

__attribute__((format(printf, 1, 2))) static int complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("sluice-controller: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return -EINVAL;
}

static int take_number(const char *name, const char *text, unsigned max, unsigned *ret)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || value > max)
        return complain("--%s wants a number from 0 to %u, not %s", name, max, text);
    *ret = (unsigned)value;
    return 0;
}

static int take_ms(const char *name, const char *text, unsigned *ret)
{
    int error = take_number(name, text, SECONDS_MAX, ret);
    *ret *= error == 0 ? 1000 : 1;
    return error;
}

/* ---- the appliances ---- */

static int set_text(char **to, const char *text)
{
    free(*to);
    *to = strdup(text);
    return *to != NULL ? 0 : complain("no memory");
}

static int set_file(char **to, const char *name, const char *file)
{
    free(*to);
    *to = NULL;
    int error = kubeconfig_read_file(file, to);
    return error == 0 ? 0 : complain("--%s: %s: %s", name, file, strerror(-error));
}

/* An option of the latest --appliance. */
static int take_of_appliance(struct options *o, int option, const char *name)
{
    if (o->n_appliances == 0)
        return complain("--%s: of which appliance? --appliance URL comes first", name);
    size_t i = o->n_appliances - 1;
    struct kube_access *a = &o->accesses[i];
    switch (option) {
    case OPTION_CA:
        return set_file(&a->ca_pem, name, optarg);
    case OPTION_CERTIFICATE:
        return set_file(&a->certificate_pem, name, optarg);
    case OPTION_KEY:
        return set_file(&a->key_pem, name, optarg);
    case OPTION_TOKEN_FILE:
        return set_text(&a->token_file, optarg);
    case OPTION_SERVER_NAME:
        return set_text(&a->server_name, optarg);
    default:
        return set_text(&o->names[i], optarg);
    }
}

static int add_appliance(struct options *o, const char *server)
{
    if (o->n_appliances == MIRROR_APPLIANCES_MAX)
        return complain("--appliance: more than %u", MIRROR_APPLIANCES_MAX);
    if (strncmp(server, "https://", 8) != 0)
        return complain("--appliance wants an https URL, not %s", server);
    size_t i = o->n_appliances++;
    int error = set_text(&o->accesses[i].server, server);
    return error == 0 ? set_text(&o->names[i], server + 8) : error;
}

/* All that is said of the appliances fits together. */
static int check_appliances(struct options *o)
{
    if (o->n_appliances == 0)
        return complain("no --appliance; see --help");
    for (size_t i = 0; i < o->n_appliances; i++) {
        struct kube_access *a = &o->accesses[i];
        char *token = NULL;
        if ((a->certificate_pem == NULL) != (a->key_pem == NULL))
            return complain("%s: a client certificate and its key: one without the other",
                            o->names[i]);
        if (a->token_file == NULL && a->certificate_pem == NULL)
            return complain("%s: who are we there? --appliance-token-file or"
                            " --appliance-certificate",
                            o->names[i]);
        int error = a->token_file != NULL ? kubeconfig_read_file(a->token_file, &token) : 0;
        if (error != 0)
            return complain("%s: %s: %s", o->names[i], a->token_file, strerror(-error));
        free(token);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(o->names[j], o->names[i]) == 0)
                return complain("%s: two appliances of this name", o->names[i]);
        }
        o->appliances[i] = (struct mirror_appliance){.name = o->names[i], .access = a};
    }
    return 0;
}

/* ---- the cluster ---- */

/* A DNS label, so that it can be a part of one. */
static int check_cluster_name(const char *name)
{
    size_t n = strlen(name);
    bool is_sound = n >= 1 && n <= MIRROR_CLUSTER_BYTES_MAX && name[0] != '-' && name[n - 1] != '-';
    for (size_t i = 0; i < n && is_sound; i++)
        is_sound =
            islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]) || name[i] == '-';
    if (!is_sound)
        return complain("--cluster wants a name of at most %u of a-z, 0-9 and '-', not %s",
                        MIRROR_CLUSTER_BYTES_MAX, name);
    return 0;
}

static int open_cluster(struct options *o, const struct words *w)
{
    char text[KUBE_TEXT_MAX] = "";
    if (w->is_in_cluster == (w->kubeconfig != NULL))
        return complain("either --kubeconfig or --in-cluster; see --help");
    int error = w->is_in_cluster ? kubeconfig_in_cluster(NULL, &o->cluster, text)
                                 : kubeconfig_load(w->kubeconfig, w->context, w->may_be_insecure,
                                                   &o->cluster, text);
    if (error != 0)
        return complain("%s", text);
    if (o->cluster.is_insecure)
        complain("WARNING: the certificate of %s is not verified", o->cluster.server);
    return 0;
}

/* ---- all options ---- */

static int take_hold(struct options *o, int option, const char *name)
{
    switch (option) {
    case OPTION_HOLD_COUNT:
        return take_number(name, optarg, 1000000, &o->hold.count_max);
    case OPTION_HOLD_PERCENT:
        return take_number(name, optarg, 100, &o->hold.percent_max);
    case OPTION_HOLD_MASS:
        return take_ms(name, optarg, &o->hold.mass_ms);
    case OPTION_HOLD_FEW:
        return take_ms(name, optarg, &o->hold.few_ms);
    default:
        return take_ms(name, optarg, &o->idle_ms_max);
    }
}

/* Options that are a text or a flag. False: it is none of these. */
static bool take_plain(struct options *o, struct words *w, int option)
{
    switch (option) {
    case OPTION_KUBECONFIG:
        w->kubeconfig = optarg;
        return true;
    case OPTION_CONTEXT:
        w->context = optarg;
        return true;
    case OPTION_INSECURE_CLUSTER:
        w->may_be_insecure = true;
        return true;
    case OPTION_IN_CLUSTER:
        w->is_in_cluster = true;
        return true;
    case OPTION_CONTROLLER_NAME:
        o->controller_name = optarg;
        return true;
    case OPTION_MESH:
        o->has_mesh = true;
        return true;
    case OPTION_WATCH_SECRETS:
        o->watches_named = true;
        return true;
    case OPTION_LEASE_NAMESPACE:
        o->lease_namespace = optarg;
        return true;
    case OPTION_LEASE_NAME:
        o->lease_name = optarg;
        return true;
    case OPTION_IDENTITY:
        o->identity = optarg;
        return true;
    case OPTION_NO_LEASE:
        o->has_lease = false;
        return true;
    case OPTION_LISTEN:
        o->listen = optarg;
        return true;
    default:
        return false;
    }
}

/* One option. 0, 1 or -EINVAL, as options_parse(). */
static int take(struct options *o, struct words *w, int option, const char *name)
{
    if (take_plain(o, w, option))
        return 0;
    switch (option) {
    case OPTION_CLUSTER:
        o->cluster_name = optarg;
        return check_cluster_name(optarg);
    case OPTION_APPLIANCE:
        return add_appliance(o, optarg);
    case OPTION_APPLIANCES:
        return options_file_read(optarg, o);
    case OPTION_CA:
    case OPTION_CERTIFICATE:
    case OPTION_KEY:
    case OPTION_TOKEN_FILE:
    case OPTION_SERVER_NAME:
    case OPTION_NAME:
        return take_of_appliance(o, option, name);
    case OPTION_HOLD_COUNT:
    case OPTION_HOLD_PERCENT:
    case OPTION_HOLD_MASS:
    case OPTION_HOLD_FEW:
    case OPTION_IDLE:
        return take_hold(o, option, name);
    case OPTION_HELP:
        fputs(help, stdout);
        return 1;
    default:
        return -EINVAL; /* getopt has said why */
    }
}

int options_parse(int argc, char **argv, struct options *ret)
{
    struct words w = {0};
    int option;
    int at = 0;
    *ret = (struct options){
        .controller_name = OPTIONS_CONTROLLER_NAME,
        .hold = {.is_on = true,
                 .count_max = SOURCE_HOLD_COUNT_DEFAULT,
                 .percent_max = SOURCE_HOLD_PERCENT_DEFAULT,
                 .mass_ms = SOURCE_HOLD_MASS_MS_DEFAULT,
                 .few_ms = SOURCE_HOLD_FEW_MS_DEFAULT},
        .has_lease = true,
        .lease_name = OPTIONS_LEASE_NAME,
        .listen = OPTIONS_LISTEN,
    };
    while ((option = getopt_long(argc, argv, "", long_options, &at)) != -1) {
        int result = take(ret, &w, option, option == '?' ? "" : long_options[at].name);
        if (result != 0)
            return result;
    }
    if (optind < argc)
        return complain("what is %s?", argv[optind]);
    int error = check_appliances(ret);
    return error == 0 ? open_cluster(ret, &w) : error;
}

void options_free(struct options *o)
{
    kube_access_free(&o->cluster);
    for (size_t i = 0; i < MIRROR_APPLIANCES_MAX; i++) {
        kube_access_free(&o->accesses[i]);
        free(o->names[i]);
        o->names[i] = NULL;
    }
}
