/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual routers as keepalived's text. */
#include "routing/keepalived_config.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static char *text_of(const struct keepalived_router *routers, uint32_t n)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    REQUIRE(to != NULL);
    keepalived_config_write(routers, n, "/run/sluice/vrrp.fifo", to);
    fclose(to);
    return text;
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

TEST(a_virtual_router_is_an_instance_for_each_family)
{
    struct keepalived_router r = {.link = "p0.7",
                                  .id = 51,
                                  .priority = 150,
                                  .advert_ms = 1250,
                                  .is_preempting = true,
                                  .n_addresses = 2};
    REQUIRE(ip_addr_parse("198.18.0.200", &r.addresses[0]));
    REQUIRE(ip_addr_parse("fe80::51", &r.addresses[1]));
    char *text = text_of(&r, 1);
    CHECK(has(text, "vrrp_notify_fifo /run/sluice/vrrp.fifo\n"));
    CHECK(has(text, "vrrp_instance v4-51 {\n"));
    CHECK(has(text, "vrrp_instance v6-51 {\n"));
    CHECK(has(text, "    interface p0.7\n    virtual_router_id 51\n    priority 150\n"));
    CHECK(has(text, "advert_int 1.25\n"));
    CHECK(has(text, "        198.18.0.200/32\n"));
    CHECK(has(text, "        fe80::51/128\n"));
    CHECK(!has(text, "nopreempt"));
    free(text);
}

TEST(a_family_without_an_address_has_no_instance)
{
    struct keepalived_router r = {.link = "p0", .id = 1, .advert_ms = 10, .n_addresses = 1};
    REQUIRE(ip_addr_parse("198.18.0.200", &r.addresses[0]));
    char *text = text_of(&r, 1);
    CHECK(!has(text, "v6-"));
    CHECK(has(text, "advert_int 0.01\n"));
    CHECK(has(text, "nopreempt\n"));
    free(text);
}

UNIT_MAIN("mgmt/routing/keepalived", T(a_virtual_router_is_an_instance_for_each_family),
          T(a_family_without_an_address_has_no_instance))
