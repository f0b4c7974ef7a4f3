/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoint records: good ones pass, each way of being wrong has its name. */
#include "abi/endpoints.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

struct two {
    struct endpoint_record header;
    struct endpoint endpoints[2];
};

static struct two good(void)
{
    struct two r;
    memset(&r, 0, sizeof(r));
    r.header.group = 5;
    r.header.count = 2;
    r.header.version = 1;
    for (unsigned i = 0; i < 2; i++) {
        ip_addr_parse("198.18.0.1", &r.endpoints[i].addr);
        r.endpoints[i].port = (uint16_t)(8080 + i);
        r.endpoints[i].weight = 1;
        r.endpoints[i].flags = ENDPOINT_READY | ENDPOINT_SERVING;
    }
    r.header.checksum = endpoints_checksum(r.endpoints, 2);
    return r;
}

static enum endpoints_fault check(struct two *r)
{
    r->header.checksum = endpoints_checksum(r->endpoints, 2);
    return endpoints_check(r, sizeof(*r));
}

TEST(a_good_record_and_an_empty_one_pass)
{
    struct two r = good();
    CHECK_EQ(endpoints_check(&r, sizeof(r)), ENDPOINTS_FAULT_OK);
    r.header.count = 0;
    r.header.checksum = endpoints_checksum(NULL, 0);
    CHECK_EQ(endpoints_check(&r, sizeof(r.header)), ENDPOINTS_FAULT_OK);
}

TEST(each_fault_has_its_name)
{
    struct two r = good();
    r.header.group = ENDPOINT_GROUPS_MAX;
    CHECK_EQ(check(&r), ENDPOINTS_FAULT_GROUP);
    r = good();
    r.header.count = ENDPOINTS_PER_GROUP_MAX + 1;
    CHECK_EQ(check(&r), ENDPOINTS_FAULT_COUNT);
    r = good();
    r.header.flags = ENDPOINT_RECORD_HASHED;
    CHECK_EQ(check(&r), ENDPOINTS_FAULT_OK);
    r.header.flags = ENDPOINT_RECORD_HASHED << 1;
    CHECK_EQ(check(&r), ENDPOINTS_FAULT_FLAGS);
    r = good();
    r.header.checksum ^= 1;
    CHECK_EQ(endpoints_check(&r, sizeof(r)), ENDPOINTS_FAULT_CHECKSUM);
    r = good();
    r.endpoints[1].port = 0;
    CHECK_EQ(check(&r), ENDPOINTS_FAULT_ENDPOINT);
    r = good();
    memset(&r.endpoints[1].addr, 0, sizeof(r.endpoints[1].addr));
    CHECK_EQ(check(&r), ENDPOINTS_FAULT_ENDPOINT);
    r = good();
    r.endpoints[0].flags = 8;
    CHECK_EQ(check(&r), ENDPOINTS_FAULT_ENDPOINT);
    r = good();
    r.endpoints[0].reserved = 1;
    CHECK_EQ(check(&r), ENDPOINTS_FAULT_ENDPOINT);
    CHECK_STR(endpoints_fault_name(ENDPOINTS_FAULT_STALE), "STALE");
}

TEST(a_record_cut_anywhere_or_with_a_byte_flipped_is_refused)
{
    struct two r = good();
    for (size_t len = 0; len < sizeof(r); len++) {
        void *exact = malloc(len != 0 ? len : 1);
        memcpy(exact, &r, len);
        CHECK_EQ(endpoints_check(exact, len), ENDPOINTS_FAULT_LENGTH);
        free(exact);
    }
    for (size_t i = offsetof(struct two, header.count); i < sizeof(r); i++) {
        struct two bad = r;
        ((uint8_t *)&bad)[i] ^= 0x40;
        bool is_version =
            i >= offsetof(struct two, header.version) && i < offsetof(struct two, header.checksum);
        CHECK_EQ(endpoints_check(&bad, sizeof(bad)) == ENDPOINTS_FAULT_OK, is_version);
    }
}

UNIT_MAIN("abi/endpoints", T(a_good_record_and_an_empty_one_pass), T(each_fault_has_its_name),
          T(a_record_cut_anywhere_or_with_a_byte_flipped_is_refused))
