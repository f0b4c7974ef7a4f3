/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_keys.h. */
#include "sim_keys.h"

#include "base/assert.h"
#include "image_companion.h"
#include "keyring.h"
#include "sim.h"
#include "sim_chance.h"
#include "tls/tls_identity.h"
#include "tls/tls_tickets.h"
#include "tls/tls_trust.h"

#include <stdlib.h>
#include <string.h>

/* In this order an image has them, as far as it shows them. */
static const enum sim_cert shown[] = {SIM_CERT_front, SIM_CERT_next, SIM_CERT_rsa};

struct sim_keys {
    struct image_companion companion; /* first */
    struct key_lease lease;
    const struct tls_identity *identities[array_len(shown)];
    const struct tls_trust *trusts[1];
};

/* One after the other, and where there are RSA keys too, both. */
bool sim_keys_shows(const struct sim_box *b, uint64_t generation, enum sim_cert cert)
{
    switch (cert) {
    case SIM_CERT_front:
        return generation % 2 == 1;
    case SIM_CERT_next:
        return generation % 2 == 0;
    case SIM_CERT_rsa:
        return b->sim->plan.tls.has_rsa;
    default:
        return false;
    }
}

/* An image only names them: whoever has the segment of keys finds them by it. */
static struct keys_id id_of(unsigned number)
{
    return (struct keys_id){{(uint8_t)(1 + number)}};
}

void sim_keys_add(const struct sim_box *box, struct image_builder *b)
{
    for (unsigned i = 0; i < array_len(shown); i++) {
        struct keys_id id = id_of(shown[i]);
        if (!sim_keys_shows(box, box->generation + 1, shown[i]))
            continue;
        int fault = image_builder_identity(b, &id, "sim/cert");
        ASSERT(fault == 0);
    }
}

void sim_keys_secure_group(struct image_builder *b, uint32_t group)
{
    static const struct image_san_spec san = {IMAGE_SAN_HOST, SIM_BACKEND_NAME};
    struct image_backend_tls_spec spec = {.id = {7, 7},
                                          .name = "sim/backend-tls",
                                          .server_name = SIM_BACKEND_NAME,
                                          .sans = &san,
                                          .n_sans = 1,
                                          .bundle = id_of(SIM_CERT_COUNT),
                                          .bundle_name = "sim/ca"};
    int fault = image_builder_group_tls(b, group, &spec);
    ASSERT(fault == 0);
}

static const struct tls_identity *load(enum sim_cert cert)
{
    struct tls_identity *identity = NULL;
    const struct sim_pem *pem = sim_cert(cert);
    enum tls_fault fault = tls_identity_new(pem->certificate, pem->key, &identity);
    ASSERT(fault == TLS_FAULT_OK);
    return identity;
}

struct image_companion *sim_keys_new(const struct sim_box *b)
{
    unsigned n = 0;
    struct tls_trust *trust = NULL;
    if (!b->sim->plan.tls.is_on)
        return NULL;
    struct sim_keys *k = calloc(1, sizeof(*k));
    ASSERT(k != NULL);
    for (unsigned i = 0; i < array_len(shown); i++) {
        if (sim_keys_shows(b, b->generation + 1, shown[i]))
            k->identities[n++] = load(shown[i]);
    }
    enum tls_fault fault = tls_trust_new(sim_ca(), &trust);
    ASSERT(fault == TLS_FAULT_OK);
    k->trusts[0] = trust;
    k->lease = (struct key_lease){.identities = k->identities, .trusts = k->trusts};
    k->companion.keys = &k->lease;
    return &k->companion;
}

void sim_keys_free(struct image_companion *companion)
{
    struct sim_keys *k = (struct sim_keys *)companion;
    if (k == NULL)
        return;
    for (unsigned i = 0; i < array_len(k->identities); i++)
        tls_identity_free((struct tls_identity *)(uintptr_t)k->identities[i]);
    tls_trust_free((struct tls_trust *)(uintptr_t)k->trusts[0]);
    free(k);
}

void sim_keys_set_tickets(struct sim_box *b)
{
    static const uint8_t secret[TLS_TICKET_SECRET_BYTES] = "sim";
    struct keys_ticket keys[KEYS_TICKETS_MAX];
    uint64_t epochs = b->sim->plan.tls.rotates ? b->generation : 0;
    if (b->tickets == NULL)
        return;
    bool is_made = tls_tickets_derive(secret, SIM_UNIX_S + epochs * TLS_TICKET_EPOCH_S, keys);
    ASSERT(is_made);
    tls_tickets_set(b->tickets, keys, KEYS_TICKETS_MAX);
}
