/* SPDX-License-Identifier: Apache-2.0 */
/* trace: each segment of chosen flows, and what the stack made of it. Points and their fields come
 * from abi/trace_points.def. Owner: sluicectl's main; thread: one. */
#include "abi/flow.h"
#include "base/container.h"
#include "ctl/match.h"
#include "ctl/observe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FIELD_BYTES 32u

struct tracer {
    const struct ctl_options *options;
    const struct observe_scene *scene;
};

/* "12:34:56.123456" of the day. */
static void print_time(const struct tracer *t, uint64_t time_us)
{
    uint64_t unix_us = t->scene->epoch_us + time_us;
    time_t seconds = (time_t)(unix_us / 1000000);
    struct tm tm;
    char text[16];
    strftime(text, sizeof(text), "%H:%M:%S", localtime_r(&seconds, &tm));
    printf("%s.%06" PRIu64, text, unix_us % 1000000);
}

/* Segment flags as tcpdump has them: [S.], [P.]. */
static void print_segment_flags(uint32_t flags)
{
    static const char letters[] = "FSRP.UEW";
    putchar('[');
    for (unsigned i = 0; letters[i] != '\0'; i++) {
        if (flags & 1u << i)
            putchar(letters[i]);
    }
    putchar(']');
}

static void print_flow_flags(uint32_t flags)
{
    const char *comma = "";
    if (flags == 0)
        putchar('-');
    for (unsigned i = 0; i < FLOW_FLAGS; i++) {
        if ((flags & 1u << i) == 0)
            continue;
        printf("%s%s", comma, flow_flag_name(i));
        comma = ",";
    }
}

static void print_events(uint32_t events)
{
    static const char *const names[] = {"readable", "writable", "closed", "urgent"};
    const char *comma = "";
    for (unsigned i = 0; i < array_len(names); i++) {
        if ((events & 1u << i) == 0)
            continue;
        printf("%s%s", comma, names[i]);
        comma = ",";
    }
    if (comma[0] == '\0')
        fputs("accept", stdout); /* the first call of all */
}

static void print_name(const char *name)
{
    fputs(name != NULL ? name : "?", stdout);
}

/* One number, in the way of the letter behind its name. */
static void print_value(char how, uint32_t value)
{
    switch (how) {
    case 'F':
        print_segment_flags(value);
        break;
    case 'T':
        print_name(flow_state_name(value));
        break;
    case 'K':
        print_name(flow_timer_name(value));
        break;
    case 'L':
        print_flow_flags(value);
        break;
    case 'E':
        print_events(value);
        break;
    default:
        printf("%" PRIu32, value);
    }
}

/* The field that takes all numbers that are left, two by two. */
static void print_pairs(const struct tracer *t, char how, const uint32_t *values, unsigned n)
{
    for (unsigned i = 0; i + 1 < n; i += 2) {
        if (how == 'P')
            printf(" %" PRIu32 "-%" PRIu32, values[i], values[i + 1]);
        else if (values[i] < t->scene->stats->header.n_counters)
            printf(" %s+%" PRIu32, stats_map_name(t->scene->stats, values[i]), values[i + 1]);
    }
}

/* Cuts the next "name/how" off a list of fields. False: it is at its end. */
static bool next_field(const char **fields, char name[FIELD_BYTES], char *ret_how)
{
    size_t len = strcspn(*fields, " ");
    if (len == 0 || len >= FIELD_BYTES)
        return false;
    memcpy(name, *fields, len);
    name[len] = '\0';
    *fields += len + strspn(*fields + len, " ");
    char *slash = strchr(name, '/');
    *ret_how = slash != NULL ? slash[1] : '\0';
    if (slash != NULL)
        *slash = '\0';
    return true;
}

static void print_fields(const struct tracer *t, const struct observe_point *p)
{
    const char *fields = trace_point_fields(p->point);
    char name[FIELD_BYTES];
    char how;
    for (unsigned i = 0; i < p->n_values && next_field(&fields, name, &how); i++) {
        printf("%s%s", name[0] != '\0' ? " " : "", name);
        if (how == 'P' || how == 'C') {
            print_pairs(t, how, p->values + i, p->n_values - i);
            return;
        }
        putchar(' ');
        print_value(how, p->values[i]);
    }
}

static void print_point(const struct tracer *t, const struct observe_point *p)
{
    char local[MATCH_END_TEXT_BYTES];
    char remote[MATCH_END_TEXT_BYTES];
    print_time(t, p->head.time_us);
    printf(" %s - %s %s", match_end_format(&p->local, p->local_port, local),
           match_end_format(&p->remote, p->remote_port, remote), trace_point_name(p->point));
    print_fields(t, p);
    putchar('\n');
}

static bool begin(void *owner, const struct observe_scene *scene)
{
    struct tracer *t = owner;
    t->scene = scene;
    setvbuf(stdout, NULL, _IOLBF, 0); /* it is looked at while it comes */
    fprintf(stderr, "tracing for %u s at most; Ctrl-C ends it\n", t->options->seconds);
    return true;
}

static bool on_record(void *owner, const struct observe_record *record)
{
    const struct observe_point *p = (const struct observe_point *)record;
    if (record->type != OBSERVE_RECORD_POINT || record->bytes < sizeof(*p) ||
        record->bytes < sizeof(*p) + p->n_values * sizeof(p->values[0]) ||
        trace_point_name(p->point) == NULL)
        return true;
    print_point(owner, p);
    return true;
}

static void end(void *owner, const struct control_observed *observed)
{
    fprintf(stderr, "%" PRIu64 " points of %" PRIu64 " steps, %" PRIu64 " lost\n",
            observed->records, observed->looked, observed->lost);
}

enum ctl_exit ctl_trace(const struct ctl_options *o)
{
    struct control_observe request;
    struct tracer tracer = {.options = o};
    struct observer observer = {
        .begin = begin, .on_record = on_record, .end = end, .owner = &tracer};
    if (!observe_request(o, OBSERVE_TRACE, &request))
        return CTL_USAGE;
    if (request.n_matches == 0) {
        fputs("sluicectl: which flow? trace wants a MATCH\n", stderr);
        return CTL_USAGE;
    }
    return observe_run(o, &request, &observer);
}
