/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed memory. Thread: housekeeping. */
#include "sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SEALS_NEEDED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

void *sealed_map(int fd, uint64_t length, uint64_t bytes_max, char *fault, size_t fault_bytes)
{
    struct stat st;
    int seals = fd >= 0 ? fcntl(fd, F_GET_SEALS) : -1;
    if (seals < 0) {
        snprintf(fault, fault_bytes, "no memfd came with the message");
        return NULL;
    }
    if ((seals & SEALS_NEEDED) != SEALS_NEEDED) {
        snprintf(fault, fault_bytes, "the memfd is not sealed against writing and resizing");
        return NULL;
    }
    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != length || length == 0 ||
        length > bytes_max) {
        snprintf(fault, fault_bytes,
                 "the memfd does not have the length that was said, or is above the limit");
        return NULL;
    }
    void *data = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
    if (data != MAP_FAILED)
        return data;
    snprintf(fault, fault_bytes, "mmap: %s", strerror(errno));
    return NULL;
}
