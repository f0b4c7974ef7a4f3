/* SPDX-License-Identifier: Apache-2.0 */
/* The date in the one form that HTTP generates. Pure arithmetic: no clock, no locale. */
#include "http/http_env.h"

#include "base/assert.h"

#include <stdio.h>

/* Days since 1970 to year, month, day (H. Hinnant, "chrono-compatible low-level date algorithms",
 * 2013): years begin in March, so that the leap day is the last one. */
static void civil_from_days(uint64_t days, unsigned *ret_year, unsigned *ret_month,
                            unsigned *ret_day)
{
    uint64_t z = days + 719468;
    unsigned era = (unsigned)(z / 146097);
    unsigned doe = (unsigned)(z % 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    unsigned mp = (5 * doy + 2) / 153;
    *ret_day = doy - (153 * mp + 2) / 5 + 1;
    *ret_month = mp < 10 ? mp + 3 : mp - 9;
    *ret_year = era * 400 + yoe + (*ret_month <= 2 ? 1 : 0);
}

void http_env_set_time(struct http_env *env, uint64_t unix_s)
{
    static const char days[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    unsigned year;
    unsigned month;
    unsigned day;
    ASSERT(unix_s < 253402300800u); /* year 10000 */
    civil_from_days(unix_s / 86400, &year, &month, &day);
    unsigned s = (unsigned)(unix_s % 86400);
    int n = snprintf(env->date, sizeof(env->date), "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
                     days + unix_s / 86400 % 7 * 3, day, months + (month - 1) * 3, year, s / 3600,
                     s / 60 % 60, s % 60);
    ASSERT(n == (int)HTTP_DATE_BYTES - 1);
}
