/* SPDX-License-Identifier: Apache-2.0 */
/* See tls_device.h. Loaded for good: contexts and keys may hold what is its. */
#include "tls/tls_device.h"

#include "tls/tls_priv.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <string.h>

static bool is_open; /* written once, before there are threads that look */

bool tls_device_is_open(void)
{
    return is_open;
}

bool tls_device_open(const char *name)
{
    char properties[TLS_DEVICE_NAME_BYTES_MAX + sizeof("?provider=")];
    if (strlen(name) > TLS_DEVICE_NAME_BYTES_MAX || strpbrk(name, ",=?'\" ") != NULL)
        return false;
    snprintf(properties, sizeof(properties), "?provider=%s", name);
    is_open = OSSL_PROVIDER_load(NULL, name) != NULL &&
              OSSL_PROVIDER_load(NULL, "default") != NULL &&
              EVP_set_default_properties(NULL, properties) == 1;
    ERR_clear_error();
    return is_open;
}
