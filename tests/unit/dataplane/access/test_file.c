/* SPDX-License-Identifier: Apache-2.0 */
/* The access log's file: lines arrive whole and in order, rotation loses none, and whatever is
 * wrong with the disk, whoever puts lines does not wait. */
#include "access/access_file.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char dir[64];
static char path[128];
static char old_path[128];
static char text[2 << 20];

static void make_dir(void)
{
    strcpy(dir, "/tmp/sluice-access-XXXXXX");
    REQUIRE(mkdtemp(dir) != NULL);
    snprintf(path, sizeof(path), "%s/log", dir);
    snprintf(old_path, sizeof(old_path), "%s/log.1", dir);
}

static void remove_dir(void)
{
    remove(path);
    remove(old_path);
    CHECK_EQ(rmdir(dir), 0);
}

/* All of a file; "" when there is none. */
static const char *content(const char *name)
{
    size_t n = 0;
    FILE *file = fopen(name, "r");
    if (file != NULL) {
        n = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
    }
    text[n] = '\0';
    return text;
}

static bool put(struct access_file *f, const char *line)
{
    return access_file_put(f, line, strlen(line));
}

/* A moment passes. */
static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Waits until the file has this content; a test that waits in vain ends by its time limit. */
static void await(const char *name, const char *wanted)
{
    while (strcmp(content(name), wanted) != 0)
        nap();
}

static int await_fault(struct access_file *f)
{
    uint64_t n;
    int fault;
    while ((fault = access_file_fault(f, &n)) == 0)
        nap();
    CHECK(n > 0);
    return fault;
}

TEST(lines_are_written_behind_what_was_there_and_the_end_waits_for_them)
{
    make_dir();
    struct access_file *f = access_file_open(path);
    REQUIRE(f != NULL);
    CHECK(put(f, "one\n"));
    access_file_close(f);
    f = access_file_open(path);
    CHECK(put(f, "two\n") && put(f, "three\n"));
    access_file_close(f);
    CHECK_STR(content(path), "one\ntwo\nthree\n");
    struct stat st;
    CHECK_EQ(stat(path, &st), 0);
    CHECK_EQ(st.st_mode & 07, 0); /* nothing for the world */
    remove_dir();
}

TEST(a_file_that_was_moved_away_is_followed_by_a_new_one)
{
    make_dir();
    struct access_file *f = access_file_open(path);
    CHECK(put(f, "one\n"));
    await(path, "one\n");
    CHECK_EQ(rename(path, old_path), 0);
    CHECK(put(f, "two\n"));
    await(path, "two\n");
    CHECK_STR(content(old_path), "one\n");
    CHECK_EQ(remove(path), 0);
    CHECK(put(f, "three\n"));
    await(path, "three\n");
    CHECK_EQ(truncate(path, 0), 0);
    CHECK(put(f, "four\n"));
    await(path, "four\n");
    access_file_close(f);
    remove_dir();
}

TEST(a_full_disk_fills_the_buffer_and_then_refuses_whole_lines)
{
    static char line[1025];
    memset(line, 'x', 1023);
    line[1023] = '\n';
    struct access_file *f = access_file_open("/dev/full");
    unsigned n = 0;
    while (access_file_put(f, line, 1024))
        n++;
    CHECK_EQ(n, ACCESS_BUFFER_BYTES_MAX / 1024);
    CHECK(!put(f, "x\n"));
    CHECK_EQ(await_fault(f), ENOSPC);
    CHECK(!put(f, "x\n"));
    access_file_close(f); /* and keeps nobody */
}

TEST(a_directory_that_comes_later_is_found)
{
    char below[160];
    uint64_t n;
    make_dir();
    CHECK_EQ(rmdir(dir), 0);
    snprintf(below, sizeof(below), "%s/log", dir);
    struct access_file *f = access_file_open(below);
    CHECK(put(f, "one\n"));
    CHECK_EQ(await_fault(f), ENOENT);
    CHECK_EQ(mkdir(dir, 0700), 0);
    await(path, "one\n");
    CHECK_EQ(access_file_fault(f, &n), 0);
    access_file_close(f);
    remove_dir();
}

TEST(a_pipe_that_nobody_reads_holds_nobody_up_and_its_reader_gets_whole_lines)
{
    static char line[4097];
    static char got[1 << 20];
    make_dir();
    memset(line, 'x', 4095);
    line[4095] = '\n';
    REQUIRE(mkfifo(path, 0600) == 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    struct access_file *f = access_file_open(path);
    for (unsigned i = 0; i < 100; i++)
        CHECK(access_file_put(f, line, 4096)); /* more than a pipe holds */
    CHECK_EQ(await_fault(f), EAGAIN);
    size_t len = 0;
    while (len < 100 * 4096) {
        ssize_t n = read(reader, got + len, sizeof(got) - len);
        if (n > 0)
            len += (size_t)n;
        else
            nap();
    }
    for (unsigned i = 0; i < 100; i++)
        CHECK(memcmp(got + i * 4096, line, 4096) == 0);
    access_file_close(f);
    close(reader);
    remove_dir();
}

/* Puts numbered lines, more than the buffer holds, while the file is moved away again and again. */
TEST(no_line_is_lost_or_torn_by_rotation)
{
    char parts[160];
    char line[64];
    unsigned next = 0;
    make_dir();
    struct access_file *f = access_file_open(path);
    for (unsigned part = 0; part < 20; part++) {
        for (unsigned i = 0; i < 5000; i++) {
            int len = snprintf(line, sizeof(line), "%u and some more\n", part * 5000 + i);
            while (!access_file_put(f, line, (size_t)len))
                nap();
        }
        snprintf(parts, sizeof(parts), "%s/part%02u", dir, part);
        while (rename(path, parts) != 0)
            nap();
    }
    access_file_close(f);
    for (unsigned part = 0; part <= 20; part++) {
        snprintf(parts, sizeof(parts), part < 20 ? "%s/part%02u" : "%s/log", dir, part);
        char *rest = (char *)(uintptr_t)content(parts);
        for (char *at = strsep(&rest, "\n"); at != NULL && *at != '\0'; at = strsep(&rest, "\n")) {
            snprintf(line, sizeof(line), "%u and some more", next++);
            CHECK_STR(at, line);
        }
        remove(parts);
    }
    CHECK_EQ(next, 100000);
    remove_dir();
}

UNIT_MAIN("access/file", T(lines_are_written_behind_what_was_there_and_the_end_waits_for_them),
          T(a_file_that_was_moved_away_is_followed_by_a_new_one),
          T(a_full_disk_fills_the_buffer_and_then_refuses_whole_lines),
          T(a_directory_that_comes_later_is_found),
          T(a_pipe_that_nobody_reads_holds_nobody_up_and_its_reader_gets_whole_lines),
          T(no_line_is_lost_or_torn_by_rotation))
