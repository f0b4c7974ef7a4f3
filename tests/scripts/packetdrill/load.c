/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library that packetdrill loads, and nothing in it but the way to the one that does the work.
 *
 * packetdrill loads with RTLD_DEEPBIND: what is loaded with it uses the C library's variables, not
 * the copies that the program has. `optind` and `optarg` are two of them, so DPDK, whose start
 * reads its options by getopt(), would neither begin at the first option nor see a value. Loaded
 * from here, without that flag, it sees those of the program.
 */
#include "abi.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The library behind lies in our folder. */
static void *open_behind(void)
{
    Dl_info us;
    char path[PATH_MAX];
    if (dladdr((void *)(uintptr_t)packetdrill_interface_init, &us) == 0)
        return NULL;
    const char *name = strrchr(us.dli_fname, '/');
    int folder = name == NULL ? 0 : (int)(name + 1 - us.dli_fname);
    snprintf(path, sizeof(path), "%.*slibsluice_packetdrill_stack.so", folder, us.dli_fname);
    return dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *ret)
{
    void (*init)(const char *, struct packetdrill_interface *) = NULL;
    void *behind = open_behind();
    if (behind != NULL)
        *(void **)&init = dlsym(behind, "drill_interface_init");
    if (init == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    init(flags, ret);
}
