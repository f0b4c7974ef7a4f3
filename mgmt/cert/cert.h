/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The management API's own certificate. At first boot the box makes an ECDSA P-256 key and a
 * self-signed certificate; an operator may put others in their place, which are then left alone.
 *
 * Owner: mgmtd at start. Thread: one. Cost: about a millisecond, once.
 */
#pragma once

#include <stddef.h>

#define CERT_PATH_MAX 512u
#define CERT_VALID_DAYS                                                                            \
    3650u /* a box may stand without maintenance for years; rotation is a new file */
#define CERT_NAMES_MAX 16u

struct cert_paths {
    char certificate[CERT_PATH_MAX]; /* <state-dir>/tls/server.crt, PEM, mode 0644 */
    char key[CERT_PATH_MAX];         /* <state-dir>/tls/server.key, PEM, mode 0600 */
};

/*
 * Makes sure that there is a key and a certificate that fit each other under `state_dir`, and tells
 * where. `names` are the DNS names and IP addresses that it shall be valid for ("localhost" and the
 * loopback addresses are always among them). Made only if neither file exists: both appear by
 * rename, the key first. Errors: -EINVAL (a name that is neither address nor DNS name, or too
 * many), -EKEYREJECTED (a file is there but cannot be read as PEM, or the two do not fit), or the
 * errno of a failed file operation. `ret_paths` is untouched on failure.
 */
int cert_ensure(const char *state_dir, const char *const *names, size_t n_names,
                struct cert_paths *ret_paths);
