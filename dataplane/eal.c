/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's command line, made of ours. */
#include "eal.h"

#include "base/assert.h"
#include "base/siphash.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HUGEPAGES_DIR "/sys/kernel/mm/hugepages"

__attribute__((format(printf, 2, 3))) static void add(struct eal_args *a, const char *format, ...)
{
    ASSERT(a->argc < (int)EAL_ARGS_MAX);
    char *text = a->text[a->argc];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, EAL_ARG_BYTES, format, args);
    va_end(args);
    ASSERT(len >= 0 && len < (int)EAL_ARG_BYTES);
    a->argv[a->argc++] = text;
    a->argv[a->argc] = NULL;
}

/* The CPU of an lcore. Workers go first: what is short of CPUs shares those from the beginning. */
static unsigned cpu_of(const struct options *o, unsigned lcore)
{
    if (lcore == 0)
        return o->cpus[0];
    unsigned first = o->n_cpus > o->workers ? 1 : 0; /* housekeeping has the first to itself */
    return o->cpus[(first + lcore - 1) % o->n_cpus];
}

/* "0@0,1@1,2@0": several lcores may share a CPU. */
static void add_lcores(const struct options *o, struct eal_args *a)
{
    static char map[(WORKERS_MAX + OPTIONS_CRYPTO_CORES_MAX + 1) * 12];
    size_t len = 0;
    for (unsigned lcore = 0; lcore <= o->workers + o->crypto_cores; lcore++)
        len += (size_t)snprintf(map + len, sizeof(map) - len, "%s%u@%u", lcore > 0 ? "," : "",
                                lcore, cpu_of(o, lcore));
    ASSERT(len < sizeof(map) && a->argc < (int)EAL_ARGS_MAX);
    add(a, "--lcores");
    a->argv[a->argc++] = map; /* longer than other arguments */
    a->argv[a->argc] = NULL;
}

static void add_memory(const struct options *o, bool has_hugepages, struct eal_args *a)
{
    add(a, "-m");
    add(a, "%u", o->mem_mb);
    if (has_hugepages) {
        add(a, "--in-memory");
    } else {
        /* Excludes --in-memory in DPDK 22.11; this writes nothing to disk either. */
        add(a, "--no-huge");
        add(a, "--no-shconf");
    }
}

static void add_devices(const struct options *o, const struct net_device *devices,
                        struct eal_args *a)
{
    bool has_pci = false;
    for (unsigned i = 0; i < o->n_ports; i++) {
        if (devices[i].eal_option[0] == '\0')
            continue;
        add(a, "%s", devices[i].eal_option);
        add(a, "%s", devices[i].eal_value);
        has_pci |= strcmp(devices[i].eal_option, "-a") == 0;
    }
    if (!has_pci)
        add(a, "--no-pci"); /* an empty allow-list would mean: all */
}

void eal_args_make(const struct options *options, const struct net_device *devices,
                   bool has_hugepages, struct eal_args *ret)
{
    static const struct siphash_key zero;
    *ret = (struct eal_args){.argc = 0};
    add(ret, "sluice-dataplane");
    add_lcores(options, ret);
    add(ret, "--main-lcore");
    add(ret, "0");
    add_memory(options, has_hugepages, ret);
    add_devices(options, devices, ret);
    add(ret, "--no-telemetry");
    /* One a run directory: many can live on a machine, and a killed one leaves nothing new. */
    add(ret, "--file-prefix");
    add(ret, "sluice-%016llx",
        (unsigned long long)siphash(&zero, options->run_dir, strlen(options->run_dir)));
    add(ret, "--log-level");
    add(ret, "*:warning");
}

/* A number in a file of /sys; 0: there is none. */
static unsigned long read_number(const char *dir, const char *name)
{
    char path[256];
    unsigned long n = 0;
    snprintf(path, sizeof(path), HUGEPAGES_DIR "/%.64s/%s", dir, name);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%lu", &n) != 1)
        n = 0;
    fclose(f);
    return n;
}

bool eal_has_hugepages(unsigned mem_mb)
{
    bool has_enough = false;
    DIR *dir = opendir(HUGEPAGES_DIR);
    if (dir == NULL)
        return false;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        unsigned long page_kb;
        if (sscanf(entry->d_name, "hugepages-%lukB", &page_kb) != 1)
            continue;
        unsigned long n = read_number(entry->d_name, "free_hugepages");
        has_enough |= n * (page_kb / 1024) >= mem_mb;
    }
    closedir(dir);
    return has_enough;
}

void eal_clean_up(const char *runtime_dir)
{
    rmdir(runtime_dir); /* empty but for what DPDK could not remove; at worst it stays */
}
