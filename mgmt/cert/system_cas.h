/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CA certificates that come with the box's system, for backends that are verified by
 * well-known CAs (BackendTLSPolicy, wellKnownCACertificates). Read once: a restart follows a new
 * set.
 *
 * Owner: mgmtd at start. Thread: one.
 */
#pragma once

#include "base/slice.h"

#define SYSTEM_CAS_PATH "/etc/ssl/certs/ca-certificates.crt" /* Debian's, and many others' */

/* The PEM text of the file, to be freed by free(ret->ptr); empty: there is none. A file that is too
 * long or no PEM is like none, and is told of on stderr. */
struct slice system_cas_read(const char *path);
