/* SPDX-License-Identifier: Apache-2.0 */
/* Objects in Kubernetes' protobuf: what is accepted is JSON that can be written and read again. */
#include "api/api_priv.h"
#include "base/assert.h"
#include "fuzz.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(literal) literal, sizeof(literal) - 1

static const struct {
    const char *bytes;
    size_t len;
} seeds[] = {
    {TEXT("k8s\0\x0a\x0f\x0a\x02v1\x12\x09Namespace\x12\x05\x0a\x03\x0a\x01"
          "a\x1a\0\"\0")},
    {TEXT("k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret\x12\x17\x0a\x05\x0a\x01s\x1a\0\x12\x06\x0a\x01"
          "k\x12\x01v\x1a\x06Opaque")},
    {TEXT("k8s\0\x0a\x0d\x0a\x02v1\x12\x07Service\x12\x26\x0a\x03\x0a\x01s\x12\x1f\x0a\x13\x0a\x01"
          "w\x12\x03TCP\x18P\"\x07\x08\0\x10\x90?\x1a\0\x12\x06\x0a\x01"
          "a\x12\x01"
          "b\x68\x00")},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *object = protobuf_read(slice_of(data, size));
    if (object == NULL)
        return 0;
    char *text = json_dumps(object, JSON_COMPACT);
    ASSERT(text != NULL);
    json_t *again = json_loads(text, 0, NULL);
    ASSERT(json_equal(object, again));
    ASSERT(json_is_string(json_object_get(object, "kind")));
    json_decref(again);
    json_decref(object);
    free(text);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    memcpy(ret, seeds[n].bytes, seeds[n].len);
    return seeds[n].len;
}
