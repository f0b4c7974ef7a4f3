/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target on mutations of its seeds, the same ones in every run; one seed is one test.
 * With FOLDER also on every file there, as it is: the corpus that is kept, one test more.
 * With --write FOLDER it only writes the seeds there, for libFuzzer to begin with.
 */
#include "base/rng.h"
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef REPLAY_MUTATIONS /* of each seed; fewer where an input costs more */
#define REPLAY_MUTATIONS 4000u
#endif
#define FLIPS_MAX 6u

/* Flips bits, sets bytes, cuts, and moves pieces: what finds off-by-one errors fastest. */
static size_t mutate(struct rng *rng, uint8_t *bytes, size_t len)
{
    for (uint32_t n = rng_below(rng, FLIPS_MAX) + 1; n > 0 && len > 0; n--) {
        uint32_t at = rng_below(rng, (uint32_t)len);
        switch (rng_below(rng, 5)) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << rng_below(rng, 8));
            break;
        case 1:
            bytes[at] = (uint8_t)rng_next(rng);
            break;
        case 2:
            bytes[at] = "\r\n\0 :;,/%*"[rng_below(rng, 10)];
            break;
        case 3:
            len -= rng_below(rng, (uint32_t)(len - at)) / 4;
            break;
        case 4:
            memmove(bytes + at / 2, bytes + at, len - at);
            break;
        }
    }
    return len;
}

static void run_seed(unsigned n, const uint8_t *seed, size_t len)
{
    struct rng rng = {.state = n};
    LLVMFuzzerTestOneInput(seed, len);
    for (unsigned i = 0; i < REPLAY_MUTATIONS; i++) {
        uint8_t *bytes = malloc(len); /* of just this size: reading past it is seen */
        if (bytes == NULL)
            exit(1);
        memcpy(bytes, seed, len);
        LLVMFuzzerTestOneInput(bytes, mutate(&rng, bytes, len));
        free(bytes);
    }
}

static int write_seed(const char *folder, unsigned n, const uint8_t *seed, size_t len)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/seed-%u", folder, n);
    FILE *f = fopen(path, "wb");
    if (f == NULL)
        return 1;
    size_t written = fwrite(seed, 1, len, f);
    return fclose(f) != 0 || written != len;
}

/* One file of the corpus. */
static bool run_file(const char *folder, const char *name)
{
    static uint8_t bytes[FUZZ_SEED_BYTES_MAX];
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    size_t len = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    uint8_t *exact = malloc(len + 1);
    if (exact == NULL)
        exit(1);
    memcpy(exact, bytes, len);
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    return true;
}

/* All files, in the order of their names. Returns how many; -1: one cannot be read. */
static int run_folder(const char *folder)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort);
    int ran = 0;
    for (int i = 0; i < n; i++) {
        bool is_file = entries[i]->d_name[0] != '.';
        bool is_bad = ran < 0 || (is_file && !run_file(folder, entries[i]->d_name));
        ran = is_bad ? -1 : ran + is_file;
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return n < 0 ? -1 : ran;
}

int main(int argc, char **argv)
{
    static uint8_t seed[FUZZ_SEED_BYTES_MAX];
    bool is_writing = argc == 3 && strcmp(argv[1], "--write") == 0;
    unsigned n = 0;
    size_t len;
    while ((len = fuzz_seed(n, seed)) > 0) {
        if (!is_writing)
            run_seed(n, seed, len);
        else if (write_seed(argv[2], n, seed, len) != 0)
            return 1;
        n++;
    }
    int kept = argc == 2 ? run_folder(argv[1]) : 0;
    if (kept < 0)
        fprintf(stderr, "%s cannot be read\n", argv[1]);
    printf("%d kept inputs\nfuzz: %u passed, %d failed\n", kept, n + (kept > 0), kept < 0);
    return n > 0 && kept >= 0 ? 0 : 1;
}
