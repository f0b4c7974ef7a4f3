/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made for the tests, by the library: a CA, a server and a client of it, and a second
 * CA that nobody trusts. PEM; live as long as the process. */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct test_cert {
    struct slice certificate;
    struct slice key;
};

struct test_certs {
    struct test_cert ca, server, client, stranger_ca, stranger;
};

/* What the CA says of the server's certificate (or of its own), from `from_s` on for `for_s`
 * seconds, as a block of PEM. Bad news, if it is revoked. */
struct slice test_staple(bool of_ca, bool is_revoked, int64_t from_s, int64_t for_s);

/* A certificate with these names as OpenSSL writes them ("DNS:a.test,IP:127.0.0.1"); NULL: none. */
struct test_cert test_cert_of(const char *common_name, const char *alt_names);

/* Made at the first call. */
const struct test_certs *test_certs(void);
