/* SPDX-License-Identifier: Apache-2.0 */
/* See ticket_secret.h. */
#include "cert/ticket_secret.h"

#include "disk/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_BYTES 512u

static int read_secret(const char *path, uint8_t ret[TLS_TICKET_SECRET_BYTES])
{
    uint8_t bytes[TLS_TICKET_SECRET_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    ssize_t n = read(fd, bytes, sizeof(bytes));
    close(fd);
    if (n != TLS_TICKET_SECRET_BYTES)
        return -EKEYREJECTED;
    memcpy(ret, bytes, TLS_TICKET_SECRET_BYTES);
    explicit_bzero(bytes, sizeof(bytes));
    return 0;
}

static int make_secret(const char *path)
{
    uint8_t secret[TLS_TICKET_SECRET_BYTES];
    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
        return -EIO;
    int result = durable_write(path, 0600, secret, sizeof(secret));
    explicit_bzero(secret, sizeof(secret));
    return result;
}

int ticket_secret_ensure(const char *state_dir, uint8_t ret[TLS_TICKET_SECRET_BYTES])
{
    char path[PATH_MAX_BYTES];
    int n = snprintf(path, sizeof(path), "%s/tls", state_dir);
    if (n < 0 || (size_t)n >= sizeof(path) - 32)
        return -ENAMETOOLONG;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return -errno;
    snprintf(path + n, sizeof(path) - (size_t)n, "/tickets.secret");
    int result = access(path, F_OK) == 0 ? 0 : make_secret(path);
    return result == 0 ? read_secret(path, ret) : result;
}
