/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The impairment link: carries frames between two interfaces and loses, duplicates, corrupts,
 * reorders, delays and slows them by a seed (decide.h). It stands where netem would, on kernels
 * that have none. IPv4, IPv6, ARP: a frame is a frame.
 *
 * Prints "ready" when it carries; on INT or TERM it ends and prints what it did as `name value`
 * lines. Thread: one. Bound: IMPAIR_QUEUE_FRAMES frames wait in each direction.
 */
#include "link.h"
#include "options.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define IDLE_WAIT_MS 200

struct direction {
    struct impair_end *from;
    struct impair_end *to;
    struct impair_queue queue;
    unsigned index;
    uint64_t line_free_us; /* when the rate limit lets the next frame out */
    uint64_t due_last_us;  /* of the last frame in order: jitter may not overtake it */
    uint64_t n_frames;
    uint64_t n_lost;
    uint64_t n_duplicated;
    uint64_t n_corrupted;
    uint64_t n_reordered;
    uint64_t n_queue_full;
};

static volatile sig_atomic_t is_ending;

static void on_signal(int number)
{
    is_ending = number;
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* When the frame leaves the line: after those before it (rate), then the delay of the way. */
static uint64_t due_time(struct direction *d, const struct impair_config *c,
                         const struct impair_verdict *v, uint32_t length, uint64_t now)
{
    uint64_t leaves = now;
    if (c->rate_bits_s > 0) {
        leaves = d->line_free_us > now ? d->line_free_us : now;
        leaves += (uint64_t)length * 8u * 1000000u / c->rate_bits_s;
        d->line_free_us = leaves;
    }
    uint64_t due = leaves + v->delay_us;
    if (v->is_reordered)
        return due + c->reorder_us;
    if (due < d->due_last_us)
        due = d->due_last_us;
    d->due_last_us = due;
    return due;
}

static void enqueue(struct direction *d, const struct impair_verdict *v, const struct impair_rx *rx,
                    uint64_t due)
{
    struct impair_frame *f = impair_queue_spare(&d->queue);
    if (f == NULL) {
        d->n_queue_full++;
        return;
    }
    memcpy(f->bytes, rx->bytes, rx->length);
    f->length = rx->length;
    if (v->is_corrupted)
        impair_corrupt(v, f->bytes, f->length);
    impair_queue_push(&d->queue, due);
}

static void take_frame(struct direction *d, const struct impair_config *c,
                       const struct impair_rx *rx, uint64_t now)
{
    struct impair_verdict v = impair_decide(c, d->index, d->n_frames++);
    uint64_t due = due_time(d, c, &v, rx->length, now);
    d->n_lost += v.is_lost;
    if (v.is_lost)
        return;
    d->n_corrupted += v.is_corrupted;
    d->n_reordered += v.is_reordered;
    d->n_duplicated += v.is_duplicated;
    enqueue(d, &v, rx, due);
    if (v.is_duplicated)
        enqueue(d, &v, rx, due);
}

/* One round of a direction: takes what came, sends what is due. Returns false when the interface is
 * gone. */
static bool carry(struct direction *d, const struct impair_config *c)
{
    struct impair_rx received[IMPAIR_BURST];
    int n = impair_end_receive(d->from, received);
    if (n < 0) {
        fprintf(stderr, "impair: receive: %s\n", strerror(-n));
        return false;
    }
    uint64_t now = now_us();
    for (int i = 0; i < n; i++)
        take_frame(d, c, &received[i], now);
    const struct impair_frame *due[IMPAIR_BURST];
    uint32_t n_due;
    while ((n_due = impair_queue_take_due(&d->queue, now, due, IMPAIR_BURST)) > 0)
        impair_end_send(d->to, due, n_due);
    return true;
}

/* Waits for a frame or for the time of the one that is due first. */
static void wait_for_work(struct impair_end ends[2], const struct direction directions[2])
{
    struct pollfd fds[2] = {{.fd = ends[0].fd, .events = POLLIN},
                            {.fd = ends[1].fd, .events = POLLIN}};
    struct timespec wait = {.tv_nsec = IDLE_WAIT_MS * 1000000L};
    uint64_t now = now_us();
    for (unsigned i = 0; i < 2; i++) {
        const struct impair_frame *first = impair_queue_peek(&directions[i].queue);
        if (first == NULL)
            continue;
        long ns = first->due_us > now ? (long)(first->due_us - now) * 1000L : 0;
        if (ns < wait.tv_nsec)
            wait.tv_nsec = ns;
    }
    ppoll(fds, 2, &wait, NULL);
}

static void print_counts(const struct direction *d)
{
    static const char *const names[2] = {"there", "back"};
    const char *name = names[d->index];
    printf("%s_frames %lu\n%s_lost %lu\n%s_duplicated %lu\n", name, d->n_frames, name, d->n_lost,
           name, d->n_duplicated);
    printf("%s_corrupted %lu\n%s_reordered %lu\n%s_queue_full %lu\n", name, d->n_corrupted, name,
           d->n_reordered, name, d->n_queue_full);
    printf("%s_sent %lu\n%s_send_failed %lu\n%s_oversize %lu\n", name, d->to->n_sent, name,
           d->to->n_send_failed, name, d->from->n_oversize);
}

static int run(const struct impair_options *o, struct impair_end ends[2],
               struct direction directions[2])
{
    for (unsigned i = 0; i < 2; i++) {
        int fault = impair_end_open(&ends[i], o->interface[i]);
        if (fault != 0) {
            fprintf(stderr, "impair: %s: %s\n", o->interface[i], strerror(-fault));
            return 1;
        }
        directions[i] = (struct direction){.from = &ends[i], .to = &ends[1 - i], .index = i};
        if (!impair_queue_init(&directions[i].queue)) {
            fprintf(stderr, "impair: no memory\n");
            return 1;
        }
    }
    printf("ready\n");
    fflush(stdout);
    while (!is_ending && carry(&directions[0], &o->config) && carry(&directions[1], &o->config))
        wait_for_work(ends, directions);
    for (unsigned i = 0; i < 2; i++)
        print_counts(&directions[i]);
    return is_ending ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct impair_options options;
    if (!impair_options_parse(argc, argv, &options))
        return 2;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct impair_end ends[2] = {{.fd = -1}, {.fd = -1}};
    struct direction directions[2] = {0};
    int status = run(&options, ends, directions);
    for (unsigned i = 0; i < 2; i++) {
        impair_end_close(&ends[i]);
        impair_queue_done(&directions[i].queue);
    }
    return status;
}
