/* SPDX-License-Identifier: Apache-2.0 */
/* See system_cas.h. */
#include "cert/system_cas.h"

#include "abi/keys.h"
#include "tls/tls_trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Why it cannot be used; NULL: it can. */
static const char *judge(const char *text, size_t len)
{
    struct tls_trust *loaded = NULL;
    if (len > KEYS_PEM_BYTES_MAX)
        return "it is too long";
    enum tls_fault fault = tls_trust_new(slice_of(text, len), &loaded);
    tls_trust_free(loaded);
    return fault == TLS_FAULT_OK ? NULL : tls_fault_help(fault);
}

struct slice system_cas_read(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file != NULL ? malloc(KEYS_PEM_BYTES_MAX + 1) : NULL;
    if (text == NULL) {
        if (file != NULL)
            fclose(file);
        return slice_of(NULL, 0);
    }
    size_t len = fread(text, 1, KEYS_PEM_BYTES_MAX + 1, file);
    fclose(file);
    const char *why = judge(text, len);
    if (why == NULL)
        return slice_of(text, len);
    fprintf(stderr, "sluice-mgmtd: no well-known CAs: %s: %s\n", path, why);
    free(text);
    return slice_of(NULL, 0);
}
