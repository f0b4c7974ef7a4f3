/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: what is accepted can be written and read again, and is the same. */
#include "base/assert.h"
#include "fuzz.h"
#include "yaml/yaml.h"

#include <stdlib.h>
#include <string.h>

static const char *const seeds[] = {
    "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: a\n  labels: {b: \"true\", c: "
    "'d'}\n---\n- 1\n- 2.5\n- ~\n",
    "a: &x [1, {b: |\n  text\n  more\n}]\nc: *x\nd: >-\n  folded\n  text\n",
    "{\"json\": [true, null, -1e3, \"\\u00e9\\n\"]}\n...\n# comment\n--- !!str tagged\n",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *documents = NULL;
    struct yaml_error error;
    if (yaml_load(data, size, &documents, &error) != 0)
        return 0;
    for (size_t i = 0; i < json_array_size(documents); i++) {
        json_t *again = NULL;
        char *text = yaml_dump(json_array_get(documents, i));
        ASSERT(text != NULL);
        ASSERT(yaml_load(text, strlen(text), &again, &error) == 0);
        ASSERT(json_array_size(again) <= 1);
        json_decref(again);
        free(text);
    }
    json_decref(documents);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *ret)
{
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    size_t len = strlen(seeds[n]);
    memcpy(ret, seeds[n], len);
    return len;
}
