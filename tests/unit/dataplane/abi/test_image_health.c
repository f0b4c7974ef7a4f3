/* SPDX-License-Identifier: Apache-2.0 */
/* dataplane/abi/image_check_health: what a health policy may say. */
#include "base/container.h"
#include "sample_image.h"
#include "unit.h"

#include <stdlib.h>

struct damage {
    const void *at;
    uint8_t byte;
    enum image_fault fault;
};

static void check_rows(void *data, size_t len, const struct damage *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t section;
        enum image_fault fault = fault_with(data, len, rows[i].at, rows[i].byte, &section);
        if (fault != rows[i].fault)
            printf("row %zu\n", i);
        CHECK_EQ(fault, rows[i].fault);
        CHECK_EQ(section, fault == IMAGE_FAULT_OK ? 0 : IMAGE_SECTION_HEALTH);
    }
}

/* The high byte of a little-endian field: 256 or 2^24 more. */
#define HIGH(field) ((const uint8_t *)&(field) + sizeof(field) - 1)

TEST(a_policy_that_asks_has_times_numbers_and_what_its_check_needs)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    REQUIRE(v.n_health == 2);
    const struct image_health *e = &v.health[0];
    REQUIRE(e->group == 3 && e->check == IMAGE_HEALTH_CHECK_HTTP);
    const struct damage rows[] = {
        {&e->check, IMAGE_HEALTH_CHECK_NONE, IMAGE_FAULT_VALUE},
        {&e->check, IMAGE_HEALTH_CHECK_TCP, IMAGE_FAULT_VALUE}, /* has a path */
        {&e->check, IMAGE_HEALTH_CHECKS, IMAGE_FAULT_VALUE},
        {HIGH(e->interval_ms), 6, IMAGE_FAULT_VALUE},                 /* 28 h */
        {(const uint8_t *)&e->interval_ms + 1, 0, IMAGE_FAULT_VALUE}, /* below the timeout */
        {(const uint8_t *)&e->timeout_ms + 1, 0, IMAGE_FAULT_OK},     /* 232 ms */
        {HIGH(e->timeout_ms), 1, IMAGE_FAULT_VALUE},                  /* above the interval */
        {&e->healthy_checks, 0, IMAGE_FAULT_VALUE},
        {HIGH(e->healthy_checks), 4, IMAGE_FAULT_VALUE}, /* 1026 */
        {&e->unhealthy_checks, 0, IMAGE_FAULT_VALUE},
        {HIGH(e->unhealthy_checks), 4, IMAGE_FAULT_VALUE},
        {&e->port, 0, IMAGE_FAULT_OK},
        {&e->n_statuses, 0, IMAGE_FAULT_VALUE},
        {&e->n_statuses, 1, IMAGE_FAULT_VALUE}, /* the second is there */
        {&e->n_statuses, 3, IMAGE_FAULT_VALUE}, /* the third is not */
        {&e->n_statuses, IMAGE_HEALTH_RANGES_MAX + 1, IMAGE_FAULT_VALUE},
        {&e->statuses[0].first, 99, IMAGE_FAULT_VALUE},
        {HIGH(e->statuses[0].first), 1, IMAGE_FAULT_VALUE}, /* 456 to 299 */
        {HIGH(e->statuses[1].last), 2, IMAGE_FAULT_VALUE},  /* 660 */
        {HIGH(e->host.offset), 1, IMAGE_FAULT_STRING},
        {HIGH(e->path.length), 1, IMAGE_FAULT_STRING},
        {v.strings + e->host.offset, '*', IMAGE_FAULT_TEXT},
        {v.strings + e->path.offset, 'x', IMAGE_FAULT_TEXT},
        {v.strings + e->path.offset + 1, ' ', IMAGE_FAULT_TEXT},
        {v.strings + e->name.offset, '\n', IMAGE_FAULT_TEXT},
        {&e->service.length, 1, IMAGE_FAULT_VALUE}, /* which only gRPC has */
        {&e->failures, 1, IMAGE_FAULT_VALUE},       /* and for no time */
        {&e->base_ejection_ms, 100, IMAGE_FAULT_VALUE},
        {&e->max_ejected_percent, 1, IMAGE_FAULT_VALUE},
        {&e->protocol, IMAGE_BACKEND_PROTOCOLS, IMAGE_FAULT_VALUE},
        {&e->reserved[0], 1, IMAGE_FAULT_RESERVED},
        {&e->reserved[2], 1, IMAGE_FAULT_RESERVED},
    };
    check_rows(data, len, rows, array_len(rows));
    free(data);
}

TEST(a_policy_says_what_is_spoken_to_its_group)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    REQUIRE(v.health[0].group == 3 && v.health[1].group == 4 && v.mirrors[0].group == 3);
    CHECK_EQ(v.health[0].protocol, IMAGE_BACKEND_HTTP2);
    CHECK_EQ(v.health[1].protocol, IMAGE_BACKEND_HTTP1);
    CHECK_EQ(fault_with(data, len, &v.health[0].protocol, IMAGE_BACKEND_HTTP1, &section),
             IMAGE_FAULT_VALUE);
    CHECK(section == IMAGE_SECTION_BACKENDS || section == IMAGE_SECTION_MIRRORS);
    CHECK_EQ(fault_with(data, len, &v.health[1].protocol, IMAGE_BACKEND_HTTP2, &section),
             IMAGE_FAULT_VALUE);
    free(data);
}

TEST(a_policy_that_ejects_has_times_and_shares)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    REQUIRE(v.n_health == 2);
    const struct image_health *e = &v.health[1];
    REQUIRE(e->group == 4 && e->failures == 5);
    const struct damage rows[] = {
        {&e->failures, 0, IMAGE_FAULT_VALUE},
        {HIGH(e->failures), 4, IMAGE_FAULT_VALUE},                         /* 1029 */
        {(const uint8_t *)&e->base_ejection_ms + 1, 0, IMAGE_FAULT_VALUE}, /* 48 ms */
        {HIGH(e->base_ejection_ms), 1, IMAGE_FAULT_VALUE},                 /* above the greatest */
        {HIGH(e->max_ejection_ms), 6, IMAGE_FAULT_VALUE},                  /* 28 h */
        {&e->max_ejected_percent, 0, IMAGE_FAULT_VALUE},
        {&e->max_ejected_percent, 100, IMAGE_FAULT_OK},
        {&e->max_ejected_percent, 101, IMAGE_FAULT_VALUE},
        {&e->panic_percent, 0, IMAGE_FAULT_OK},
        {&e->panic_percent, 101, IMAGE_FAULT_VALUE},
        {(const uint8_t *)&e->slow_start_ms + 1, 0, IMAGE_FAULT_VALUE}, /* 48 ms */
        {HIGH(e->slow_start_ms), 6, IMAGE_FAULT_VALUE},
        {&e->interval_ms, 100, IMAGE_FAULT_VALUE}, /* and it asks nobody */
        {&e->port, 1, IMAGE_FAULT_VALUE},
        {&e->host.length, 1, IMAGE_FAULT_VALUE},
        {HIGH(e->group), 1, IMAGE_FAULT_INDEX},
        {&e->group, 3, IMAGE_FAULT_ORDER}, /* as the one before it */
    };
    for (size_t i = 0; i + 1 < array_len(rows); i++)
        check_rows(data, len, &rows[i], 1);
    uint32_t section; /* of the last one, backends are told first */
    CHECK(fault_with(data, len, rows[array_len(rows) - 1].at, 3, &section) != IMAGE_FAULT_OK);
    free(data);
}

TEST(all_backends_of_a_group_lead_to_its_policy)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    CHECK_EQ(image_health_find(&v, 3), 0);
    CHECK_EQ(image_health_find(&v, 4), 1);
    CHECK_EQ(image_health_find(&v, 2), IMAGE_NONE);
    CHECK_EQ(image_health_find(&v, 5), IMAGE_NONE);
    CHECK_EQ(image_health_find(&v, IMAGE_NONE), IMAGE_NONE);
    unsigned with = 0, without = 0;
    for (uint32_t i = 0; i < v.n_backends; i++) {
        const struct image_backend *e = &v.backends[i];
        with += e->health != IMAGE_NONE;
        without += e->health == IMAGE_NONE;
        CHECK_EQ(e->health, image_health_find(&v, e->group));
        uint8_t other = e->health == IMAGE_NONE ? 0 : (uint8_t)(e->health ^ 1);
        for (unsigned byte = 0; byte < sizeof(e->health); byte++) {
            uint8_t was = ((const uint8_t *)&e->health)[byte];
            uint8_t damaged = byte == 0 ? other : (uint8_t)~was;
            CHECK_EQ(fault_with(data, len, (const uint8_t *)&e->health + byte, damaged, &section),
                     IMAGE_FAULT_INDEX);
            CHECK_EQ(section, IMAGE_SECTION_BACKENDS);
        }
    }
    CHECK(with > 0 && without > 0);
    for (uint32_t i = 0; i < v.n_mirrors; i++) {
        const struct image_mirror *e = &v.mirrors[i];
        uint8_t other = e->health == IMAGE_NONE ? 0 : (uint8_t)(e->health ^ 1);
        CHECK_EQ(e->health, image_health_find(&v, e->group));
        CHECK_EQ(fault_with(data, len, (const uint8_t *)&e->health, other, &section),
                 IMAGE_FAULT_INDEX);
        CHECK_EQ(section, IMAGE_SECTION_MIRRORS);
    }
    free(data);
}

TEST(a_check_passes_with_the_statuses_that_are_named)
{
    static const struct image_health e = {.n_statuses = 2, .statuses = {{200, 299}, {404, 404}}};
    CHECK(image_health_passes(&e, 200) && image_health_passes(&e, 299));
    CHECK(image_health_passes(&e, 404));
    CHECK(!image_health_passes(&e, 199) && !image_health_passes(&e, 300));
    CHECK(!image_health_passes(&e, 403) && !image_health_passes(&e, 0));
    CHECK_EQ(image_health_check_named("GRPC"), IMAGE_HEALTH_CHECK_GRPC);
    CHECK_EQ(image_health_check_named(""), IMAGE_HEALTH_CHECK_NONE);
    CHECK_STR(image_health_check_name(IMAGE_HEALTH_CHECK_TLS), "TLS");
}

TEST(the_name_that_a_tls_check_asks_for_has_a_limit)
{
    struct image_health e = {.check = IMAGE_HEALTH_CHECK_TLS,
                             .interval_ms = 1000,
                             .timeout_ms = 1000,
                             .healthy_checks = 1,
                             .unhealthy_checks = 1,
                             .host.length = IMAGE_SERVER_NAME_BYTES_MAX};
    CHECK(image_is_health(&e));
    e.host.length++;
    CHECK(!image_is_health(&e));
}

TEST(the_name_of_a_grpc_service_has_a_limit)
{
    struct image_health e = {.check = IMAGE_HEALTH_CHECK_GRPC,
                             .interval_ms = 1000,
                             .timeout_ms = 1000,
                             .healthy_checks = 1,
                             .unhealthy_checks = 1,
                             .service = {0, IMAGE_GRPC_SERVICE_BYTES_MAX}};
    CHECK(image_is_health(&e));
    e.service.length++;
    CHECK(!image_is_health(&e));
}

UNIT_MAIN("image_health", T(a_policy_that_asks_has_times_numbers_and_what_its_check_needs),
          T(a_policy_says_what_is_spoken_to_its_group),
          T(a_policy_that_ejects_has_times_and_shares),
          T(all_backends_of_a_group_lead_to_its_policy),
          T(a_check_passes_with_the_statuses_that_are_named),
          T(the_name_that_a_tls_check_asks_for_has_a_limit),
          T(the_name_of_a_grpc_service_has_a_limit))
