/* SPDX-License-Identifier: Apache-2.0 */
/* All builds but those for debugging: nothing that an environment says makes secrets known. */
#include "tls/tls_priv.h"

void tls_keylog_use(SSL_CTX *ctx)
{
}
