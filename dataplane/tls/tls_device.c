/* SPDX-License-Identifier: Apache-2.0 */
/* See tls_device.h. */
#include "tls/tls_device.h"

#include "tls/tls_priv.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <string.h>

/* Written before there are threads that look, and after they have ended. */
static OSSL_PROVIDER *device, *library;

bool tls_device_is_open(void)
{
    return library != NULL;
}

static bool load(const char *name, const char *properties)
{
    device = OSSL_PROVIDER_load(NULL, name);
    library = device != NULL ? OSSL_PROVIDER_load(NULL, "default") : NULL;
    return library != NULL && EVP_set_default_properties(NULL, properties) == 1;
}

bool tls_device_open(const char *name)
{
    char properties[TLS_DEVICE_NAME_BYTES_MAX + sizeof("?provider=")];
    if (strlen(name) > TLS_DEVICE_NAME_BYTES_MAX || strpbrk(name, ",=?'\" ") != NULL)
        return false;
    snprintf(properties, sizeof(properties), "?provider=%s", name);
    bool is_loaded = load(name, properties);
    ERR_clear_error();
    if (!is_loaded)
        tls_device_close();
    return is_loaded;
}

void tls_device_close(void)
{
    if (library != NULL)
        OSSL_PROVIDER_unload(library);
    if (device != NULL)
        OSSL_PROVIDER_unload(device);
    device = library = NULL;
}
