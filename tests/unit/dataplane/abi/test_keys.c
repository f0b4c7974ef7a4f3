/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of keys: good ones pass, each way of being wrong has its name. */
#include "abi/keys.h"
#include "unit.h"

#include <string.h>

/* Two identities of a few letters each. */
struct two {
    struct keys_header header;
    struct keys_entry entries[2];
    char text[8];
};

static void seal(struct two *s)
{
    s->header.checksum = keys_checksum(s, sizeof(*s));
}

static struct two good(void)
{
    struct two s;
    memset(&s, 0, sizeof(s));
    s.header = (struct keys_header){.magic = KEYS_MAGIC, .version = KEYS_VERSION, .count = 2};
    s.header.length = sizeof(s);
    memcpy(s.text, "AAkBBk", 6);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t at = (uint32_t)offsetof(struct two, text) + 3 * i;
        s.entries[i] = (struct keys_entry){.certificate_offset = at, .certificate_length = 2};
        s.entries[i].key_offset = at + 2;
        s.entries[i].key_length = 1;
        s.entries[i].id.bytes[0] = (uint8_t)(i + 1);
    }
    seal(&s);
    return s;
}

static enum keys_fault check(struct two *s, uint32_t *ret_index)
{
    seal(s);
    return keys_check(s, sizeof(*s), ret_index);
}

TEST(a_good_segment_and_an_empty_one_pass)
{
    struct two s = good();
    uint32_t index = 7;
    CHECK_EQ(keys_check(&s, sizeof(s), &index), KEYS_FAULT_OK);
    CHECK_EQ(index, 0);
    CHECK(memcmp(keys_certificate(&s, &s.entries[1]).ptr, "BB", 2) == 0);
    CHECK_EQ(keys_key(&s, &s.entries[0]).ptr[0], 'k');
    s.header.count = 0;
    s.header.length = sizeof(s.header);
    s.header.checksum = keys_checksum(&s, sizeof(s.header));
    CHECK_EQ(keys_check(&s, sizeof(s.header), &index), KEYS_FAULT_OK);
}

TEST(each_fault_of_the_whole_has_its_name)
{
    struct two s = good();
    uint32_t index;
    CHECK_EQ(keys_check(&s, sizeof(s.header) - 1, &index), KEYS_FAULT_LENGTH);
    CHECK_EQ(keys_check(&s, sizeof(s) - 1, &index), KEYS_FAULT_LENGTH);
    s.header.magic ^= 1;
    CHECK_EQ(keys_check(&s, sizeof(s), &index), KEYS_FAULT_MAGIC);
    s = good();
    s.header.version++;
    CHECK_EQ(keys_check(&s, sizeof(s), &index), KEYS_FAULT_VERSION);
    s = good();
    s.header.tickets = KEYS_TICKETS_MAX + 1;
    CHECK_EQ(check(&s, &index), KEYS_FAULT_LENGTH);
    s = good();
    s.header.tickets = 1; /* and no room for it */
    CHECK_EQ(check(&s, &index), KEYS_FAULT_LENGTH);
    s = good();
    s.header.count = 3;
    CHECK_EQ(check(&s, &index), KEYS_FAULT_LENGTH);
    s = good();
    s.text[0] ^= 1;
    CHECK_EQ(keys_check(&s, sizeof(s), &index), KEYS_FAULT_CHECKSUM);
}

TEST(each_fault_of_an_entry_names_the_entry)
{
    struct two s = good();
    uint32_t index = 0;
    s.entries[1].id = s.entries[0].id;
    CHECK_EQ(check(&s, &index), KEYS_FAULT_ENTRY);
    CHECK_EQ(index, 1);
    s = good();
    s.entries[1].certificate_length = 0;
    CHECK_EQ(check(&s, &index), KEYS_FAULT_ENTRY);
    s = good();
    s.entries[1].key_offset = sizeof(s);
    CHECK_EQ(check(&s, &index), KEYS_FAULT_ENTRY);
    CHECK_EQ(index, 1);
    s = good();
    s.entries[0].key_length = UINT32_MAX;
    CHECK_EQ(check(&s, &index), KEYS_FAULT_ENTRY);
    CHECK_EQ(index, 0);
    s = good();
    s.entries[0].certificate_offset = sizeof(s.header); /* among the entries */
    CHECK_EQ(check(&s, &index), KEYS_FAULT_ENTRY);
}

TEST(an_entry_without_a_key_is_a_bundle_and_has_no_place_for_one)
{
    struct two s = good();
    uint32_t index = 0;
    CHECK(!keys_is_bundle(&s.entries[1]));
    s.entries[1].key_length = 0;
    CHECK_EQ(check(&s, &index), KEYS_FAULT_ENTRY);
    CHECK_EQ(index, 1);
    s.entries[1].key_offset = 0;
    CHECK_EQ(check(&s, &index), KEYS_FAULT_OK);
    CHECK(keys_is_bundle(&s.entries[1]));
    s.entries[1].certificate_length = 0;
    CHECK_EQ(check(&s, &index), KEYS_FAULT_ENTRY);
}

UNIT_MAIN("abi/keys", T(a_good_segment_and_an_empty_one_pass),
          T(an_entry_without_a_key_is_a_bundle_and_has_no_place_for_one),
          T(each_fault_of_the_whole_has_its_name), T(each_fault_of_an_entry_names_the_entry))
