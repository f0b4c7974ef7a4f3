/* SPDX-License-Identifier: Apache-2.0 */
/* See verify_password.h. */
#include "verify/verify_password.h"

#include <crypt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct verify_password_scratch {
    struct crypt_data data;
};

struct verify_password_scratch *verify_password_scratch_new(void)
{
    return calloc(1, sizeof(struct verify_password_scratch));
}

void verify_password_scratch_free(struct verify_password_scratch *s)
{
    if (s == NULL)
        return;
    explicit_bzero(s, sizeof(*s));
    free(s);
}

/* In the same time wherever they differ. */
static bool is_same(const char *a, const char *b)
{
    size_t len = strlen(a);
    unsigned char differ = 0;
    if (strlen(b) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        differ |= (unsigned char)(a[i] ^ b[i]);
    return differ == 0;
}

bool verify_password(struct verify_password_scratch *s, const char *password, const char *hash)
{
    const char *got = crypt_rn(password, hash, &s->data, (int)sizeof(s->data));
    bool is_good = got != NULL && is_same(got, hash);
    explicit_bzero(&s->data, sizeof(s->data));
    return is_good;
}
