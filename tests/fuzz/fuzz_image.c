/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Route images with right lengths and checksums, so that what is behind them is reached: whatever
 * image_check() accepts can be used without reading out of bounds.
 */
#include "abi/image.h"
#include "base/assert.h"
#include "fuzz.h"
#include "sample_image.h"

#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

/* The sample's checks, outside of a CUnit run. */
CU_BOOL CU_assertImplementation(CU_BOOL is_true, unsigned line, const char *text, const char *file,
                                const char *function, CU_BOOL is_fatal)
{
    if (!is_true)
        assert_fail(text, file, (int)line, function);
    return is_true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size + 1); /* aligned enough, and the sanitizer sees its end */
    ASSERT(bytes != NULL);
    memcpy(bytes, data, size);
    if (size >= sizeof(struct image_header)) {
        struct image_header *header = (struct image_header *)bytes;
        header->length = size;
        image_seal(bytes, size);
    }
    struct image_fault_info info;
    if (image_check(bytes, size, &info) == IMAGE_FAULT_OK)
        use_image(bytes);
    free(bytes);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    if (n > 0)
        return 0;
    size_t len = 0;
    void *image = sample_image(&len);
    ASSERT(len <= FUZZ_SEED_BYTES_MAX);
    memcpy(ret, image, len);
    free(image);
    return len;
}
