/* SPDX-License-Identifier: Apache-2.0 */
/* mgmtd's end of the control socket against a dataplane of the test's own behind a real socket. */
#include "base/container.h"
#include "loop/loop.h"
#include "publish/control_io.h"
#include "publish/publish.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ROUNDS_MAX 200
#define ROUND_US 10000

/* What the upcalls said. */
struct heard {
    unsigned connected;
    unsigned disconnected;
    unsigned refused;
    uint64_t generation;
    struct control_welcome welcome;
    struct control_result result;
    bool had_telemetry;
};

/* One test's world: both ends. */
static struct world {
    struct loop *loop;
    struct publish *publish;
    struct heard heard;
    int listener;
    int peer; /* the dataplane's end of the connection; -1: none */
    char dir[64];
    struct control_received received;
} w;

static void on_connected(void *owner, const struct control_welcome *welcome, int telemetry_fd)
{
    struct heard *h = owner;
    h->connected++;
    h->welcome = *welcome;
    h->had_telemetry = telemetry_fd >= 0;
}

static void on_disconnected(void *owner)
{
    ((struct heard *)owner)->disconnected++;
}

static void on_generation(void *owner, uint64_t generation)
{
    ((struct heard *)owner)->generation = generation;
}

static void on_refused(void *owner, const struct control_result *result)
{
    ((struct heard *)owner)->refused++;
    ((struct heard *)owner)->result = *result;
}

static void listen_as_dataplane(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" CONTROL_SOCKET_NAME, w.dir);
    unlink(addr.sun_path);
    w.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(bind(w.listener, (const struct sockaddr *)&addr, sizeof(addr)) == 0);
    REQUIRE(listen(w.listener, 4) == 0);
}

static void begin(void)
{
    memset(&w, 0, sizeof(w));
    w.listener = -1;
    w.peer = -1;
    snprintf(w.dir, sizeof(w.dir), "/tmp/sluice-test-publish-XXXXXX");
    REQUIRE(mkdtemp(w.dir) != NULL);
    REQUIRE(loop_new(&w.loop) == 0);
    struct publish_upcalls upcalls = {.on_connected = on_connected,
                                      .on_disconnected = on_disconnected,
                                      .on_generation = on_generation,
                                      .on_refused = on_refused,
                                      .owner = &w.heard};
    REQUIRE(publish_new(w.loop, w.dir, &upcalls, &w.publish) == 0);
}

static void end(void)
{
    char path[128];
    publish_free(w.publish);
    loop_free(w.loop);
    if (w.peer >= 0)
        close(w.peer);
    if (w.listener >= 0)
        close(w.listener);
    snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET_NAME, w.dir);
    unlink(path);
    CHECK_EQ(rmdir(w.dir), 0);
}

static void rounds(unsigned n)
{
    while (n-- > 0)
        REQUIRE(loop_round(w.loop, 1000) == 0);
}

static void accept_peer(void)
{
    for (unsigned i = 0; i < ROUNDS_MAX && w.peer < 0; i++) {
        REQUIRE(loop_round(w.loop, ROUND_US) == 0);
        w.peer = accept4(w.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    REQUIRE(w.peer >= 0);
}

/* The next message that the dataplane gets, in w.received. */
static void expect(enum control_type type)
{
    int result = -EAGAIN;
    for (unsigned i = 0; i < ROUNDS_MAX && result == -EAGAIN; i++) {
        REQUIRE(loop_round(w.loop, 1000) == 0);
        result = control_receive(w.peer, &w.received);
    }
    REQUIRE(result == 0);
    CHECK_EQ(w.received.msg.type, type);
}

static void send_welcome(uint64_t generation)
{
    struct control_welcome welcome = {.generation = generation, .workers = 2};
    int telemetry = memfd_create("test", MFD_CLOEXEC);
    REQUIRE(control_send(w.peer, CONTROL_WELCOME, 1, &welcome, sizeof(welcome), telemetry) == 0);
    close(telemetry);
    rounds(3);
}

static void connect_both(void)
{
    begin();
    listen_as_dataplane();
    accept_peer();
    expect(CONTROL_HELLO);
    send_welcome(7);
}

TEST(a_dataplane_that_comes_later_is_found)
{
    begin();
    rounds(5);
    CHECK(!publish_is_connected(w.publish));
    CHECK_EQ(publish_image(w.publish, 1, "x", 1), -ENOTCONN);
    CHECK_EQ(publish_endpoints(w.publish, 1, 0, NULL, 0), -ENOTCONN);
    listen_as_dataplane();
    accept_peer();
    expect(CONTROL_HELLO);
    struct control_hello hello;
    memcpy(&hello, w.received.body, sizeof(hello));
    CHECK_EQ(hello.role, CONTROL_MANAGER);
    send_welcome(7);
    CHECK_EQ(w.heard.connected, 1);
    CHECK_EQ(w.heard.welcome.generation, 7);
    CHECK(w.heard.had_telemetry);
    end();
}

TEST(an_image_arrives_whole_and_sealed)
{
    char image[100000];
    struct stat st;
    memset(image, 'i', sizeof(image));
    connect_both();
    REQUIRE(publish_image(w.publish, 8, image, sizeof(image)) == 0);
    expect(CONTROL_PUBLISH);
    struct control_publish body;
    memcpy(&body, w.received.body, sizeof(body));
    CHECK_EQ(body.generation, 8);
    CHECK_EQ(body.length, sizeof(image));
    REQUIRE(w.received.fd >= 0 && fstat(w.received.fd, &st) == 0);
    CHECK_EQ(st.st_size, sizeof(image));
    CHECK_EQ(fcntl(w.received.fd, F_GET_SEALS),
             F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    close(w.received.fd);
    struct control_generation served = {.generation = 8};
    REQUIRE(control_send(w.peer, CONTROL_GENERATION, 0, &served, sizeof(served), -1) == 0);
    rounds(3);
    CHECK_EQ(w.heard.generation, 8);
    end();
}

TEST(records_keep_their_order_and_carry_checksum_and_version)
{
    struct endpoint endpoints[2] = {{.port = 80, .weight = 1, .flags = ENDPOINT_READY},
                                    {.port = 81, .weight = 1, .flags = ENDPOINT_READY}};
    uint64_t last_version = 0;
    connect_both();
    for (uint32_t g = 0; g < 3; g++)
        REQUIRE(publish_endpoints(w.publish, 100 + g, 0, endpoints, 2) == 0);
    for (uint32_t g = 0; g < 3; g++) {
        expect(CONTROL_ENDPOINTS);
        struct endpoint_record record;
        memcpy(&record, w.received.body, sizeof(record));
        CHECK_EQ(record.group, 100 + g);
        CHECK(record.version > last_version);
        last_version = record.version;
        CHECK_EQ(w.received.msg.length, sizeof(record) + sizeof(endpoints));
        CHECK(record.checksum == endpoints_checksum(endpoints, 2));
    }
    CHECK_EQ(publish_endpoints(w.publish, ENDPOINT_GROUPS_MAX, 0, endpoints, 1), -EINVAL);
    CHECK_EQ(publish_endpoints(w.publish, 1, 0, endpoints, ENDPOINTS_PER_GROUP_MAX + 1), -EINVAL);
    end();
}

TEST(what_waits_is_replaced_by_what_is_newer)
{
    static struct endpoint endpoints[ENDPOINTS_PER_GROUP_MAX];
    unsigned records = 0;
    uint64_t version_of_group_5 = 0;
    connect_both();
    /* Nobody reads: the socket fills up, then the queue. */
    for (uint32_t i = 0; i < 50; i++)
        REQUIRE(publish_endpoints(w.publish, 1000 + i, 0, endpoints, ENDPOINTS_PER_GROUP_MAX) == 0);
    rounds(3);
    for (uint32_t i = 0; i < 10; i++)
        REQUIRE(publish_endpoints(w.publish, 5, 0, endpoints, i) == 0);
    for (uint32_t i = 0; i < 10; i++)
        REQUIRE(publish_image(w.publish, 10 + i, "image", 5) == 0);
    for (unsigned i = 0; i < 51; i++) {
        expect(CONTROL_ENDPOINTS);
        struct endpoint_record record;
        memcpy(&record, w.received.body, sizeof(record));
        records++;
        if (record.group == 5) {
            CHECK_EQ(record.count, 9);
            version_of_group_5 = record.version;
        }
    }
    CHECK_EQ(records, 51);
    CHECK(version_of_group_5 > 50);
    expect(CONTROL_PUBLISH);
    struct control_publish body;
    memcpy(&body, w.received.body, sizeof(body));
    CHECK_EQ(body.generation, 19);
    close(w.received.fd);
    end();
}

/* How many messages the dataplane gets until nothing more comes. */
static unsigned drain(void)
{
    unsigned n = 0;
    rounds(3);
    while (control_receive(w.peer, &w.received) == 0) {
        n++;
        rounds(1);
    }
    return n;
}

TEST(no_more_goes_than_answers_can_come_back)
{
    struct endpoint endpoint = {.port = 80, .weight = 1, .flags = ENDPOINT_READY};
    struct control_result result = {.type = CONTROL_ENDPOINTS};
    unsigned n = 10 * PUBLISH_UNANSWERED_MAX, got = 0, bursts = 0;
    connect_both();
    for (uint32_t g = 0; g < n; g++)
        REQUIRE(publish_endpoints(w.publish, g, 0, &endpoint, 1) == 0);
    while (got < n) {
        unsigned more = drain();
        CHECK(more > 0 && more <= PUBLISH_UNANSWERED_MAX);
        REQUIRE(more > 0);
        got += more;
        bursts++;
        for (unsigned i = 0; i < more; i++)
            REQUIRE(control_send(w.peer, CONTROL_RESULT, 1, &result, sizeof(result), -1) == 0);
    }
    CHECK_EQ(got, n);
    CHECK(bursts >= n / PUBLISH_UNANSWERED_MAX);
    CHECK_EQ(w.heard.disconnected, 0);
    end();
}

TEST(a_dataplane_that_restarts_is_told_apart_and_found_again)
{
    connect_both();
    REQUIRE(publish_image(w.publish, 8, "image", 5) == 0);
    close(w.peer);
    w.peer = -1;
    rounds(3);
    CHECK_EQ(w.heard.disconnected, 1);
    CHECK(!publish_is_connected(w.publish));
    accept_peer();
    expect(CONTROL_HELLO); /* and not the image that was queued for the old one */
    send_welcome(0);
    CHECK_EQ(w.heard.connected, 2);
    end();
}

TEST(refusals_are_heard_with_their_words)
{
    struct control_result result = {
        .type = CONTROL_PUBLISH, .fault = 3, .offset = 64, .subject = 8};
    memset(result.text, 'x', sizeof(result.text)); /* no NUL */
    connect_both();
    REQUIRE(control_send(w.peer, CONTROL_RESULT, 1, &result, sizeof(result), -1) == 0);
    rounds(3);
    CHECK_EQ(w.heard.refused, 1);
    CHECK_EQ(w.heard.result.offset, 64);
    CHECK_EQ(strlen(w.heard.result.text), sizeof(result.text) - 1);
    end();
}

TEST(a_dataplane_that_talks_nonsense_is_left)
{
    static const char *const nonsense[] = {"", "x", "0123456789012345678901234567890123456789"};
    for (unsigned i = 1; i < array_len(nonsense); i++) {
        connect_both();
        REQUIRE(send(w.peer, nonsense[i], strlen(nonsense[i]), 0) > 0);
        rounds(3);
        CHECK_EQ(w.heard.disconnected, 1);
        end();
    }
    connect_both();
    struct control_generation short_one = {0};
    REQUIRE(control_send(w.peer, CONTROL_GENERATION, 0, &short_one, 4, -1) == 0);
    rounds(3);
    CHECK_EQ(w.heard.disconnected, 1);
    end();
}

UNIT_MAIN("mgmt/publish", T(a_dataplane_that_comes_later_is_found),
          T(an_image_arrives_whole_and_sealed),
          T(records_keep_their_order_and_carry_checksum_and_version),
          T(what_waits_is_replaced_by_what_is_newer), T(no_more_goes_than_answers_can_come_back),
          T(a_dataplane_that_restarts_is_told_apart_and_found_again),
          T(refusals_are_heard_with_their_words), T(a_dataplane_that_talks_nonsense_is_left))
