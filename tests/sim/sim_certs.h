/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates of the simulator's worlds, the same in every process: a CA that all trust, and
 * identities of it, signed by one kind of key or another. PEM; live as long as the process.
 */
#pragma once

#include "base/slice.h"

/* X(name, subject alternative name, has it an RSA key?) */
#define SIM_CERT_LIST(X)                                                                           \
    X(front, "DNS:www.sim.test", false)                                                            \
    X(next, "DNS:www.sim.test,DNS:*.more.sim.test", false) /* what comes in its place */           \
    X(rsa, "DNS:www.sim.test", true)                                                               \
    X(backend, "DNS:backend.sim.test", false)                                                      \
    X(pass, "DNS:pass.sim.test", false) /* of a backend whose clients are passed on */             \
    X(end, "DNS:end.sim.test", false)   /* of a listener whose plaintext is passed on */

enum sim_cert {
#define X(name, names, is_rsa) SIM_CERT_##name,
    SIM_CERT_LIST(X)
#undef X
        SIM_CERT_COUNT
};

struct sim_pem {
    struct slice certificate;
    struct slice key;
};

/* Makes them, at the first call; then chance is what it was given last (sim_chance.h) no more. */
void sim_certs_make(void);

/* One of them. */
const struct sim_pem *sim_cert(enum sim_cert cert);

/* The CA's own certificate. */
struct slice sim_ca(void);
