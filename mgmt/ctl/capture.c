/* SPDX-License-Identifier: Apache-2.0 */
/* capture: frames as they come from ports and go to them, into a pcapng file that tcpdump and
 * wireshark read. Owner: sluicectl's main; thread: one. */
#include "base/container.h"
#include "ctl/observe.h"
#include "ctl/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct capturer {
    const struct ctl_options *options;
    struct control_observe *request; /* its ports are known when the dataplane has told its names */
    FILE *to;
    unsigned n_ports;
    uint64_t epoch_us;
    uint64_t last_us;
};

static bool parse_protocol(const char *name, uint32_t *ret)
{
    static const struct {
        const char *name;
        uint32_t number;
    } known[] = {{"tcp", IPPROTO_TCP},
                 {"udp", IPPROTO_UDP},
                 {"icmp", IPPROTO_ICMP},
                 {"icmp6", IPPROTO_ICMPV6}};
    if (name == NULL)
        return true;
    for (size_t i = 0; i < array_len(known); i++) {
        if (strcasecmp(name, known[i].name) == 0) {
            *ret = known[i].number;
            return true;
        }
    }
    char *end;
    unsigned long number = strtoul(name, &end, 10);
    if (name[0] < '1' || name[0] > '9' || *end != '\0' || number > UINT8_MAX) {
        fprintf(stderr, "sluicectl: %s: no protocol of IP: tcp, udp, icmp, icmp6 or a number\n",
                name);
        return false;
    }
    *ret = (uint32_t)number;
    return true;
}

/* The file, for its owner's eyes only: frames hold what people said. NULL: said on stderr. */
static FILE *open_file(const char *path)
{
    if (strcmp(path, "-") == 0)
        return stdout;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (to == NULL)
        fprintf(stderr, "sluicectl: %s: %s\n", path, strerror(errno));
    return to;
}

/* --port names a port of this dataplane. */
static bool find_port(const struct control_welcome *w, const char *name, uint32_t *ret_ports)
{
    if (name == NULL)
        return true;
    for (uint32_t i = 0; i < w->n_ports && i < CONTROL_PORTS_MAX; i++) {
        if (strncmp(name, w->port_names[i], CONTROL_PORT_NAME_BYTES) == 0) {
            *ret_ports = 1u << i;
            return true;
        }
    }
    fprintf(stderr, "sluicectl: %s: no port of this box\n", name);
    return false;
}

static bool greet(void *owner, const struct control_welcome *welcome)
{
    struct capturer *c = owner;
    return find_port(welcome, c->options->port, &c->request->ports);
}

static bool begin(void *owner, const struct observe_scene *scene)
{
    struct capturer *c = owner;
    c->epoch_us = scene->epoch_us;
    c->n_ports =
        scene->welcome->n_ports < CONTROL_PORTS_MAX ? scene->welcome->n_ports : CONTROL_PORTS_MAX;
    pcapng_begin(c->to, "sluicectl");
    for (unsigned i = 0; i < c->n_ports; i++) {
        char name[CONTROL_PORT_NAME_BYTES];
        snprintf(name, sizeof(name), "%.*s", (int)sizeof(name) - 1, scene->welcome->port_names[i]);
        pcapng_interface(c->to, name, c->request->snap_bytes);
    }
    fflush(c->to); /* whoever reads along sees that it has begun */
    fprintf(stderr, "capturing for %u s at most; Ctrl-C ends it\n", c->options->seconds);
    return true;
}

static bool on_record(void *owner, const struct observe_record *record)
{
    struct capturer *c = owner;
    const struct observe_frame *f = (const struct observe_frame *)record;
    if (record->type != OBSERVE_RECORD_FRAME || record->bytes < sizeof(*f) ||
        record->bytes < sizeof(*f) + f->captured_bytes || f->port >= c->n_ports ||
        f->captured_bytes > f->frame_bytes)
        return true;
    c->last_us = c->epoch_us + record->time_us;
    pcapng_packet(c->to, &(struct pcapng_packet){.interface = f->port,
                                                 .unix_us = c->last_us,
                                                 .data = f->data,
                                                 .captured_bytes = f->captured_bytes,
                                                 .frame_bytes = f->frame_bytes,
                                                 .is_out = f->is_out != 0});
    if (!ferror(c->to))
        return true;
    fprintf(stderr, "sluicectl: %s: %s\n", c->options->write_to, strerror(errno));
    return false;
}

static void end(void *owner, const struct control_observed *observed)
{
    struct capturer *c = owner;
    for (unsigned i = 0; i < c->n_ports && i < 1; i++) /* they are not told apart by port */
        pcapng_missed(c->to, i, c->last_us, observed->lost);
    fprintf(stderr, "%" PRIu64 " frames of %" PRIu64 ", %" PRIu64 " missed for want of room\n",
            observed->records, observed->looked, observed->lost);
}

enum ctl_exit ctl_capture(const struct ctl_options *o)
{
    struct control_observe request;
    struct capturer c = {.options = o, .request = &request};
    struct observer observer = {
        .greet = greet, .begin = begin, .on_record = on_record, .end = end, .owner = &c};
    if (o->write_to == NULL) {
        fputs("sluicectl: where to? capture wants -w FILE\n", stderr);
        return CTL_USAGE;
    }
    if (!observe_request(o, OBSERVE_CAPTURE, &request) ||
        !parse_protocol(o->protocol, &request.protocol))
        return CTL_USAGE;
    c.to = open_file(o->write_to);
    if (c.to == NULL)
        return CTL_FAILED;
    enum ctl_exit status = observe_run(o, &request, &observer);
    if (fclose(c.to) == 0)
        return status;
    fprintf(stderr, "sluicectl: %s: %s\n", o->write_to, strerror(errno));
    return CTL_FAILED;
}
