/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the impairment link; one table is parser and usage. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define US_PER_MS 1000.0
#define SEED_DEFAULT 1u
#define LOSS_AS_THERE UINT32_MAX /* loss_back was not given */

/* X(name, what a unit of it is, help) */
#define OPTION_LIST(X)                                                                             \
    X(seed, "N", "decides everything (1)")                                                         \
    X(loss, "PERCENT", "frames that vanish")                                                       \
    X(loss_back, "PERCENT", "of those from the second interface to the first (as loss)")           \
    X(duplicate, "PERCENT", "frames that arrive twice")                                            \
    X(corrupt, "PERCENT", "frames with one bit flipped")                                           \
    X(reorder, "PERCENT", "frames that later ones overtake")                                       \
    X(reorder_ms, "MS", "by how much (1)")                                                         \
    X(delay_ms, "MS", "for every frame")                                                           \
    X(jitter_ms, "MS", "added to the delay at random, order kept")                                 \
    X(rate_mbit, "MBIT", "a second; 0: as fast as it goes")                                        \
    X(from_frame, "N", "nothing happens to frames before the n-th")

enum option_id {
    OPTION_NONE = 255, /* above every character */
#define X(name, unit, help) OPTION_##name,
    OPTION_LIST(X)
#undef X
};

static void print_usage(const char *program)
{
    fprintf(stderr, "usage: %s [--option VALUE]... INTERFACE INTERFACE\n", program);
#define X(name, unit, help) fprintf(stderr, "  --%-11s %-8s %s\n", #name, unit, help);
    OPTION_LIST(X)
#undef X
}

static uint32_t ppm(double percent)
{
    return (uint32_t)lround(percent * (IMPAIR_MILLION / 100.0));
}

static void set_option(struct impair_config *c, int option, double value)
{
    switch (option) {
    case OPTION_seed:
        c->seed = (uint64_t)value;
        break;
    case OPTION_loss:
        c->loss_ppm[0] = ppm(value);
        break;
    case OPTION_loss_back:
        c->loss_ppm[1] = ppm(value);
        break;
    case OPTION_duplicate:
        c->duplicate_ppm = ppm(value);
        break;
    case OPTION_corrupt:
        c->corrupt_ppm = ppm(value);
        break;
    case OPTION_reorder:
        c->reorder_ppm = ppm(value);
        break;
    case OPTION_reorder_ms:
        c->reorder_us = (uint32_t)(value * US_PER_MS);
        break;
    case OPTION_delay_ms:
        c->delay_us = (uint32_t)(value * US_PER_MS);
        break;
    case OPTION_jitter_ms:
        c->jitter_us = (uint32_t)(value * US_PER_MS);
        break;
    case OPTION_rate_mbit:
        c->rate_bits_s = (uint64_t)(value * 1e6);
        break;
    case OPTION_from_frame:
        c->from_frame = (uint32_t)value;
        break;
    }
}

static bool is_percent(int option)
{
    return option == OPTION_loss || option == OPTION_loss_back || option == OPTION_duplicate ||
           option == OPTION_corrupt || option == OPTION_reorder;
}

bool impair_options_parse(int argc, char **argv, struct impair_options *ret)
{
    static const struct option table[] = {
#define X(name, unit, help) {#name, required_argument, NULL, OPTION_##name},
        OPTION_LIST(X)
#undef X
            {0}};
    struct impair_options o = {.config = {.seed = SEED_DEFAULT, .reorder_us = 1000}};
    o.config.loss_ppm[1] = LOSS_AS_THERE;
    int option;
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        char *end = NULL;
        errno = 0;
        double value = optarg != NULL ? strtod(optarg, &end) : -1;
        bool is_good = end != NULL && end != optarg && *end == '\0' && errno == 0 && value >= 0 &&
                       value <= (is_percent(option) ? 100.0 : 4e9);
        if (option == '?' || !is_good) {
            if (option != '?')
                fprintf(stderr, "%s: bad value: %s\n", argv[0], optarg);
            print_usage(argv[0]);
            return false;
        }
        set_option(&o.config, option, value);
    }
    if (o.config.loss_ppm[1] == LOSS_AS_THERE)
        o.config.loss_ppm[1] = o.config.loss_ppm[0];
    if (argc - optind != 2) {
        print_usage(argv[0]);
        return false;
    }
    o.interface[0] = argv[optind];
    o.interface[1] = argv[optind + 1];
    *ret = o;
    return true;
}
