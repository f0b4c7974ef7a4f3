/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and keys on their way from mgmtd to the workers, and over a restart. */
#include "abi/keys.h"
#include "attach/plan.h"
#include "compile/image_builder.h"
#include "compile/keys.h"
#include "house.h"
#include "image_companion.h"
#include "keyring.h"
#include "tls/digest.h"
#include "tls/test_certs.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static struct house house;

static int up(void)
{
    house_make(&house);
    house_start(&house);
    REQUIRE(house.h != NULL);
    return house_manager(&house);
}

static void down(int s)
{
    close(s);
    house_stop(&house);
    house_remove(&house);
}

static struct keys_id id_of(struct slice certificate)
{
    struct keys_id id;
    uint8_t digest[DIGEST_BYTES];
    REQUIRE(digest_sha256(&certificate, 1, digest));
    memcpy(id.bytes, digest, sizeof(id.bytes));
    return id;
}

/* A segment of one identity; *ret_len bytes, to be freed. */
static void *segment_of(const struct test_cert *cert, size_t *ret_len)
{
    size_t end = sizeof(struct keys_header) + sizeof(struct keys_entry);
    size_t len = end + cert->certificate.len + cert->key.len;
    uint8_t *data = calloc(1, len);
    struct keys_header *header = (struct keys_header *)data;
    struct keys_entry *e = (struct keys_entry *)(header + 1);
    *header = (struct keys_header){
        .magic = KEYS_MAGIC, .version = KEYS_VERSION, .count = 1, .length = len};
    *e = (struct keys_entry){.id = id_of(cert->certificate),
                             .certificate_offset = (uint32_t)end,
                             .certificate_length = (uint32_t)cert->certificate.len,
                             .key_offset = (uint32_t)(end + cert->certificate.len),
                             .key_length = (uint32_t)cert->key.len};
    memcpy(data + end, cert->certificate.ptr, cert->certificate.len);
    memcpy(data + end + cert->certificate.len, cert->key.ptr, cert->key.len);
    header->checksum = keys_checksum(data, len);
    *ret_len = len;
    return data;
}

/* Sends bytes as a segment; the fault of the answer. */
static uint32_t send_bytes(int s, const void *data, size_t len, int seals)
{
    struct control_keys keys = {.length = len};
    struct reply reply;
    int fd = house_memfd(data, len, seals);
    house_send(&house, s, CONTROL_KEYS, 7, &keys, sizeof(keys), fd);
    close(fd);
    REQUIRE(house_receive(&house, s, &reply));
    CHECK_EQ(reply.msg.type, CONTROL_RESULT);
    CHECK_EQ(reply.body.result.type, CONTROL_KEYS);
    CHECK(reply.body.result.text[0] != '\0');
    return reply.body.result.fault;
}

static uint32_t send_identity(int s, const struct test_cert *cert)
{
    size_t len;
    void *data = segment_of(cert, &len);
    uint32_t fault = send_bytes(s, data, len, SEALS);
    free(data);
    return fault;
}

/* A bundle of that text, under its own id. */
static struct plan_clients clients_of(struct slice pem)
{
    const struct slice parts[] = {SLICE_LIT(KEYS_BUNDLE_PREFIX), pem};
    struct plan_clients clients = {.auth = IMAGE_CLIENT_AUTH_REQUIRED, .bundle.pem = pem};
    uint8_t digest[DIGEST_BYTES];
    REQUIRE(digest_sha256(parts, 2, digest));
    memcpy(clients.bundle.id.bytes, digest, sizeof(clients.bundle.id.bytes));
    return clients;
}

/* Sends a segment of the server's identity and a bundle. */
static uint32_t send_with_bundle(int s, const struct plan_clients *clients)
{
    const struct test_cert *cert = &test_certs()->server;
    struct plan_identity identity = {"n/cert", id_of(cert->certificate), cert->certificate,
                                     cert->key};
    struct plan_listener listener = {
        .is_served = true, .n_identities = 1, .identities = &identity, .clients = clients};
    struct plan plan = {.n_listeners = 1, .listeners = &listener};
    void *data;
    size_t len;
    REQUIRE(keys_segment_new(&(struct keys_segment_input){.plan = &plan}, &data, &len) == 0);
    uint32_t fault = send_bytes(s, data, len, SEALS);
    keys_segment_free(data);
    return fault;
}

/* Publishes an image with a listener that shows this certificate, and asks clients for one of the
 * bundle (NULL: it does not); the fault of the answer. */
static uint32_t publish_asking(int s, uint64_t generation, const struct test_cert *cert,
                               const struct keys_id *bundle)
{
    size_t len;
    void *image;
    struct reply reply;
    struct keys_id id = id_of(cert->certificate);
    struct image_builder *b = image_builder_new();
    REQUIRE(image_builder_listener(b, "n/gw/tls", "", IMAGE_PROTOCOL_HTTPS, 443) == 0);
    REQUIRE(image_builder_identity(b, &id, "n/cert") == 0);
    if (bundle != NULL)
        REQUIRE(image_builder_client_auth(b, IMAGE_CLIENT_AUTH_REQUIRED, bundle, "n/cas") == 0);
    REQUIRE(image_builder_finish(b, generation, &image, &len) == 0);
    image_builder_free(b);
    struct control_publish body = {.generation = generation, .length = len};
    int fd = house_memfd(image, len, SEALS);
    house_send(&house, s, CONTROL_PUBLISH, 8, &body, sizeof(body), fd);
    close(fd);
    free(image);
    REQUIRE(house_receive(&house, s, &reply));
    CHECK_EQ(reply.body.result.type, CONTROL_PUBLISH);
    if (reply.body.result.fault == IMAGE_FAULT_KEYS)
        CHECK(strstr(reply.body.result.text, bundle != NULL ? "n/cas" : "n/cert") != NULL);
    return reply.body.result.fault;
}

static uint32_t publish(int s, uint64_t generation, const struct test_cert *cert)
{
    return publish_asking(s, generation, cert, NULL);
}

/* How many identities and bundles the current image leads to; -1: there is none. */
static int identities_now(void)
{
    struct generation *g = generation_current(housekeeping_generations(house.h));
    const struct image_companion *companion = g != NULL ? generation_companion(g) : NULL;
    return companion != NULL ? (int)companion->keys->n_held : -1;
}

TEST(an_image_is_taken_when_its_keys_came_before_it)
{
    int s = up();
    CHECK_EQ(publish(s, 1, &test_certs()->server), IMAGE_FAULT_KEYS);
    CHECK_EQ(identities_now(), -1);
    CHECK_EQ(send_identity(s, &test_certs()->client), KEYS_FAULT_OK);
    CHECK_EQ(publish(s, 1, &test_certs()->server), IMAGE_FAULT_KEYS);
    CHECK_EQ(send_identity(s, &test_certs()->server), KEYS_FAULT_OK);
    CHECK_EQ(publish(s, 1, &test_certs()->server), IMAGE_FAULT_OK);
    CHECK_EQ(identities_now(), 1);
    CHECK_EQ(house_stat(&house, STAT_core_keys_accepted), 2);
    housekeeping_poll(house.h, 0);
    CHECK_EQ(house_stat(&house, STAT_core_identities_now), 1);
    down(s);
}

TEST(an_image_keeps_identities_that_the_ring_has_lost)
{
    int s = up();
    CHECK_EQ(send_identity(s, &test_certs()->server), KEYS_FAULT_OK);
    CHECK_EQ(publish(s, 1, &test_certs()->server), IMAGE_FAULT_OK);
    CHECK_EQ(send_identity(s, &test_certs()->client), KEYS_FAULT_OK);
    CHECK_EQ(identities_now(), 1);
    CHECK_EQ(publish(s, 2, &test_certs()->client), IMAGE_FAULT_OK);
    house_workers_follow(&house);
    housekeeping_poll(house.h, 0);
    CHECK_EQ(identities_now(), 1);
    down(s);
}

TEST(an_image_that_asks_clients_for_certificates_needs_the_cas)
{
    const struct test_certs *c = test_certs();
    int s = up();
    struct plan_clients clients = clients_of(c->ca.certificate);
    CHECK_EQ(send_identity(s, &c->server), KEYS_FAULT_OK);
    CHECK_EQ(publish_asking(s, 1, &c->server, &clients.bundle.id), IMAGE_FAULT_KEYS);
    CHECK_EQ(send_with_bundle(s, &clients), KEYS_FAULT_OK);
    struct keys_id identity = id_of(c->server.certificate); /* which is no bundle */
    CHECK_EQ(publish_asking(s, 1, &c->server, &identity), IMAGE_FAULT_KEYS);
    CHECK_EQ(publish_asking(s, 1, &c->server, &clients.bundle.id), IMAGE_FAULT_OK);
    CHECK_EQ(identities_now(), 2);
    struct plan_clients bad = clients_of(SLICE_LIT("no PEM"));
    CHECK_EQ(send_with_bundle(s, &bad), KEYS_FAULT_BUNDLE);
    bad.bundle.id = id_of(bad.bundle.pem); /* as if it were an identity's */
    CHECK_EQ(send_with_bundle(s, &bad), KEYS_FAULT_ID);
    CHECK_EQ(identities_now(), 2);
    down(s);
}

TEST(what_is_wrong_with_keys_is_said_and_those_before_stay)
{
    size_t len;
    int s = up();
    CHECK_EQ(send_identity(s, &test_certs()->server), KEYS_FAULT_OK);
    uint8_t *data = segment_of(&test_certs()->client, &len);
    struct keys_header *header = (struct keys_header *)data;
    CHECK_EQ(send_bytes(s, data, len, 0), KEYS_FAULT_LENGTH); /* not sealed */
    data[len - 40] ^= 1;
    CHECK_EQ(send_bytes(s, data, len, SEALS), KEYS_FAULT_CHECKSUM);
    header->checksum = keys_checksum(data, len);
    CHECK_EQ(send_bytes(s, data, len, SEALS), KEYS_FAULT_IDENTITY);
    data[len - 40] ^= 1;
    struct keys_entry *e = (struct keys_entry *)(header + 1);
    e->id.bytes[3] ^= 1;
    header->checksum = keys_checksum(data, len);
    CHECK_EQ(send_bytes(s, data, len, SEALS), KEYS_FAULT_ID);
    free(data);
    struct test_cert mixed = {test_certs()->server.certificate, test_certs()->client.key};
    CHECK_EQ(send_identity(s, &mixed), KEYS_FAULT_OK); /* it is there: not loaded again */
    mixed = (struct test_cert){test_certs()->client.certificate, test_certs()->server.key};
    CHECK_EQ(send_identity(s, &mixed), KEYS_FAULT_IDENTITY);
    CHECK_EQ(publish(s, 1, &test_certs()->server), IMAGE_FAULT_OK);
    CHECK_EQ(house_stat(&house, STAT_core_keys_refused), 5);
    down(s);
}

TEST(a_restart_serves_the_last_image_with_its_keys)
{
    struct stat st;
    int s = up();
    CHECK_EQ(send_identity(s, &test_certs()->server), KEYS_FAULT_OK);
    CHECK_EQ(publish(s, 1, &test_certs()->server), IMAGE_FAULT_OK);
    REQUIRE(stat(house_path(&house, "dataplane/keys"), &st) == 0);
    CHECK_EQ(st.st_mode & 0777, 0600);
    house_stop(&house);
    house_start(&house);
    REQUIRE(house.h != NULL);
    CHECK_EQ(identities_now(), 1);
    CHECK_EQ(house_stat(&house, STAT_core_state_damaged), 0);
    down(s);
}

TEST(without_its_keys_the_last_image_is_refused_and_both_are_moved_aside)
{
    int s = up();
    CHECK_EQ(send_identity(s, &test_certs()->server), KEYS_FAULT_OK);
    CHECK_EQ(publish(s, 1, &test_certs()->server), IMAGE_FAULT_OK);
    REQUIRE(truncate(house_path(&house, "dataplane/keys"), 100) == 0);
    house_stop(&house);
    house_start(&house);
    REQUIRE(house.h != NULL);
    CHECK_EQ(identities_now(), -1);
    CHECK_EQ(house_stat(&house, STAT_core_state_damaged), 2);
    CHECK(access(house_path(&house, "dataplane/keys.damaged"), F_OK) == 0);
    CHECK(access(house_path(&house, "dataplane/image.damaged"), F_OK) == 0);
    down(s);
}

enum { MANY = 20 * KEYRING_READS_PER_STEP };

/* A segment of `n` identities of one certificate, each with another line before it, which no PEM
 * reader minds; to be freed by keys_segment_free(). */
static void *segment_of_many(uint32_t n, size_t *ret_len)
{
    const struct test_cert *cert = &test_certs()->server;
    struct plan_identity *identities = calloc(n, sizeof(*identities));
    for (uint32_t i = 0; i < n; i++) {
        char *text;
        int len = asprintf(&text, "%u\n%.*s", i, (int)cert->certificate.len,
                           (const char *)cert->certificate.ptr);
        REQUIRE(len > 0);
        struct slice chain = slice_of(text, (size_t)len);
        identities[i] = (struct plan_identity){"n/cert", id_of(chain), chain, cert->key};
    }
    struct plan_listener listener = {
        .is_served = true, .n_identities = n, .identities = identities};
    struct plan plan = {.n_listeners = 1, .listeners = &listener};
    void *data;
    REQUIRE(keys_segment_new(&(struct keys_segment_input){.plan = &plan}, &data, ret_len) == 0);
    for (uint32_t i = 0; i < n; i++)
        free((void *)(uintptr_t)identities[i].certificate.ptr);
    free(identities);
    return data;
}

/* Sends it without waiting for what is said to it. */
static void begin_many(int s, uint32_t n)
{
    size_t len;
    void *data = segment_of_many(n, &len);
    struct control_keys keys = {.length = len};
    int fd = house_memfd(data, len, SEALS);
    house_send(&house, s, CONTROL_KEYS, 7, &keys, sizeof(keys), fd);
    close(fd);
    keys_segment_free(data);
}

/* The answer to the manager's message of that type, and how often it was waited for. */
static uint32_t answer_to(int s, uint32_t type, unsigned *ret_polls)
{
    struct reply reply;
    for (*ret_polls = 0; !house_receive(&house, s, &reply); *ret_polls += 1)
        REQUIRE(*ret_polls <= MANY);
    CHECK_EQ(reply.msg.type, CONTROL_RESULT);
    CHECK_EQ(reply.body.result.type, type);
    return reply.body.result.fault;
}

TEST(observers_are_answered_while_many_keys_are_read_and_the_next_image_waits)
{
    struct control_hello hello = {.role = CONTROL_OBSERVER};
    struct reply reply;
    unsigned polls;
    size_t len;
    int s = up();
    begin_many(s, MANY);
    void *image = house_image(1, 0, &len);
    struct control_publish publish = {.generation = 1, .length = len};
    int fd = house_memfd(image, len, SEALS);
    house_send(&house, s, CONTROL_PUBLISH, 8, &publish, sizeof(publish), fd);
    close(fd);
    free(image);
    int observer = house_connect(&house);
    house_send(&house, observer, CONTROL_HELLO, 1, &hello, sizeof(hello), -1);
    REQUIRE(house_receive(&house, observer, &reply));
    CHECK_EQ(reply.msg.type, CONTROL_WELCOME);
    close(reply.fd);
    CHECK_EQ(house_stat(&house, STAT_core_identities_now), 0);
    CHECK(house_stat(&house, STAT_core_identities_read) > 0);
    CHECK(house_stat(&house, STAT_core_identities_read) < MANY);
    CHECK_EQ(answer_to(s, CONTROL_KEYS, &polls), KEYS_FAULT_OK);
    CHECK(polls > 10);
    CHECK_EQ(answer_to(s, CONTROL_PUBLISH, &polls), IMAGE_FAULT_OK);
    CHECK_EQ(house_stat(&house, STAT_core_identities_now), MANY);
    close(observer);
    down(s);
}

TEST(only_keys_that_are_new_are_read)
{
    unsigned polls;
    int s = up();
    begin_many(s, MANY);
    CHECK_EQ(answer_to(s, CONTROL_KEYS, &polls), KEYS_FAULT_OK);
    begin_many(s, MANY + 1);
    CHECK_EQ(answer_to(s, CONTROL_KEYS, &polls), KEYS_FAULT_OK);
    CHECK_EQ(house_stat(&house, STAT_core_identities_read), MANY + 1);
    begin_many(s, MANY - 1);
    CHECK_EQ(answer_to(s, CONTROL_KEYS, &polls), KEYS_FAULT_OK);
    CHECK_EQ(polls, 0);
    housekeeping_poll(house.h, 0);
    CHECK_EQ(house_stat(&house, STAT_core_identities_now), MANY - 1);
    CHECK_EQ(house_stat(&house, STAT_core_identities_read), MANY + 1);
    down(s);
}

TEST(keys_of_a_manager_that_goes_are_given_up)
{
    unsigned polls;
    int s = up();
    CHECK_EQ(send_identity(s, &test_certs()->client), KEYS_FAULT_OK);
    begin_many(s, MANY);
    int next = house_manager(&house); /* which ends the one before */
    CHECK_EQ(publish(next, 1, &test_certs()->client), IMAGE_FAULT_OK);
    CHECK_EQ(house_stat(&house, STAT_core_identities_now), 1);
    begin_many(next, MANY);
    CHECK_EQ(answer_to(next, CONTROL_KEYS, &polls), KEYS_FAULT_OK);
    CHECK_EQ(house_stat(&house, STAT_core_identities_now), MANY);
    CHECK_EQ(house_stat(&house, STAT_core_keys_accepted), 2);
    begin_many(next, MANY / 2); /* and what is begun when the process ends */
    close(s);
    down(next);
}

TEST(an_observer_may_not_send_keys)
{
    struct control_hello hello = {.role = CONTROL_OBSERVER};
    struct control_keys keys = {.length = 100};
    struct reply reply;
    int s = up();
    int observer = house_connect(&house);
    house_send(&house, observer, CONTROL_HELLO, 1, &hello, sizeof(hello), -1);
    REQUIRE(house_receive(&house, observer, &reply));
    house_send(&house, observer, CONTROL_KEYS, 2, &keys, sizeof(keys), -1);
    CHECK(house_is_closed(&house, observer));
    close(observer);
    down(s);
}

UNIT_MAIN("dataplane/keys", T(an_image_is_taken_when_its_keys_came_before_it),
          T(an_image_keeps_identities_that_the_ring_has_lost),
          T(an_image_that_asks_clients_for_certificates_needs_the_cas),
          T(what_is_wrong_with_keys_is_said_and_those_before_stay),
          T(a_restart_serves_the_last_image_with_its_keys),
          T(without_its_keys_the_last_image_is_refused_and_both_are_moved_aside),
          T(observers_are_answered_while_many_keys_are_read_and_the_next_image_waits),
          T(only_keys_that_are_new_are_read), T(keys_of_a_manager_that_goes_are_given_up),
          T(an_observer_may_not_send_keys))
