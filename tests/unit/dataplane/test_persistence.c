/* SPDX-License-Identifier: Apache-2.0 */
/* What a restarted dataplane knows, from files that are whole, cut anywhere, or damaged. */
#include "house.h"
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct house house;

static void restart(void)
{
    house_stop(&house);
    house_start(&house);
    REQUIRE(house.h != NULL);
}

static size_t read_file(const char *name, uint8_t *buffer, size_t bytes)
{
    int fd = open(house_path(&house, name), O_RDONLY);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, buffer, bytes);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

static void write_file(const char *name, const uint8_t *data, size_t length)
{
    int fd = open(house_path(&house, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, data, length) == (ssize_t)length);
    close(fd);
}

static bool file_exists(const char *name)
{
    struct stat st;
    return stat(house_path(&house, name), &st) == 0;
}

/* The port of the group's endpoint; 0: no such group. */
static unsigned port_of(uint32_t group)
{
    const struct endpoint_group *g = endpoint_group_get(house.endpoints, group);
    return g != NULL && g->count == 1 ? g->endpoints[0].port : 0;
}

TEST(a_first_start_finds_nothing_and_serves_nothing)
{
    house_make(&house);
    house_start(&house);
    REQUIRE(house.h != NULL);
    CHECK(generation_current(housekeeping_generations(house.h)) == NULL);
    CHECK_EQ(house_stat(&house, STAT_core_state_damaged), 0);
    house_stop(&house);
    house_remove(&house);
}

TEST(a_restart_serves_the_last_image_and_endpoints_without_a_manager)
{
    struct control_hello hello = {.role = CONTROL_MANAGER};
    struct reply reply;
    house_make(&house);
    house_start(&house);
    int s = house_manager(&house);
    CHECK_EQ(house_publish(&house, s, 3), 0);
    CHECK_EQ(house_publish(&house, s, 4), 0);
    for (uint32_t group = 0; group < 10; group++)
        CHECK_EQ(house_endpoints(&house, s, house_record(group, 1, (uint16_t)(100 + group))), 0);
    CHECK_EQ(house_endpoints(&house, s, house_record(5, 2, 999)), 0);
    close(s);
    restart();
    CHECK_EQ(generation_number(generation_current(housekeeping_generations(house.h))), 4);
    CHECK_EQ(port_of(4), 104);
    CHECK_EQ(port_of(5), 999);
    CHECK_EQ(port_of(10), 0);
    house_workers_follow(&house);
    housekeeping_poll(house.h, 0);
    s = house_connect(&house);
    house_send(&house, s, CONTROL_HELLO, 1, &hello, sizeof(hello), -1);
    REQUIRE(house_receive(&house, s, &reply));
    CHECK_EQ(reply.body.welcome.generation, 4);
    CHECK(reply.body.welcome.image_checksum != 0);
    close(reply.fd);
    CHECK(house_publish(&house, s, 4) > 0); /* not newer than what is served */
    CHECK_EQ(house_publish(&house, s, 5), 0);
    close(s);
    house_stop(&house);
    house_remove(&house);
}

TEST(a_damaged_image_is_refused_reported_and_moved_aside)
{
    static uint8_t bytes[65536];
    house_make(&house);
    house_start(&house);
    int s = house_manager(&house);
    CHECK_EQ(house_publish(&house, s, 3), 0);
    close(s);
    size_t length = read_file("dataplane/image", bytes, sizeof(bytes));
    REQUIRE(length > 64);
    for (size_t cut = 0; cut < length; cut += 24) {
        write_file("dataplane/image", bytes, cut);
        restart();
        CHECK(generation_current(housekeeping_generations(house.h)) == NULL);
        CHECK_EQ(house_stat(&house, STAT_core_state_damaged), 1);
        CHECK(!file_exists("dataplane/image"));
        CHECK(file_exists("dataplane/image.damaged"));
    }
    bytes[20] ^= 1;
    write_file("dataplane/image", bytes, length);
    restart();
    CHECK(generation_current(housekeeping_generations(house.h)) == NULL);
    bytes[20] ^= 1;
    write_file("dataplane/image", bytes, length);
    restart();
    CHECK(generation_current(housekeeping_generations(house.h)) != NULL);
    house_stop(&house);
    house_remove(&house);
}

enum { GROUPS = 4, ENTRY_BYTES = 16 + 24 + 32 };

/* A log of GROUPS entries; gives its bytes. */
static size_t make_log(uint8_t *ret, size_t bytes)
{
    house_make(&house);
    house_start(&house);
    int s = house_manager(&house);
    for (uint32_t group = 0; group < GROUPS; group++)
        CHECK_EQ(house_endpoints(&house, s, house_record(group, 1, (uint16_t)(100 + group))), 0);
    close(s);
    house_stop(&house);
    size_t length = read_file("dataplane/endpoints", ret, bytes);
    REQUIRE(length == GROUPS * ENTRY_BYTES);
    return length;
}

TEST(a_log_cut_at_any_offset_gives_what_came_before_the_cut)
{
    static uint8_t bytes[4096];
    size_t length = make_log(bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= length; cut++) {
        write_file("dataplane/endpoints", bytes, cut);
        house_start(&house);
        REQUIRE(house.h != NULL);
        for (uint32_t group = 0; group < GROUPS; group++)
            CHECK_EQ(port_of(group), (group + 1) * ENTRY_BYTES <= cut ? 100 + group : 0);
        CHECK_EQ(house_stat(&house, STAT_core_state_damaged), 0); /* a crash is no damage */
        /* The torn end is gone: what is appended now is found again. */
        int s = house_manager(&house);
        CHECK_EQ(house_endpoints(&house, s, house_record(50, 1, 500)), 0);
        close(s);
        restart();
        CHECK_EQ(port_of(50), 500);
        CHECK_EQ(port_of(0), cut >= ENTRY_BYTES ? 100 : 0);
        house_stop(&house);
    }
    house_remove(&house);
}

TEST(a_log_with_any_byte_flipped_gives_what_came_before_and_is_kept_to_look_at)
{
    static uint8_t bytes[4096];
    size_t length = make_log(bytes, sizeof(bytes));
    for (size_t at = 0; at < length; at++) {
        bytes[at] ^= 0x20;
        write_file("dataplane/endpoints", bytes, length);
        bytes[at] ^= 0x20;
        house_start(&house);
        REQUIRE(house.h != NULL);
        uint32_t n_good = (uint32_t)(at / ENTRY_BYTES);
        for (uint32_t group = 0; group < GROUPS; group++)
            CHECK_EQ(port_of(group), group < n_good ? 100 + group : 0);
        /* A length that grew looks like a cut; all else is damage. */
        CHECK(house_stat(&house, STAT_core_state_damaged) == 1 || at % ENTRY_BYTES / 4 == 1);
        restart();
        CHECK_EQ(house_stat(&house, STAT_core_state_damaged), 0);
        CHECK_EQ(port_of(0), n_good > 0 ? 100 : 0);
        house_stop(&house);
    }
    CHECK(file_exists("dataplane/endpoints.damaged"));
    house_remove(&house);
}

TEST(a_log_of_many_updates_of_few_groups_stays_small)
{
    struct stat st;
    house_make(&house);
    house_start(&house);
    int s = house_manager(&house);
    struct endpoint_record hashed = {.group = 7, .version = 1, .flags = ENDPOINT_RECORD_HASHED};
    hashed.checksum = endpoints_checksum(NULL, 0);
    CHECK_EQ(house_endpoints(&house, s, &hashed), 0);
    for (unsigned i = 1; i <= 40000; i++) {
        if (house_endpoints(&house, s, house_record(i % 3, i, (uint16_t)(i % 60000 + 1))) != 0)
            CU_FAIL_FATAL("an update was refused");
    }
    REQUIRE(stat(house_path(&house, "dataplane/endpoints"), &st) == 0);
    CHECK(st.st_size < 1200000);
    close(s);
    restart();
    CHECK_EQ(port_of(40000 % 3), 40001);
    CHECK_EQ(port_of(39999 % 3), 40000);
    CHECK_EQ(endpoint_group_get(house.endpoints, 7)->flags, ENDPOINT_RECORD_HASHED);
    house_stop(&house);
    house_remove(&house);
}

UNIT_MAIN("persistence", T(a_first_start_finds_nothing_and_serves_nothing),
          T(a_restart_serves_the_last_image_and_endpoints_without_a_manager),
          T(a_damaged_image_is_refused_reported_and_moved_aside),
          T(a_log_cut_at_any_offset_gives_what_came_before_the_cut),
          T(a_log_with_any_byte_flipped_gives_what_came_before_and_is_kept_to_look_at),
          T(a_log_of_many_updates_of_few_groups_stays_small))
