/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What keepalived tells of its virtual routers: lines in a FIFO of the run directory (its
 * vrrp_notify_fifo), `INSTANCE "v4-51" MASTER 100`. One that ends in good order says STOP; one that
 * is gone without a word for VRRP_SILENCE_MS_MAX says nothing, so this box is no master. Thread:
 * housekeeping's.
 */
#include "housekeeping_priv.h"

#include "core/masters.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool housekeeping_vrrp_begin(struct housekeeping *h, const char *run_dir, struct masters *masters)
{
    char path[300];
    h->vrrp = (struct vrrp_ear){.fd = -1};
    if (masters == NULL)
        return true;
    snprintf(path, sizeof(path), "%s/" VRRP_FIFO_NAME, run_dir);
    if (mkfifo(path, 0600) != 0 && errno != EEXIST)
        return false;
    h->vrrp.masters = masters;
    h->vrrp.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    return h->vrrp.fd >= 0;
}

/* Sets it, and tells the operator if it is news. */
static void set(struct housekeeping *h, uint8_t router, bool is_v4, bool is_master)
{
    struct masters *m = h->vrrp.masters;
    if (masters_has(m, router, is_v4) == is_master)
        return;
    masters_set(m, router, is_v4, is_master);
    housekeeping_count(h, STAT_core_vrrp_changes);
    int delta = is_master ? 1 : -1;
    h->stats->counters[STAT_core_vrrp_masters_now] += (uint64_t)delta;
    housekeeping_report("VRRP: %s of virtual router %u (IPv%c)",
                        is_master ? "master" : "no longer the master", router, is_v4 ? '4' : '6');
}

static void on_line(struct housekeeping *h, const char *line)
{
    unsigned family;
    unsigned router;
    char state[32];
    bool is_ours = sscanf(line, "INSTANCE \"v%1u-%3u\" %31s", &family, &router, state) == 3 &&
                   (family == 4 || family == 6) && router > 0 && router < 256;
    if (is_ours)
        set(h, (uint8_t)router, family == 4, strncmp(state, "MASTER", 6) == 0);
}

static void take_lines(struct vrrp_ear *ear, struct housekeeping *h)
{
    char *newline;
    while ((newline = memchr(ear->bytes, '\n', ear->n_bytes)) != NULL) {
        size_t len = (size_t)(newline - ear->bytes) + 1;
        *newline = '\0';
        on_line(h, ear->bytes);
        ear->n_bytes -= len;
        memmove(ear->bytes, newline + 1, ear->n_bytes);
    }
    if (ear->n_bytes == sizeof(ear->bytes))
        ear->n_bytes = 0; /* no line of keepalived's */
}

/* Nobody has the other end open. keepalived lets go of it for a moment when it reads its
 * configuration again, and does not repeat what it told before. */
static void on_silence(struct housekeeping *h)
{
    struct vrrp_ear *ear = &h->vrrp;
    if (!ear->has_speaker)
        return;
    if (ear->silent_ms == 0)
        ear->silent_ms = housekeeping_now_ms();
    if (housekeeping_now_ms() - ear->silent_ms < VRRP_SILENCE_MS_MAX)
        return;
    *ear = (struct vrrp_ear){.masters = ear->masters, .fd = ear->fd};
    for (unsigned router = 1; router < 256; router++) {
        set(h, (uint8_t)router, true, false);
        set(h, (uint8_t)router, false, false);
    }
}

void housekeeping_vrrp_listen(struct housekeeping *h)
{
    struct vrrp_ear *ear = &h->vrrp;
    if (ear->masters == NULL)
        return;
    for (unsigned i = 0; i < VRRP_READS_PER_POLL; i++) {
        ssize_t n = read(ear->fd, ear->bytes + ear->n_bytes, sizeof(ear->bytes) - ear->n_bytes);
        if (n < 0 && errno != EAGAIN)
            return;
        if (n < 0) {
            ear->has_speaker = true;
            ear->silent_ms = 0;
            return;
        }
        if (n == 0) {
            on_silence(h);
            return;
        }
        ear->has_speaker = true;
        ear->silent_ms = 0;
        ear->n_bytes += (size_t)n;
        take_lines(ear, h);
    }
}

void housekeeping_vrrp_end(struct housekeeping *h)
{
    if (h->vrrp.masters != NULL && h->vrrp.fd >= 0)
        close(h->vrrp.fd);
}
