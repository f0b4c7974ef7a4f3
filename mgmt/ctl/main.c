/* SPDX-License-Identifier: Apache-2.0 */
/* sluicectl: the command line for what kubectl cannot say, and for boxes without kubectl. Reads
 * options, makes the client, calls the command. */
#include "abi/observe.h"
#include "base/container.h"
#include "ctl/client.h"
#include "ctl/ctl.h"

#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_BYTES_MAX 512u
#define SECONDS_MAX (24u * 3600) /* of one look; whoever wants to look longer looks again */
#define SECONDS_DEFAULT 60u

/* Options without a letter. */
enum {
    OPTION_STATE = 256,
    OPTION_WORKER,
    OPTION_SECONDS,
    OPTION_PACKETS,
    OPTION_BYTES,
    OPTION_SNAP,
    OPTION_PORT,
    OPTION_PROTOCOL,
    OPTION_JSON,
    OPTION_SAMPLE,
    OPTION_ERRORS,
    OPTION_QUERY,
};

static const char usage_text[] =
    "usage: sluicectl [OPTIONS] COMMAND\n"
    "\n"
    "  apply -f FILE                  make the objects be as FILE says (YAML or JSON; - is "
    "standard input)\n"
    "  get KIND [NAME]                show objects        [-n NAMESPACE | -A] [-o json|yaml|name]\n"
    "  delete KIND NAME | -f FILE     delete objects      [--ignore-not-found]\n"
    "  explain [METHOD] URL           who would get this request, and why nobody else; also of\n"
    "                                 tcp://HOST:PORT, udp://HOST:PORT\n"
    "                                 [--address GATEWAY-ADDRESS] [--client ADDRESS]\n"
    "                                 [-H 'Name: value']...\n"
    "  stats                          the dataplane's counters  [--run-dir DIR]\n"
    "  routes [NAMESPACE/NAME...]     requests and times of each route since the start, or of N "
    "seconds\n"
    "                                 [--seconds N] [--json]\n"
    "  flows [MATCH...]               the dataplane's flows     [--state S] [--worker N] [--json]\n"
    "  trace MATCH...                 each segment of these flows, and what was decided\n"
    "                                 [--seconds N] [--worker N] [--packets N]\n"
    "  capture [MATCH...] -w FILE     frames, for tcpdump and wireshark (pcapng; - is standard "
    "output)\n"
    "                                 [--port P] [--protocol P] [--snap N] [--packets N] [--bytes "
    "N] "
    "[--seconds N]\n"
    "  requests [MATCH...]            each request as it ends, as the access log has it\n"
    "                                 [--errors] [--query] [--sample N] [--seconds N] [--worker "
    "N]\n"
    "\n"
    "  MATCH is ADDRESS[/LENGTH][:PORT] of one end of a flow, or two with a comma between them\n"
    "\n"
    "  --server URL       the box, https://host:port      (SLUICE_SERVER)\n"
    "  --token-file FILE  holds the bearer token          (SLUICE_TOKEN_FILE)\n"
    "  --ca-file FILE     whom to trust, PEM              (SLUICE_CA_FILE)\n"
    "  --run-dir DIR      of the dataplane, for stats, routes, flows, trace, capture, requests\n"
    "                                                     (SLUICE_RUN_DIR, /run/sluice)\n";

struct command {
    const char *name;
    enum ctl_exit (*run)(struct client *c, const struct ctl_options *o);
};

/* These ask the dataplane itself. */
static const struct local_command {
    const char *name;
    enum ctl_exit (*run)(const struct ctl_options *o);
} local_commands[] = {
    {"stats", ctl_stats}, {"routes", ctl_routes},   {"flows", ctl_flows},
    {"trace", ctl_trace}, {"capture", ctl_capture}, {"requests", ctl_requests},
};

/* These ask the box over its API. */
static const struct command commands[] = {
    {"apply", ctl_apply},
    {"get", ctl_get},
    {"delete", ctl_delete},
    {"explain", ctl_explain},
};

static enum ctl_exit usage(const char *text)
{
    fprintf(stderr, "sluicectl: %s\n%s", text, usage_text);
    return CTL_USAGE;
}

static const char *env_or(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : otherwise;
}

static bool set_output(struct ctl_options *o, const char *word)
{
    static const char *const words[] = {
        [CTL_TABLE] = "table", [CTL_JSON] = "json", [CTL_YAML] = "yaml", [CTL_NAME] = "name"};
    for (size_t i = 0; i < array_len(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            o->output = (enum ctl_output)i;
            return true;
        }
    }
    return false;
}

/* A number from 1 (or 0, for a worker) to `max`. */
static bool parse_number(const char *text, uint64_t max, uint64_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > max)
        return false;
    *ret = value;
    return true;
}

/* The options of flows, trace, capture and requests that are numbers. */
static bool set_number(struct ctl_options *o, int option, const char *text)
{
    uint64_t value;
    if (!parse_number(text, option == OPTION_WORKER ? 63 : INT64_MAX, &value))
        return false;
    switch (option) {
    case OPTION_WORKER:
        o->worker = (int)value;
        return true;
    case OPTION_SECONDS:
        o->seconds = (unsigned)value;
        o->has_seconds = true;
        return value >= 1 && value <= SECONDS_MAX;
    case OPTION_PACKETS:
        o->packets = value;
        return value >= 1;
    case OPTION_BYTES:
        o->bytes = value;
        return value >= 1;
    case OPTION_SAMPLE:
        o->sample = (unsigned)value;
        return value >= 1 && value <= UINT32_MAX;
    case OPTION_SNAP:
        o->snap_bytes = (unsigned)value;
        return value >= 1 && value <= OBSERVE_SNAP_BYTES_MAX;
    default:
        return false;
    }
}

static bool set_option(struct ctl_options *o, int option, const char *value)
{
    switch (option) {
    case 's':
        o->server = value;
        return true;
    case 't':
        o->token_file = value;
        return true;
    case 'c':
        o->ca_file = value;
        return true;
    case 'r':
        o->run_dir = value;
        return true;
    case 'a':
        o->address = value;
        return true;
    case 'C':
        o->client = value;
        return true;
    case 'n':
        o->namespace = value;
        return true;
    case 'f':
        o->file = value;
        return true;
    case 'A':
        o->all_namespaces = true;
        return true;
    case 'i':
        o->ignore_not_found = true;
        return true;
    case 'o':
        return set_output(o, value);
    case 'H':
        if (o->n_headers == CTL_HEADERS_MAX)
            return false;
        o->headers[o->n_headers++] = value;
        return true;
    case 'w':
        o->write_to = value;
        return true;
    case OPTION_STATE:
        o->state = value;
        return true;
    case OPTION_PORT:
        o->port = value;
        return true;
    case OPTION_PROTOCOL:
        o->protocol = value;
        return true;
    case OPTION_ERRORS:
        o->wants_errors = true;
        return true;
    case OPTION_QUERY:
        o->wants_query = true;
        return true;
    case OPTION_JSON:
        o->output = CTL_JSON;
        return true;
    case '?': /* getopt_long() knows no such option, or it lacks its value */
        return false;
    default:
        return set_number(o, option, value);
    }
}

static bool parse_options(int argc, char **argv, struct ctl_options *o)
{
    static const struct option options[] = {
        {"server", required_argument, NULL, 's'},
        {"token-file", required_argument, NULL, 't'},
        {"ca-file", required_argument, NULL, 'c'},
        {"run-dir", required_argument, NULL, 'r'},
        {"address", required_argument, NULL, 'a'},
        {"client", required_argument, NULL, 'C'},
        {"namespace", required_argument, NULL, 'n'},
        {"filename", required_argument, NULL, 'f'},
        {"all-namespaces", no_argument, NULL, 'A'},
        {"ignore-not-found", no_argument, NULL, 'i'},
        {"output", required_argument, NULL, 'o'},
        {"header", required_argument, NULL, 'H'},
        {"state", required_argument, NULL, OPTION_STATE},
        {"worker", required_argument, NULL, OPTION_WORKER},
        {"seconds", required_argument, NULL, OPTION_SECONDS},
        {"packets", required_argument, NULL, OPTION_PACKETS},
        {"bytes", required_argument, NULL, OPTION_BYTES},
        {"snap", required_argument, NULL, OPTION_SNAP},
        {"port", required_argument, NULL, OPTION_PORT},
        {"protocol", required_argument, NULL, OPTION_PROTOCOL},
        {"json", no_argument, NULL, OPTION_JSON},
        {"sample", required_argument, NULL, OPTION_SAMPLE},
        {"errors", no_argument, NULL, OPTION_ERRORS},
        {"query", no_argument, NULL, OPTION_QUERY},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "n:f:Ao:H:w:", options, NULL)) != -1) {
        if (!set_option(o, option, optarg))
            return false;
    }
    return true;
}

/* Nothing that would end the header field which carries it. */
static bool is_token(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    }
    return true;
}

/* The token of a file, without white space around it. NULL: said on stderr. */
static char *read_token(const char *file)
{
    char *token = calloc(1, TOKEN_BYTES_MAX + 1);
    FILE *f = fopen(file, "re");
    if (token == NULL || f == NULL) {
        fprintf(stderr, "sluicectl: %s: %s\n", file, strerror(errno));
        free(token);
        return NULL;
    }
    size_t n = fread(token, 1, TOKEN_BYTES_MAX, f);
    fclose(f);
    bool is_whole = n < TOKEN_BYTES_MAX;
    while (n > 0 && strchr(" \t\r\n", token[n - 1]) != NULL)
        token[--n] = '\0';
    if (is_whole && n > 0 && is_token(token, n))
        return token;
    fprintf(stderr, "sluicectl: %s: there is no token in it\n", file);
    explicit_bzero(token, TOKEN_BYTES_MAX);
    free(token);
    return NULL;
}

static enum ctl_exit run_command(const struct command *command, const struct ctl_options *o)
{
    struct client *client;
    char *token = NULL;
    if (o->server == NULL)
        return usage("which box? give --server or set SLUICE_SERVER");
    if (o->token_file != NULL && (token = read_token(o->token_file)) == NULL)
        return CTL_FAILED;
    struct client_config config = {.server = o->server, .token = token, .ca_file = o->ca_file};
    int result = client_new(&config, &client);
    if (token != NULL)
        explicit_bzero(token, TOKEN_BYTES_MAX);
    free(token);
    if (result == -EINVAL)
        return usage("the server must be an https:// URL");
    if (result != 0) {
        fprintf(stderr, "sluicectl: %s\n", strerror(-result));
        return CTL_FAILED;
    }
    enum ctl_exit exit_status = command->run(client, o);
    client_free(client);
    return exit_status;
}

int main(int argc, char **argv)
{
    struct ctl_options o = {
        .server = env_or("SLUICE_SERVER", NULL),
        .token_file = env_or("SLUICE_TOKEN_FILE", NULL),
        .ca_file = env_or("SLUICE_CA_FILE", NULL),
        .run_dir = env_or("SLUICE_RUN_DIR", "/run/sluice"),
        .worker = -1,
        .seconds = SECONDS_DEFAULT,
        .sample = 1,
    };
    if (!parse_options(argc, argv, &o))
        return usage("an option is not known or has a wrong value");
    if (optind >= argc)
        return usage("no command given");
    const char *name = argv[optind];
    o.words = argv + optind + 1;
    o.n_words = argc - optind - 1;
    for (size_t i = 0; i < array_len(local_commands); i++) {
        if (strcmp(name, local_commands[i].name) == 0)
            return local_commands[i].run(&o);
    }
    for (size_t i = 0; i < array_len(commands); i++) {
        if (strcmp(name, commands[i].name) == 0) {
            curl_global_init(CURL_GLOBAL_DEFAULT);
            enum ctl_exit exit_status = run_command(&commands[i], &o);
            curl_global_cleanup();
            return exit_status;
        }
    }
    return usage("no such command");
}
