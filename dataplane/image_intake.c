/* SPDX-License-Identifier: Apache-2.0 */
/* The door that every image comes through. Thread: housekeeping. */
#include "image_intake.h"

#include "core/pages.h"
#include "image_companion.h"
#include "keyring.h"
#include "route/pattern.h"
#include "sealed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

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

void image_companion_free(struct image_companion *companion)
{
    if (companion == NULL)
        return;
    route_patterns_free(companion->patterns);
    keyring_return(companion->keys);
    free(companion);
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

static bool take_patterns(const struct image_view *v, unsigned workers,
                          struct image_companion *companion, struct image_refusal *ret_refusal)
{
    char text[sizeof(ret_refusal->text)];
    if (route_patterns_new(v, workers, &companion->patterns, text, sizeof(text)))
        return true;
    return refuse(ret_refusal, IMAGE_FAULT_DATABASE, 0, "%s", text);
}

static bool take_keys(const struct image_view *v, struct keyring *keys,
                      struct image_companion *companion, struct image_refusal *ret_refusal)
{
    struct image_string missing;
    companion->keys = keyring_lease(keys, v, &missing);
    if (companion->keys != NULL)
        return true;
    if (missing.length == 0)
        return refuse(ret_refusal, IMAGE_FAULT_KEYS, 0, "no memory");
    struct slice name = image_text(v, missing);
    return refuse(ret_refusal, IMAGE_FAULT_KEYS, 0,
                  "what Secret or ConfigMap %.*s holds did not come before it",
                  (int)(name.len < 100 ? name.len : 100), (const char *)name.ptr);
}

bool image_intake_companion(struct image_map *image, struct keyring *keys, unsigned workers,
                            struct image_refusal *ret_refusal)
{
    struct image_view v;
    struct image_companion *companion = calloc(1, sizeof(*companion));
    if (companion == NULL)
        return refuse(ret_refusal, IMAGE_FAULT_DATABASE, 0, "no memory");
    image_view_init(&v, image->data);
    if (!take_patterns(&v, workers, companion, ret_refusal) ||
        !take_keys(&v, keys, companion, ret_refusal)) {
        image_companion_free(companion);
        return false;
    }
    image->companion = companion;
    return true;
}

bool image_intake_fd(int fd, uint64_t generation, uint64_t length, unsigned n_ports,
                     struct image_map *ret, struct image_refusal *ret_refusal)
{
    char text[sizeof(ret_refusal->text)];
    void *shared = sealed_map(fd, length, IMAGE_BYTES_MAX, text, sizeof(text));
    if (shared == NULL)
        return refuse(ret_refusal, IMAGE_FAULT_LENGTH, 0, "%s", text);
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
