/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made for the tests, by the library: a CA, a server and a client of it, and a second
 * CA that nobody trusts. PEM; live as long as the process. */
#pragma once

#include "base/slice.h"

struct test_cert {
    struct slice certificate;
    struct slice key;
};

struct test_certs {
    struct test_cert ca, server, client, stranger_ca, stranger;
};

/* Made at the first call. */
const struct test_certs *test_certs(void);
