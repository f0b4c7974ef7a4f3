/* SPDX-License-Identifier: Apache-2.0 */
/* Debug builds: secrets of handshakes for whoever reads captures of them (NSS key log format), in
 * the file that SSLKEYLOGFILE names. meson.build takes tls_keylog_none.c for all others. */
#include "tls/tls_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_BYTES_MAX 512 /* a label, a random of 32 bytes, a secret of 48 */

/* One write: threads share the file. */
static void on_line(const SSL *ssl, const char *line)
{
    char text[LINE_BYTES_MAX];
    int n = snprintf(text, sizeof(text), "%s\n", line);
    int fd = open(getenv("SSLKEYLOGFILE"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (write(fd, text, (size_t)n) != n)
        perror("SSLKEYLOGFILE");
    close(fd);
}

void tls_keylog_use(SSL_CTX *ctx)
{
    if (getenv("SSLKEYLOGFILE") != NULL)
        SSL_CTX_set_keylog_callback(ctx, on_line);
}
