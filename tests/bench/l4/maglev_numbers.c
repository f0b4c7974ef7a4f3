/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures 11 and 12 of the paper about Maglev, of our tables: both of its sizes, 1,000 endpoints.
 *
 * usage: maglev_numbers [FAILED...]   how many endpoints leave at once. Prints, the median of sets
 * of endpoints and the spread, `maglev_over_percent TABLE N SPREAD`, `maglev_under_percent TABLE N
 * SPREAD`, `maglev_disruption_percent TABLE FAILED N SPREAD`, `maglev_fill_ms TABLE N SPREAD`.
 */
#include "base/maglev.h"
#include "maglev_figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SETS 5u

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void tell(double *found)
{
    qsort(found, SETS, sizeof(*found), compare);
    double median = found[SETS / 2];
    printf("%.4f %.3f\n", median, median > 0 ? (found[SETS - 1] - found[0]) / median : 0);
}

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + (double)t.tv_nsec / 1e6;
}

static void tell_balance(uint32_t size)
{
    double over[SETS], under[SETS], took_ms[SETS];
    for (unsigned s = 0; s < SETS; s++) {
        double began = cpu_ms();
        struct figures_balance found = figures_balance(s, size);
        took_ms[s] = cpu_ms() - began;
        over[s] = found.over_percent;
        under[s] = found.under_percent;
    }
    printf("maglev_over_percent %u ", size);
    tell(over);
    printf("maglev_under_percent %u ", size);
    tell(under);
    printf("maglev_fill_ms %u ", size); /* and counting the places, a tenth of it */
    tell(took_ms);
}

static void tell_disruption(uint32_t size, uint32_t failed)
{
    double changed[SETS];
    for (unsigned s = 0; s < SETS; s++)
        changed[s] = figures_disruption(s, size, failed);
    printf("maglev_disruption_percent %u %u ", size, failed);
    tell(changed);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {MAGLEV_PLACES_MAX, FIGURES_PLACES_LARGE};
    for (unsigned i = 0; i < 2; i++) {
        tell_balance(sizes[i]);
        for (int k = 1; k < argc; k++) {
            unsigned long failed = strtoul(argv[k], NULL, 10);
            if (failed == 0 || failed >= FIGURES_NODES)
                return 2;
            tell_disruption(sizes[i], (uint32_t)failed);
        }
    }
    return 0;
}
