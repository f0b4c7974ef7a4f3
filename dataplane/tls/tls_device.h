/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that does public-key work, as a provider of OpenSSL's (Intel's QAT and others have one).
 * Algorithms are fetched from it first, from the library where it has none, and a step of a
 * handshake lets go of its core while the device is at it (tls_crypto.h).
 *
 * Thread: the composer, once, before there are contexts and keys.
 */
#pragma once

#include <stdbool.h>

/* Longest name of a provider. */
#define TLS_DEVICE_NAME_BYTES_MAX 63u

/* Loads the provider of that name, and the library's own behind it. False: it cannot be had. */
bool tls_device_open(const char *name);

/* All contexts and keys are gone: lets go of it, if it was opened. */
void tls_device_close(void);
