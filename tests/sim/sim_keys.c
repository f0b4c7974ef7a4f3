/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_keys.h. */
#include "sim_keys.h"

#include "base/assert.h"
#include "image_companion.h"
#include "keyring.h"
#include "sim.h"
#include "sim_chance.h"
#include "tls/digest.h"
#include "tls/tls_tickets.h"

#include <stdlib.h>
#include <string.h>

#define SEGMENT_BYTES_MAX 16384u

/* One after the other, some images long each, and where there are RSA keys too, both. */
bool sim_keys_shows(const struct sim_box *b, uint64_t generation, enum sim_cert cert)
{
    switch (cert) {
    case SIM_CERT_front:
        return generation / 2 % 2 == 0;
    case SIM_CERT_next:
        return generation / 2 % 2 == 1;
    case SIM_CERT_rsa:
        return b->sim->plan.tls.has_rsa;
    case SIM_CERT_pass:
    case SIM_CERT_end:
        return true;
    default:
        return false;
    }
}

/* The certificate, or what is behind the last one: the CA. */
static struct keys_entry entry_of(unsigned number, struct sim_pem *ret)
{
    bool is_ca = number == SIM_CERT_COUNT;
    *ret = is_ca ? (struct sim_pem){.certificate = sim_ca()} : *sim_cert((enum sim_cert)number);
    struct keys_entry e = {.certificate_length = (uint32_t)ret->certificate.len,
                           .key_length = (uint32_t)ret->key.len};
    const struct slice parts[] = {is_ca ? SLICE_LIT(KEYS_BUNDLE_PREFIX) : slice_of("", 0),
                                  ret->certificate};
    uint8_t digest[DIGEST_BYTES];
    bool is_made = digest_sha256(parts, 2, digest);
    ASSERT(is_made);
    memcpy(e.id.bytes, digest, sizeof(e.id.bytes));
    return e;
}

static struct keys_id id_of(unsigned number)
{
    struct sim_pem pem;
    return entry_of(number, &pem).id;
}

/* An image has them in the order of these calls. */
static void show(struct sim_box *box, struct image_builder *b, enum sim_cert cert)
{
    struct keys_id id = id_of(cert);
    int fault = image_builder_identity(b, &id, "sim/cert");
    ASSERT(fault == 0 && box->n_shown < SIM_SHOWN_MAX);
    box->shown[box->n_shown++] = (uint8_t)cert;
}

void sim_keys_add(struct sim_box *box, struct image_builder *b, enum image_protocol protocol)
{
    static const enum sim_cert of_https[] = {SIM_CERT_front, SIM_CERT_next, SIM_CERT_rsa};
    if (protocol == IMAGE_PROTOCOL_TLS_TERMINATED)
        show(box, b, SIM_CERT_end);
    for (unsigned i = 0; i < array_len(of_https) && protocol == IMAGE_PROTOCOL_HTTPS; i++) {
        if (sim_keys_shows(box, box->generation + 1, of_https[i]))
            show(box, b, of_https[i]);
    }
    if (protocol == IMAGE_PROTOCOL_HTTPS && box->sim->plan.tls.asks_clients) {
        struct keys_id ca = id_of(SIM_CERT_COUNT);
        int fault = image_builder_client_auth(b, IMAGE_CLIENT_AUTH_FALLBACK, &ca, "sim/ca");
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

static bool is_shown(const struct sim_box *b, unsigned number)
{
    return number == SIM_CERT_COUNT || memchr(b->shown, (int)number, b->n_shown) != NULL;
}

/* An entry on its way into a segment. */
struct item {
    struct keys_entry entry;
    struct sim_pem pem;
};

static int compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return keys_id_order(&x->entry.id, &y->entry.id);
}

static uint32_t put(uint8_t *data, size_t *end, struct slice text)
{
    uint32_t at = (uint32_t)*end;
    memcpy(data + at, text.ptr, text.len);
    *end += text.len;
    return at;
}

/* What mgmtd sends before the image: what it names, and nothing else. */
static size_t write_segment(const struct sim_box *b, uint8_t *data)
{
    struct item items[SIM_CERT_COUNT + 1];
    struct keys_header *header = (struct keys_header *)data;
    *header = (struct keys_header){.magic = KEYS_MAGIC, .version = KEYS_VERSION};
    for (unsigned i = 0; i <= SIM_CERT_COUNT; i++) {
        if (is_shown(b, i)) {
            struct item *item = &items[header->count++];
            item->entry = entry_of(i, &item->pem);
        }
    }
    qsort(items, header->count, sizeof(items[0]), compare);
    size_t end = keys_tables_end(header);
    for (unsigned i = 0; i < header->count; i++) {
        struct keys_entry *e = &items[i].entry;
        e->certificate_offset = put(data, &end, items[i].pem.certificate);
        e->key_offset = e->key_length > 0 ? put(data, &end, items[i].pem.key) : 0;
        ((struct keys_entry *)(header + 1))[i] = *e;
    }
    ASSERT(end <= SEGMENT_BYTES_MAX);
    header->length = end;
    header->checksum = keys_checksum(data, end);
    return end;
}

void sim_keys_begin(struct sim_box *b)
{
    b->ring = keyring_new();
    ASSERT(b->ring != NULL);
}

struct image_companion *sim_keys_new(struct sim_box *b, const void *image)
{
    static _Alignas(8) uint8_t segment[SEGMENT_BYTES_MAX];
    struct image_companion *companion = calloc(1, sizeof(*companion));
    struct image_string missing;
    struct image_view v;
    uint32_t index;
    ASSERT(companion != NULL);
    if (!b->sim->plan.tls.is_on)
        return companion;
    enum keys_fault fault = keyring_take(b->ring, segment, write_segment(b, segment), &index);
    if (fault != KEYS_FAULT_OK)
        sim_fail(b->sim, "keys refused: %s, entry %u", keys_fault_name(fault), index);
    image_view_init(&v, image);
    companion->keys = keyring_lease(b->ring, &v, &missing);
    if (companion->keys == NULL)
        sim_fail(b->sim, "the image names a key that did not come");
    return companion;
}

void sim_keys_free(struct image_companion *companion)
{
    keyring_return(companion->keys);
    free(companion);
}

void sim_keys_end(struct sim_box *b)
{
    keyring_free(b->ring);
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
