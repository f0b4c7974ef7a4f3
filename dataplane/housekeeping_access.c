/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access log: an observation of requests that housekeeping itself makes, on all workers, from
 * its start to its end. The workers' records become lines here, because here are the images with
 * the names; the lines go to the file's thread (access/access_file.h), which may wait for the disk.
 *
 * An image goes only when all that was told of it has been written down: a worker tells before it
 * lets go of the image, so who sees it let go sees the record too.
 *
 * Others who look at requests (sluicectl requests) get lines too.
 *
 * Thread: housekeeping's. Bound: a ring for each worker, then the file's buffer; what does not fit
 * is counted.
 */
#include "access/access_line.h"
#include "base/assert.h"
#include "housekeeping_priv.h"
#include "obs/hub.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool housekeeping_access_begin(struct housekeeping *h, const struct housekeeping_access *config)
{
    struct access_log *log = &h->access;
    if (config->file == NULL)
        return true;
    ASSERT(h->obs != NULL && config->fields != 0 && (config->one_in > 0 || config->has_errors));
    bool has_query = (config->fields >> ACCESS_FIELD_query & 1) != 0;
    struct control_observe request = {
        .kind = OBSERVE_REQUESTS,
        .workers = UINT64_MAX,
        .records_max = UINT64_MAX,
        .bytes_max = UINT64_MAX,
        .ms_max = UINT32_MAX,
        .one_in = config->one_in,
        .wants = (config->has_errors ? OBSERVE_WANTS_ERRORS : 0u) |
                 (has_query ? OBSERVE_WANTS_QUERY : 0u),
    };
    log->file = access_file_open(config->file);
    if (log->file == NULL)
        return false;
    bool is_begun = obs_hub_begin(h->obs, &request, &log->slot);
    ASSERT(is_begun); /* nobody else has asked yet */
    log->fields = config->fields;
    snprintf(log->path, sizeof(log->path), "%s", config->file);
    return true;
}

/* With the names of the record's image. */
static size_t make_line(const struct housekeeping *h, const struct access_record *r,
                        uint64_t epoch_us, uint64_t fields, char line[ACCESS_LINE_BYTES_MAX])
{
    const struct generation *g = generation_find(h->generations, r->generation);
    return access_line_write(r, g != NULL ? generation_view(g) : NULL, epoch_us, fields, line);
}

const struct observe_record *housekeeping_access_line(const struct housekeeping *h,
                                                      const struct observe_record *record,
                                                      bool wants_query,
                                                      struct access_line_room *room)
{
    struct observe_line *l = &room->line;
    ASSERT(record->type == OBSERVE_RECORD_REQUEST);
    uint64_t query = wants_query ? 1ull << ACCESS_FIELD_query : 0;
    size_t len = make_line(h, (const struct access_record *)record, housekeeping_epoch_us(h),
                           access_fields_default() | query, l->line);
    l->head = *record;
    l->head.type = OBSERVE_RECORD_LINE;
    l->head.bytes = (uint16_t)((sizeof(*l) + len + 7) & ~(size_t)7);
    l->line_bytes = (uint32_t)len;
    l->reserved = 0;
    return &l->head;
}

static void write_line(struct housekeeping *h, const struct access_record *r, uint64_t epoch_us)
{
    char line[ACCESS_LINE_BYTES_MAX];
    size_t len = make_line(h, r, epoch_us, h->access.fields, line);
    bool is_taken = access_file_put(h->access.file, line, len);
    housekeeping_count(h, is_taken ? STAT_core_access_lines : STAT_core_access_lost_file);
}

void housekeeping_access_write(struct housekeeping *h, unsigned lines_max)
{
    struct access_log *log = &h->access;
    if (log->file == NULL)
        return;
    uint64_t epoch_us = housekeeping_epoch_us(h);
    for (unsigned n = 0; n < lines_max; n++) {
        const struct observe_record *record = obs_hub_peek(h->obs, log->slot);
        if (record == NULL)
            return;
        ASSERT(record->type == OBSERVE_RECORD_REQUEST);
        write_line(h, (const struct access_record *)record, epoch_us);
        obs_hub_drop(h->obs, log->slot, record);
    }
}

void housekeeping_access_catch_up(struct housekeeping *h)
{
    unsigned in_a_ring = OBS_RING_BYTES_MAX / sizeof(struct access_record);
    housekeeping_access_write(h, h->workers * in_a_ring);
}

void housekeeping_access_follow(struct housekeeping *h)
{
    struct access_log *log = &h->access;
    struct control_observed totals;
    if (log->file == NULL)
        return;
    uint64_t now_ms = housekeeping_now_ms();
    uint64_t *counters = h->stats->counters;
    int fault = access_file_fault(log->file, &counters[STAT_core_access_faults]);
    obs_hub_totals(h->obs, log->slot, &totals);
    counters[STAT_core_access_lost_ring] = totals.lost;
    if (fault == 0 || (log->told_ms != 0 && now_ms - log->told_ms < ACCESS_TELL_MS))
        return;
    log->told_ms = now_ms;
    housekeeping_report("the access log %s cannot be written: %s", log->path, strerror(fault));
}

void housekeeping_access_end(struct housekeeping *h)
{
    struct access_log *log = &h->access;
    if (log->file == NULL)
        return;
    housekeeping_access_catch_up(h);
    housekeeping_access_follow(h);
    obs_hub_release(h->obs, log->slot);
    access_file_close(log->file);
    *log = (struct access_log){.file = NULL};
}
