/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket, by real sockets: what mgmtd and observers may do, and what garbage does. */
#include "abi/image.h"
#include "abi/stats_read.h"
#include "base/rng.h"
#include "house.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static struct house house;

static void up(void)
{
    house_make(&house);
    house_start(&house);
    REQUIRE(house.h != NULL);
}

static void down(void)
{
    house_stop(&house);
    house_remove(&house);
}

/* Descriptors that this process has: a leak would show. */
static unsigned open_fds(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

TEST(the_socket_is_for_its_owner_alone_and_goes_with_the_process)
{
    struct stat st;
    up();
    REQUIRE(stat(house_path(&house, CONTROL_SOCKET_NAME), &st) == 0);
    CHECK(S_ISSOCK(st.st_mode));
    CHECK_EQ(st.st_mode & 0777, 0600);
    house_stop(&house);
    CHECK(stat(house_path(&house, CONTROL_SOCKET_NAME), &st) != 0);
    house_remove(&house);
}

TEST(a_second_dataplane_does_not_take_a_live_socket)
{
    struct house second;
    up();
    second = house;
    house_start(&second);
    CHECK(second.h == NULL);
    CHECK(strstr(second.fault.text, "another dataplane") != NULL);
    house_stop(&second);
    close(house_manager(&house));
    down();
}

TEST(a_socket_that_a_dead_process_left_is_replaced)
{
    house_make(&house);
    int dead = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    REQUIRE(mknod(house_path(&house, CONTROL_SOCKET_NAME), S_IFREG | 0600, 0) == 0);
    close(dead);
    house_start(&house);
    REQUIRE(house.h != NULL);
    close(house_manager(&house));
    down();
}

TEST(welcome_carries_ports_and_telemetry_that_cannot_be_written)
{
    struct control_hello hello = {.role = CONTROL_OBSERVER};
    struct reply reply;
    struct stats_map map;
    up();
    int s = house_connect(&house);
    house_send(&house, s, CONTROL_HELLO, 42, &hello, sizeof(hello), -1);
    REQUIRE(house_receive(&house, s, &reply));
    CHECK_EQ(reply.msg.type, CONTROL_WELCOME);
    CHECK_EQ(reply.msg.id, 42);
    CHECK_EQ(reply.body.welcome.generation, 0);
    CHECK_EQ(reply.body.welcome.workers, HOUSE_WORKERS);
    CHECK_EQ(reply.body.welcome.n_ports, 2);
    CHECK_STR(reply.body.welcome.port_names[1], "p1");
    REQUIRE(reply.fd >= 0);
    telemetry_block(house.telemetry, 1)->counters[STAT_core_rx_packets] = 12345;
    REQUIRE(stats_map_open(reply.fd, &map) == 0);
    CHECK_EQ(map.header.n_workers, HOUSE_WORKERS + 1);
    CHECK_EQ(stats_map_value(&map, 1, STAT_core_rx_packets), 12345);
    CHECK_STR(stats_map_name(&map, STAT_core_rx_packets), "core_rx_packets");
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, reply.fd, 0) == MAP_FAILED);
    CHECK(ftruncate(reply.fd, 0) != 0);
    stats_map_close(&map);
    close(reply.fd);
    close(s);
    down();
}

TEST(a_good_image_is_accepted_and_announced_when_every_worker_serves_it)
{
    struct reply reply;
    up();
    int s = house_manager(&house);
    CHECK_EQ(house_publish(&house, s, 5), IMAGE_FAULT_OK);
    CHECK(!house_receive(&house, s, &reply));
    struct generation_set *g = housekeeping_generations(house.h);
    generation_report(g, 0, generation_current(g));
    CHECK(!house_receive(&house, s, &reply));
    generation_report(g, 1, generation_current(g));
    REQUIRE(house_receive(&house, s, &reply));
    CHECK_EQ(reply.msg.type, CONTROL_GENERATION);
    CHECK_EQ(reply.msg.id, 0);
    CHECK_EQ(reply.body.generation.generation, 5);
    CHECK_EQ(house_stat(&house, STAT_core_images_accepted), 1);
    close(s);
    down();
}

TEST(a_generation_that_is_not_newer_is_refused)
{
    up();
    int s = house_manager(&house);
    CHECK_EQ(house_publish(&house, s, 5), IMAGE_FAULT_OK);
    CHECK_EQ(house_publish(&house, s, 5), IMAGE_FAULT_GENERATION);
    CHECK_EQ(house_publish(&house, s, 4), IMAGE_FAULT_GENERATION);
    CHECK_EQ(house_publish(&house, s, 6), IMAGE_FAULT_OK);
    CHECK_EQ(house_stat(&house, STAT_core_images_refused), 2);
    close(s);
    down();
}

/* Publishes these bytes; true: refused with a sentence, and the old image is the current one. */
static bool is_refused(int s, const void *data, size_t length, int seals, uint64_t generation,
                       size_t said_length)
{
    struct reply reply;
    int fd = house_memfd(data, length, seals);
    struct control_publish publish = {.generation = generation, .length = said_length};
    house_send(&house, s, CONTROL_PUBLISH, 9, &publish, sizeof(publish), fd);
    close(fd);
    if (!house_receive(&house, s, &reply) || reply.msg.type != CONTROL_RESULT)
        return false;
    struct generation *g = generation_current(housekeeping_generations(house.h));
    return reply.body.result.fault != 0 && reply.body.result.text[0] != '\0' &&
           reply.body.result.subject == generation && generation_number(g) == 1;
}

TEST(what_is_wrong_with_an_image_is_said_and_the_old_one_serves_on)
{
    size_t length;
    up();
    int s = house_manager(&house);
    CHECK_EQ(house_publish(&house, s, 1), IMAGE_FAULT_OK);
    uint8_t *image = house_image(7, 0, &length);
    static const int seals[] = {0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
                                SEALS & ~F_SEAL_WRITE, SEALS & ~F_SEAL_GROW,
                                SEALS & ~F_SEAL_SHRINK};
    for (unsigned i = 0; i < sizeof(seals) / sizeof(seals[0]); i++)
        CHECK(is_refused(s, image, length, seals[i], 7, length));
    CHECK(is_refused(s, image, length, SEALS, 8, length)); /* another generation than it says */
    CHECK(is_refused(s, image, length, SEALS, 7, length - 8));
    CHECK(is_refused(s, image, length, SEALS, 7, length + 8));
    CHECK(is_refused(s, image, length - 8, SEALS, 7, length - 8));
    CHECK(is_refused(s, image, 0, SEALS, 7, 0));
    for (size_t i = 0; i < length; i += 7) {
        image[i] ^= 0x10;
        CHECK(is_refused(s, image, length, SEALS, 7, length));
        image[i] ^= 0x10;
    }
    free(image);
    image = house_image(7, HOUSE_PORTS, &length); /* on a port that is not there */
    CHECK(is_refused(s, image, length, SEALS, 7, length));
    free(image);
    CHECK_EQ(house_publish(&house, s, 7), IMAGE_FAULT_OK);
    close(s);
    down();
}

TEST(a_publication_without_a_memfd_is_refused)
{
    struct control_publish publish = {.generation = 3, .length = 4096};
    struct reply reply;
    up();
    int s = house_manager(&house);
    int null = open("/dev/zero", O_RDONLY);
    for (unsigned i = 0; i < 2; i++) {
        house_send(&house, s, CONTROL_PUBLISH, 9, &publish, sizeof(publish), i == 0 ? -1 : null);
        REQUIRE(house_receive(&house, s, &reply));
        CHECK_EQ(reply.body.result.fault, IMAGE_FAULT_LENGTH);
    }
    close(null);
    close(s);
    down();
}

TEST(a_ninth_image_waits_for_a_place_and_the_newest_of_those_that_wait_wins)
{
    struct generation_pins *pins[GENERATIONS_MAX];
    struct reply reply;
    up();
    int s = house_manager(&house);
    struct generation_set *g = housekeeping_generations(house.h);
    for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
        CHECK_EQ(house_publish(&house, s, i + 1), IMAGE_FAULT_OK);
        house_workers_follow(&house);
        pins[i] = generation_pins_of(generation_current(g), 0);
        generation_pin(pins[i]);
    }
    CHECK_EQ(house_publish(&house, s, 100), IMAGE_FAULT_OK);
    CHECK_EQ(house_publish(&house, s, 101), IMAGE_FAULT_OK);
    CHECK_EQ(house_stat(&house, STAT_core_publish_waits), 2);
    CHECK_EQ(house_stat(&house, STAT_core_generations_now), GENERATIONS_MAX);
    CHECK_EQ(generation_number(generation_current(g)), GENERATIONS_MAX);
    generation_unpin(pins[0]);
    housekeeping_poll(house.h, 0);
    CHECK_EQ(generation_number(generation_current(g)), 101);
    house_workers_follow(&house);
    while (house_receive(&house, s, &reply))
        CHECK_EQ(reply.msg.type, CONTROL_GENERATION);
    CHECK_EQ(reply.body.generation.generation, 101);
    close(s);
    down();
}

TEST(endpoints_are_published_or_refused_by_name)
{
    up();
    int s = house_manager(&house);
    CHECK_EQ(house_endpoints(&house, s, house_record(7, 1, 80)), ENDPOINTS_FAULT_OK);
    REQUIRE(endpoint_group_get(house.endpoints, 7) != NULL);
    CHECK_EQ(endpoint_group_get(house.endpoints, 7)->endpoints[0].port, 80);
    CHECK_EQ(house_endpoints(&house, s, house_record(7, 1, 81)), ENDPOINTS_FAULT_STALE);
    struct endpoint_record bad = *house_record(8, 1, 80);
    bad.checksum++;
    bad.count = 0;
    CHECK_EQ(house_endpoints(&house, s, &bad), ENDPOINTS_FAULT_CHECKSUM);
    CHECK_EQ(house_stat(&house, STAT_core_endpoints_accepted), 1);
    CHECK_EQ(house_stat(&house, STAT_core_endpoints_refused), 2);
    close(s);
    down();
}

TEST(a_new_manager_takes_over_and_counts_versions_anew)
{
    up();
    int first = house_manager(&house);
    CHECK_EQ(house_endpoints(&house, first, house_record(7, 9, 80)), ENDPOINTS_FAULT_OK);
    int second = house_manager(&house);
    CHECK(house_is_closed(&house, first));
    CHECK_EQ(house_endpoints(&house, second, house_record(7, 1, 81)), ENDPOINTS_FAULT_OK);
    close(first);
    close(second);
    down();
}

TEST(an_observer_that_tries_to_manage_is_disconnected)
{
    struct control_publish publish = {.generation = 3, .length = 4096};
    struct reply reply;
    up();
    int manager = house_manager(&house);
    int s = house_connect(&house);
    house_send(&house, s, CONTROL_HELLO, 1, &(struct control_hello){0}, 8, -1);
    CHECK(house_receive(&house, s, &reply));
    close(reply.fd);
    house_send(&house, s, CONTROL_PUBLISH, 2, &publish, sizeof(publish), -1);
    CHECK(house_is_closed(&house, s));
    CHECK_EQ(house_endpoints(&house, manager, house_record(7, 1, 80)), ENDPOINTS_FAULT_OK);
    close(s);
    close(manager);
    down();
}

TEST(random_garbage_is_disconnected_and_counted_and_leaks_nothing)
{
    struct rng rng = {.state = 11};
    uint8_t bytes[600];
    up();
    int manager = house_manager(&house);
    unsigned before = open_fds();
    for (unsigned round = 0; round < 2000; round++) {
        struct control_msg *msg = (struct control_msg *)bytes;
        size_t length = rng_below(&rng, sizeof(bytes));
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)rng_next(&rng);
        if (round % 2 == 0) /* nearly right */
            *msg = (struct control_msg){.magic = CONTROL_MAGIC,
                                        .version = CONTROL_VERSION,
                                        .type = (uint16_t)rng_below(&rng, 9),
                                        .id = rng_below(&rng, 2),
                                        .length = (uint32_t)(length - sizeof(*msg))};
        int s = house_connect(&house);
        int fd = round % 3 == 0 ? dup(manager) : -1;
        struct iovec iov = {.iov_base = bytes, .iov_len = length};
        _Alignas(struct cmsghdr) char ancillary[CMSG_SPACE(3 * sizeof(int))] = {0};
        struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
        if (fd >= 0) {
            unsigned n = 1 + rng_below(&rng, 3);
            header.msg_control = ancillary;
            header.msg_controllen = CMSG_SPACE(n * sizeof(int));
            struct cmsghdr *c = CMSG_FIRSTHDR(&header);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(n * sizeof(int));
            for (unsigned i = 0; i < n; i++)
                memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(fd));
        }
        CHECK(sendmsg(s, &header, MSG_NOSIGNAL) >= 0);
        housekeeping_poll(house.h, 0);
        close(s);
        if (fd >= 0)
            close(fd);
        housekeeping_poll(house.h, 0);
    }
    CHECK(house_stat(&house, STAT_core_control_garbage) > 1000);
    CHECK_EQ(open_fds(), before);
    CHECK_EQ(house_endpoints(&house, manager, house_record(7, 1, 80)), ENDPOINTS_FAULT_OK);
    close(manager);
    down();
}

TEST(more_peers_than_places_are_turned_away)
{
    enum { N = 24 };
    int s[N];
    unsigned closed = 0;
    up();
    for (unsigned i = 0; i < N; i++)
        s[i] = house_connect(&house);
    for (unsigned i = 0; i < N; i++) {
        closed += house_is_closed(&house, s[i]);
        close(s[i]);
    }
    CHECK_EQ(closed, N - 16);
    CHECK_EQ(house_stat(&house, STAT_core_control_turned_away), N - 16);
    housekeeping_poll(house.h, 0);
    close(house_manager(&house));
    down();
}

TEST(a_manager_that_does_not_read_is_disconnected_and_nobody_waits)
{
    up();
    int s = house_manager(&house);
    const struct endpoint_record *r = house_record(7, 1, 80);
    for (unsigned i = 0; i < 5000; i++) {
        struct control_msg msg = {.magic = CONTROL_MAGIC,
                                  .version = CONTROL_VERSION,
                                  .type = CONTROL_ENDPOINTS,
                                  .id = i + 1,
                                  .length = sizeof(*r) + sizeof(struct endpoint)};
        struct iovec iov[2] = {{.iov_base = &msg, .iov_len = sizeof(msg)},
                               {.iov_base = (void *)(uintptr_t)r, .iov_len = msg.length}};
        struct msghdr header = {.msg_iov = iov, .msg_iovlen = 2};
        if (sendmsg(s, &header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        housekeeping_poll(house.h, 0);
    }
    housekeeping_poll(house.h, 0);
    char byte;
    while (recv(s, &byte, 1, 0) > 0)
        ;
    CHECK_EQ(recv(s, &byte, 1, 0), 0);
    close(s);
    close(house_manager(&house));
    down();
}

UNIT_MAIN("control", T(the_socket_is_for_its_owner_alone_and_goes_with_the_process),
          T(a_second_dataplane_does_not_take_a_live_socket),
          T(a_socket_that_a_dead_process_left_is_replaced),
          T(welcome_carries_ports_and_telemetry_that_cannot_be_written),
          T(a_good_image_is_accepted_and_announced_when_every_worker_serves_it),
          T(a_generation_that_is_not_newer_is_refused),
          T(what_is_wrong_with_an_image_is_said_and_the_old_one_serves_on),
          T(a_publication_without_a_memfd_is_refused),
          T(a_ninth_image_waits_for_a_place_and_the_newest_of_those_that_wait_wins),
          T(endpoints_are_published_or_refused_by_name),
          T(a_new_manager_takes_over_and_counts_versions_anew),
          T(an_observer_that_tries_to_manage_is_disconnected),
          T(random_garbage_is_disconnected_and_counted_and_leaks_nothing),
          T(more_peers_than_places_are_turned_away),
          T(a_manager_that_does_not_read_is_disconnected_and_nobody_waits))
