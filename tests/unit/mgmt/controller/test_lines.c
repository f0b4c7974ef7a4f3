/* SPDX-License-Identifier: Apache-2.0 */
/* The framing of a watch, fed with whatever comes. */
#include "base/rng.h"
#include "controller/lines.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define SEEDS 3000u
#define LINE_MAX 4096u

static const char stream[] =
    "{\"type\": \"ADDED\", \"object\": {\"metadata\": {\"name\": \"a\"}}}\n"
    "{\"type\": \"BOOKMARK\", \"object\": {\"metadata\": {\"resourceVersion\": \"7\"}}}\r\n"
    "\n"
    "{\"type\": \"DELETED\", \"object\": {\"spec\": [1, 2.5, null, \"\\u00e9\"]}}\n";

TEST(lines_come_whole_however_the_stream_is_cut)
{
    for (size_t cut = 1; cut < sizeof(stream); cut++) {
        struct lines l = {.line_max = LINE_MAX};
        unsigned n_lines = 0;
        unsigned n_events = 0;
        for (size_t at = 0; at < sizeof(stream) - 1; at += cut) {
            size_t n = at + cut < sizeof(stream) - 1 ? cut : sizeof(stream) - 1 - at;
            size_t len;
            char *line;
            CHECK(lines_add(&l, stream + at, n));
            while ((line = lines_next(&l, &len)) != NULL) {
                json_t *event = lines_event(line, len);
                n_lines += 1;
                n_events += event != NULL;
                json_decref(event);
            }
        }
        CHECK_EQ(n_lines, 4);
        CHECK_EQ(n_events, 3);
        CHECK_EQ(lines_rest(&l), 0);
        lines_done(&l);
    }
}

TEST(a_line_that_is_too_long_is_the_end)
{
    struct lines l = {.line_max = 10};
    size_t len;
    CHECK(lines_add(&l, "0123456789\n01234567890", 22));
    CHECK_STR(lines_next(&l, &len), "0123456789");
    CHECK(lines_next(&l, &len) == NULL);
    CHECK(l.is_broken);
    CHECK(!lines_add(&l, "\n", 1));
    CHECK(lines_next(&l, &len) == NULL);
    lines_done(&l);
}

TEST(what_is_no_event_is_none)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "7",
        "\"x\"",
        "{}",
        "{\"type\": \"ADDED\"}",
        "{\"type\": 7, \"object\": {}}",
        "{\"type\": \"ADDED\", \"object\": []}",
        "{\"type\": \"ADDED\", \"object\": {}} x",
        "{\"type\": \"a\", \"type\": \"b\", \"object\": {}}",
        "<html>503</html>",
        "{\"type\": \"ADDED\", \"object\": {\"a\": \"\xff\"}}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(lines_event(bad[i], strlen(bad[i])) == NULL);
}

/* Bytes changed, lost and doubled by chance, pieces of chance sizes: each line is an event or none,
 * and nothing is read beyond what came. */
TEST(a_damaged_stream_gives_events_or_none_and_never_more)
{
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct rng r = {seed};
        struct lines l = {.line_max = LINE_MAX};
        char *damaged = malloc(sizeof(stream) - 1); /* so that a sanitizer sees its end */
        size_t total = 0;
        size_t len;
        char *line;
        REQUIRE(damaged != NULL);
        memcpy(damaged, stream, sizeof(stream) - 1);
        for (unsigned i = rng_below(&r, 8); i > 0; i--)
            damaged[rng_below(&r, sizeof(stream) - 1)] = (char)rng_next(&r);
        for (size_t at = 0; at < sizeof(stream) - 1;) {
            size_t n = 1 + rng_below(&r, 40);
            if (n > sizeof(stream) - 1 - at)
                n = sizeof(stream) - 1 - at;
            CHECK(lines_add(&l, damaged + at, n));
            at += n;
            while ((line = lines_next(&l, &len)) != NULL) {
                json_t *event = lines_event(line, len);
                CHECK(event == NULL || json_is_object(json_object_get(event, "object")));
                json_decref(event);
                total += len + 1;
            }
        }
        CHECK_EQ(total + lines_rest(&l), sizeof(stream) - 1);
        lines_done(&l);
        free(damaged);
    }
}

UNIT_MAIN("controller/lines", T(lines_come_whole_however_the_stream_is_cut),
          T(a_line_that_is_too_long_is_the_end), T(what_is_no_event_is_none),
          T(a_damaged_stream_gives_events_or_none_and_never_more))
