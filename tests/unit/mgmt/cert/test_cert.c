/* SPDX-License-Identifier: Apache-2.0 */
/* First-boot certificate: made once, kept, refused when the files do not fit. */
#include "cert/cert.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char state_dir[64];

static void make_state_dir(void)
{
    snprintf(state_dir, sizeof(state_dir), "/tmp/sluice-test-cert-XXXXXX");
    REQUIRE(mkdtemp(state_dir) != NULL);
}

static void drop_state_dir(const struct cert_paths *paths)
{
    char dir[80];
    snprintf(dir, sizeof(dir), "%s/tls", state_dir);
    unlink(paths->key);
    unlink(paths->certificate);
    rmdir(dir);
    CHECK_EQ(rmdir(state_dir), 0); /* and nothing else was left there */
}

static size_t read_file(const char *path, char *buf, size_t size)
{
    FILE *f = fopen(path, "r");
    REQUIRE(f != NULL);
    size_t n = fread(buf, 1, size - 1, f);
    buf[n] = '\0';
    fclose(f);
    return n;
}

TEST(the_second_boot_keeps_what_the_first_one_made)
{
    static const char *const names[] = {"box.example", "192.0.2.7", "2001:db8::7"};
    struct cert_paths paths;
    struct stat st;
    char first[4096];
    char second[4096];
    make_state_dir();
    REQUIRE(cert_ensure(state_dir, names, 3, &paths) == 0);
    CHECK(stat(paths.key, &st) == 0 && (st.st_mode & 0777) == 0600);
    read_file(paths.certificate, first, sizeof(first));
    CHECK(strstr(first, "BEGIN CERTIFICATE") != NULL);
    REQUIRE(cert_ensure(state_dir, names, 3, &paths) == 0);
    read_file(paths.certificate, second, sizeof(second));
    CHECK_STR(first, second);
    drop_state_dir(&paths);
}

TEST(a_key_left_alone_by_a_power_cut_is_replaced)
{
    struct cert_paths paths;
    make_state_dir();
    REQUIRE(cert_ensure(state_dir, NULL, 0, &paths) == 0);
    REQUIRE(unlink(paths.certificate) == 0);
    CHECK_EQ(cert_ensure(state_dir, NULL, 0, &paths), 0);
    drop_state_dir(&paths);
}

TEST(files_that_do_not_fit_are_refused_and_left_alone)
{
    struct cert_paths paths;
    struct cert_paths other = {.key = "untouched"};
    char after[16];
    make_state_dir();
    REQUIRE(cert_ensure(state_dir, NULL, 0, &paths) == 0);
    FILE *f = fopen(paths.key, "w");
    REQUIRE(f != NULL);
    fputs("nothing\n", f);
    fclose(f);
    CHECK_EQ(cert_ensure(state_dir, NULL, 0, &other), -EKEYREJECTED);
    CHECK_STR(other.key, "untouched");
    read_file(paths.key, after, sizeof(after));
    CHECK_STR(after, "nothing\n");
    drop_state_dir(&paths);
}

TEST(bad_names_are_refused_before_anything_is_written)
{
    static const char *const bad[] = {"a b"};
    static const char *const injected[] = {"x,IP:192.0.2.1"};
    struct cert_paths paths;
    make_state_dir();
    CHECK_EQ(cert_ensure(state_dir, bad, 1, &paths), -EINVAL);
    CHECK_EQ(cert_ensure(state_dir, injected, 1, &paths), -EINVAL);
    CHECK_EQ(rmdir(state_dir), 0);
    CHECK_EQ(cert_ensure("/nonexistent/state", NULL, 0, &paths), -ENOENT);
}

UNIT_MAIN("mgmt/cert", T(the_second_boot_keeps_what_the_first_one_made),
          T(a_key_left_alone_by_a_power_cut_is_replaced),
          T(files_that_do_not_fit_are_refused_and_left_alone),
          T(bad_names_are_refused_before_anything_is_written))
