/* SPDX-License-Identifier: Apache-2.0 */
/*
 * play SCRIPT|FOLDER...: plays scripts, each in its variants, and ends in "N passed, N failed". A
 * folder stands for all scripts below it.
 *
 * A NAME.fault is a script that must fail: its first line says, behind "# ", what must be told of
 * it. They prove that the player sees what is wrong.
 */
#include "base/assert.h"
#include "base/container.h"
#include "player.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATHS_MAX 2000u

static char *paths[PATHS_MAX];
static unsigned n_paths;

static const struct script_settings defaults = {
    .rx_window_bytes = 65535,
    .tx_buffer_bytes = 1 << 20,
    .conns_max = 64,
    .timewaits_max = 16,
    .half_open_max = 32,
    .mbufs = 8191,
    .mtu = 1500,
};

#define START_US 1000000000ull

/* How far before the wrap the stack's first number lies: in the first bytes, in the first windows;
 * 0: wherever it lies. */
static const struct {
    const char *name;
    uint32_t before;
    uint32_t peer_iss;
    uint32_t ts_shift;
} wraps[] = {
    {"", 0, 1000000, 0},
    {", wraps at once", 1, UINT32_MAX, UINT32_MAX - 40},
    {", wraps soon", 5000, UINT32_MAX - 700, UINT32_MAX - 3000},
};

/* The start at which the clock of sequence numbers (RFC 6528: one in 4 us) gives the number wanted:
 * at most 250 lower, so that milliseconds stay whole. */
static uint64_t start_for(uint32_t iss, uint32_t before)
{
    if (before == 0 || iss == 0)
        return START_US;
    uint32_t missing = UINT32_MAX - before - iss;
    return START_US + (uint64_t)(missing / 250) * 1000;
}

static bool play_family(const struct script *script, bool is_v6)
{
    uint32_t iss = 0;
    for (unsigned i = 0; i < array_len(wraps); i++) {
        char name[40];
        uint32_t seen = 0;
        snprintf(name, sizeof(name), "%s%s", is_v6 ? "IPv6" : "IPv4", wraps[i].name);
        struct variant v = {.name = name,
                            .is_v6 = is_v6,
                            .peer_iss = wraps[i].peer_iss,
                            .ts_shift = wraps[i].ts_shift,
                            .start_us = start_for(iss, wraps[i].before)};
        if (!player_run(script, &v, &seen))
            return false;
        if (i == 0)
            iss = seen;
    }
    return true;
}

static bool play(const char *path)
{
    static struct script script;
    script.settings = defaults;
    if (!script_read(path, &script))
        return false;
    return (script.is_only_v6 || play_family(&script, false)) &&
           (script.is_only_v4 || play_family(&script, true));
}

static bool ends_in(const char *path, const char *end)
{
    size_t len = strlen(path);
    return len > strlen(end) && strcmp(path + len - strlen(end), end) == 0;
}

/* The first line without "# ". False: there is none. */
static bool first_comment(const char *path, char *ret, size_t bytes)
{
    FILE *f = fopen(path, "r");
    bool is_read = f != NULL && fgets(ret, (int)bytes, f) != NULL && strncmp(ret, "# ", 2) == 0;
    if (f != NULL)
        fclose(f);
    if (!is_read)
        return false;
    ret[strcspn(ret, "\n")] = '\0';
    memmove(ret, ret + 2, strlen(ret + 2) + 1);
    return true;
}

/* It must fail, and for the reason that it gives. */
static bool play_fault(const char *path)
{
    char wanted[SCRIPT_TEXT_MAX];
    char *told = NULL;
    size_t bytes = 0;
    if (!first_comment(path, wanted, sizeof(wanted)))
        return false;
    script_errors = open_memstream(&told, &bytes);
    ASSERT(script_errors != NULL);
    bool is_played = play(path);
    fclose(script_errors);
    script_errors = stderr;
    bool is_told = strstr(told, wanted) != NULL;
    if (is_played || !is_told)
        fprintf(stderr, "%s: wanted was: %s\ntold was: %s\n", path, wanted, told);
    free(told);
    return !is_played && is_told;
}

static int note(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    if (type == FTW_F && (ends_in(path, ".script") || ends_in(path, ".fault"))) {
        ASSERT(n_paths < PATHS_MAX);
        paths[n_paths++] = strdup(path);
    }
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    unsigned failed = 0;
    script_errors = stderr;
    for (int i = 1; i < argc; i++) {
        if (nftw(argv[i], note, 16, FTW_PHYS) != 0) {
            perror(argv[i]);
            return 2;
        }
    }
    qsort(paths, n_paths, sizeof(paths[0]), by_name);
    for (unsigned i = 0; i < n_paths; i++) {
        if (ends_in(paths[i], ".fault") ? play_fault(paths[i]) : play(paths[i]))
            continue;
        printf("FAIL %s\n", paths[i]);
        failed++;
    }
    printf("scripts: %u passed, %u failed\n", n_paths - failed, failed);
    for (unsigned i = 0; i < n_paths; i++)
        free(paths[i]);
    return failed > 0 || n_paths == 0;
}
