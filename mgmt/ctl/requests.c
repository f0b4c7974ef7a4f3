/* SPDX-License-Identifier: Apache-2.0 */
/* requests: each request as it ends, a line of JSON as the access log has it. Owner: sluicectl's
 * main; thread: one. */
#include "ctl/observe.h"

#include <inttypes.h>
#include <stdio.h>

static bool begin(void *owner, const struct observe_scene *scene)
{
    const struct ctl_options *o = owner;
    setvbuf(stdout, NULL, _IOLBF, 0); /* it is looked at while it comes */
    fprintf(stderr, "requests for %u s at most; Ctrl-C ends it\n", o->seconds);
    return true;
}

static bool on_record(void *owner, const struct observe_record *record)
{
    const struct observe_line *l = (const struct observe_line *)record;
    if (record->type == OBSERVE_RECORD_LINE && record->bytes >= sizeof(*l) &&
        l->line_bytes <= record->bytes - sizeof(*l))
        fwrite(l->line, 1, l->line_bytes, stdout);
    return true;
}

static void end(void *owner, const struct control_observed *observed)
{
    fprintf(stderr, "%" PRIu64 " requests, %" PRIu64 " lost\n", observed->records, observed->lost);
}

enum ctl_exit ctl_requests(const struct ctl_options *o)
{
    struct control_observe request;
    struct observer observer = {
        .begin = begin, .on_record = on_record, .end = end, .owner = (void *)(uintptr_t)o};
    if (!observe_request(o, OBSERVE_REQUESTS, &request))
        return CTL_USAGE;
    request.one_in = o->wants_errors ? 0 : o->sample;
    request.wants =
        (o->wants_errors ? OBSERVE_WANTS_ERRORS : 0u) | (o->wants_query ? OBSERVE_WANTS_QUERY : 0u);
    return observe_run(o, &request, &observer);
}
