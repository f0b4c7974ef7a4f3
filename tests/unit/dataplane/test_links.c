/* SPDX-License-Identifier: Apache-2.0 */
/* Which of its devices a port uses, by carriers that the test makes up. */
#include "core/links.h"
#include "core/port_setup.h"
#include "house.h"
#include "unit.h"

#include <string.h>

#define POLLS_MAX 500u /* of 10 ms each: a machine may be slow */

static struct house house;
static struct links links;
static struct port_setup ports[HOUSE_PORTS];
static char up[8]; /* the members that have a carrier, a letter each */

static bool has_carrier(const char *iface)
{
    return strchr(up, iface[0]) != NULL;
}

/* p0 is one device, p1 has members a, b, c. */
static void house_up(const char *with_carrier)
{
    memset(&links, 0, sizeof(links));
    memset(ports, 0, sizeof(ports));
    strcpy(up, with_carrier);
    ports[1] = (struct port_setup){
        .info = {.index = 1, .name = "p1", .dpdk_port = 100},
        .n_members = 3,
        .members = {{100, "a"}, {101, "b"}, {102, "c"}},
    };
    ports[0].info.dpdk_port = 99; /* none of them exists, so they have no counters */
    house_make(&house);
    house.ports = ports;
    house.links = &links;
    house.has_carrier = has_carrier;
    house_start(&house);
    REQUIRE(house.h != NULL);
}

static void house_down(void)
{
    house_stop(&house);
    house_remove(&house);
}

/* Lets housekeeping look until so many members are known to be down, and then once more. */
static void look(uint64_t n_down)
{
    for (unsigned i = 0; i < POLLS_MAX && house_stat(&house, STAT_core_links_down_now) != n_down;
         i++)
        housekeeping_poll(house.h, 10);
    CHECK_EQ(house_stat(&house, STAT_core_links_down_now), n_down);
}

TEST(the_first_member_is_used_as_long_as_it_has_a_carrier)
{
    house_up("ac");
    look(1);
    CHECK_EQ(links_active(&links, 1), 0);
    CHECK_EQ(links_version(&links), 0);
    CHECK_EQ(house_stat(&house, STAT_core_link_changes), 0);
    house_down();
}

TEST(a_port_turns_to_a_member_with_a_carrier_and_stays_with_it)
{
    house_up("bc");
    look(1);
    CHECK_EQ(links_active(&links, 1), 1);
    CHECK_EQ(links_active(&links, 0), 0);
    CHECK_EQ(links_version(&links), 1);
    CHECK_EQ(house_stat(&house, STAT_core_link_changes), 1);
    strcpy(up, "abc");
    look(0);
    CHECK_EQ(links_active(&links, 1), 1);
    CHECK_EQ(links_version(&links), 1);
    strcpy(up, "c");
    look(2);
    CHECK_EQ(links_active(&links, 1), 2);
    CHECK_EQ(links_version(&links), 2);
    house_down();
}

TEST(without_any_carrier_nothing_is_changed)
{
    house_up("");
    look(3);
    CHECK_EQ(links_active(&links, 1), 0);
    CHECK_EQ(links_version(&links), 0);
    house_down();
}

UNIT_MAIN("links", T(the_first_member_is_used_as_long_as_it_has_a_carrier),
          T(a_port_turns_to_a_member_with_a_carrier_and_stays_with_it),
          T(without_any_carrier_nothing_is_changed))
