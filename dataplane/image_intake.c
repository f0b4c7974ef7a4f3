/* SPDX-License-Identifier: Apache-2.0 */
/* The door that every image comes through. Thread: housekeeping. */
#include "image_intake.h"

#include "core/pages.h"
#include "route/pattern.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SEALS_NEEDED (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

__attribute__((format(printf, 4, 5))) static bool
refuse(struct image_refusal *ret, enum image_fault fault, uint64_t offset, const char *format, ...)
{
    va_list args;
    ret->fault = fault;
    ret->offset = offset;
    va_start(args, format);
    vsnprintf(ret->text, sizeof(ret->text), format, args);
    va_end(args);
    return false;
}

/* The format cannot know how many ports this box has. */
static bool check_ports(const void *data, unsigned n_ports, struct image_refusal *ret_refusal)
{
    struct image_view v;
    image_view_init(&v, data);
    for (uint32_t i = 0; i < v.n_interfaces; i++) {
        if (v.interfaces[i].port >= n_ports)
            return refuse(ret_refusal, IMAGE_FAULT_VALUE,
                          (uint64_t)((const uint8_t *)&v.interfaces[i] - (const uint8_t *)data),
                          "interface %u is on port %u, and there are %u ports", i,
                          v.interfaces[i].port, n_ports);
    }
    return true;
}

bool image_intake_check(const void *data, size_t length, unsigned n_ports,
                        struct image_refusal *ret_refusal)
{
    struct image_fault_info info = {.fault = IMAGE_FAULT_OK};
    if (image_check(data, length, &info) != IMAGE_FAULT_OK)
        return refuse(ret_refusal, info.fault, info.offset, "%s: %s (section %s, entry %u)",
                      image_fault_name(info.fault), image_fault_help(info.fault),
                      image_section_name(info.section), info.index);
    return check_ports(data, n_ports, ret_refusal);
}

/* Can nobody change or cut it any more, and is it as long as was said? */
static bool check_fd(int fd, uint64_t length, struct image_refusal *ret_refusal)
{
    struct stat st;
    int seals = fd >= 0 ? fcntl(fd, F_GET_SEALS) : -1;
    if (seals < 0)
        return refuse(ret_refusal, IMAGE_FAULT_LENGTH, 0, "no memfd came with the message");
    if ((seals & SEALS_NEEDED) != SEALS_NEEDED)
        return refuse(ret_refusal, IMAGE_FAULT_LENGTH, 0,
                      "the memfd is not sealed against writing and resizing");
    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size != length || length == 0 ||
        length > IMAGE_BYTES_MAX)
        return refuse(ret_refusal, IMAGE_FAULT_LENGTH, 0,
                      "the memfd does not have the length that was said, or is above the limit");
    return true;
}

void *image_intake_copy(const void *data, size_t length)
{
    void *copy = pages_map(length);
    if (copy == NULL)
        return NULL;
    memcpy(copy, data, length);
    mprotect(copy, length, PROT_READ); /* only against our own bugs */
    return copy;
}

void image_intake_free(const void *data, size_t length)
{
    pages_unmap((void *)(uintptr_t)data, length);
}

bool image_intake_patterns(struct image_map *image, unsigned workers,
                           struct image_refusal *ret_refusal)
{
    struct image_view v;
    char text[sizeof(ret_refusal->text)];
    image_view_init(&v, image->data);
    if (route_patterns_new(&v, workers, &image->patterns, text, sizeof(text)))
        return true;
    return refuse(ret_refusal, IMAGE_FAULT_DATABASE, 0, "%s", text);
}

bool image_intake_fd(int fd, uint64_t generation, uint64_t length, unsigned n_ports,
                     struct image_map *ret, struct image_refusal *ret_refusal)
{
    if (!check_fd(fd, length, ret_refusal))
        return false;
    void *shared = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        return refuse(ret_refusal, IMAGE_FAULT_LENGTH, 0, "mmap: %s", strerror(errno));
    void *data = image_intake_copy(shared, length);
    munmap(shared, length);
    if (data == NULL)
        return refuse(ret_refusal, IMAGE_FAULT_LENGTH, 0, "no memory for a copy");
    bool is_good = image_intake_check(data, length, n_ports, ret_refusal);
    const struct image_header *header = data;
    if (is_good && header->generation != generation)
        is_good =
            refuse(ret_refusal, IMAGE_FAULT_GENERATION, offsetof(struct image_header, generation),
                   "the image says generation %llu, the message %llu",
                   (unsigned long long)header->generation, (unsigned long long)generation);
    if (!is_good) {
        image_intake_free(data, length);
        return false;
    }
    *ret = (struct image_map){.data = data, .length = length};
    return true;
}
