/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens: "slt1.<name of the Token>.<43 characters of chance>". What is kept is an argon2id
 * hash, apart from the object, so that no list, watch or backup of objects has it. The name within
 * the token says which hash to try: a guess costs one hash, not one a token.
 *
 * The cost of the hash (19 MiB, two passes; OWASP's minimum) is for tokens that people chose, the
 * bootstrap file's; ours have 256 bits of chance.
 */
#include "api/api_priv.h"

#include "base/assert.h"

#include <argon2.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "slt1."
#define SECRET_BYTES 32u
#define SECRET_TEXT 43u
#define BOOTSTRAP_NAME "bootstrap"
#define TOKENS "tokens.sluice.internal"
/* A token that a person chose, at most. */
#define TOKEN_BYTES_MAX 512u

#define ARGON_MEMORY_KIB 19456u
#define ARGON_PASSES 2u
#define ARGON_LANES 1u
#define ARGON_SALT_BYTES 16u
#define ARGON_HASH_BYTES 32u
#define ARGON_TEXT_BYTES 160u

static void value_key(const char *name, char buf[NAME_BYTES + 32])
{
    snprintf(buf, NAME_BYTES + 32, "api.token.%s", name);
}

/* base64url without padding (RFC 4648, section 5). */
static void base64url(const uint8_t *bytes, size_t n, char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6)
            *to++ = digits[bits >> (held - 6) & 63];
    }
    if (held > 0)
        *to++ = digits[bits << (6 - held) & 63];
    *to = '\0';
}

/* Puts the hash of `token` for the Token `name`. */
static int store_hash(struct store_txn *txn, const char *name, struct slice token)
{
    uint8_t salt[ARGON_SALT_BYTES];
    char text[ARGON_TEXT_BYTES];
    char key[NAME_BYTES + 32];
    if (getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
        return -EIO;
    int result =
        argon2id_hash_encoded(ARGON_PASSES, ARGON_MEMORY_KIB, ARGON_LANES, token.ptr, token.len,
                              salt, sizeof(salt), ARGON_HASH_BYTES, text, sizeof(text));
    if (result != ARGON2_OK)
        return -ENOMEM;
    value_key(name, key);
    return store_value_put(txn, key, text, strlen(text) + 1);
}

/* A new token's text; NULL: no memory or no chance. */
static char *make_token(const char *name)
{
    uint8_t secret[SECRET_BYTES];
    char text[SECRET_TEXT + 1];
    char *token = NULL;
    if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
        return NULL;
    base64url(secret, sizeof(secret), text);
    ASSERT(strlen(text) == SECRET_TEXT);
    if (asprintf(&token, PREFIX "%s.%s", name, text) < 0)
        token = NULL;
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(text, sizeof(text));
    return token;
}

int token_issue(struct store_txn *txn, const char *name, char **ret)
{
    char *token = make_token(name);
    if (token == NULL)
        return -ENOMEM;
    int error = store_hash(txn, name, slice_of_str(token));
    if (error != 0)
        token_forget(token);
    else
        *ret = token;
    return error;
}

int token_revoke(struct store_txn *txn, const char *name)
{
    char key[NAME_BYTES + 32];
    value_key(name, key);
    return store_value_put(txn, key, "", 0);
}

void token_forget(char *token)
{
    if (token != NULL)
        explicit_bzero(token, strlen(token));
    free(token);
}

bool token_verify(const struct store *store, const char *name, struct slice token)
{
    char key[NAME_BYTES + 32];
    size_t len = 0;
    value_key(name, key);
    const char *text = store_value_get(store, key, &len);
    if (text == NULL || token.len > TOKEN_BYTES_MAX)
        return false;
    ASSERT(len > 0 && text[len - 1] == '\0');
    return argon2id_verify(text, token.ptr, token.len) == ARGON2_OK;
}

bool token_name(struct slice token, char ret[NAME_BYTES])
{
    struct slice prefix = SLICE_LIT(PREFIX);
    if (!slice_has_prefix(token, prefix) || token.len < prefix.len + 1 + 1 + SECRET_TEXT) {
        snprintf(ret, NAME_BYTES, "%s", BOOTSTRAP_NAME); /* the only one with a form of its own */
        return token.len >= API_BOOTSTRAP_BYTES_MIN;
    }
    size_t len = token.len - prefix.len - 1 - SECRET_TEXT;
    if (len >= NAME_BYTES || token.ptr[prefix.len + len] != '.')
        return false;
    memcpy(ret, token.ptr + prefix.len, len);
    ret[len] = '\0';
    return true;
}

struct providers {
    const char *but;
    bool found;
};

static bool find_provider(void *arg, json_t *object)
{
    struct providers *p = arg;
    const json_t *spec = json_object_get(object, "spec");
    const char *role = json_string_value(json_object_get(spec, "role"));
    p->found = role != NULL && strcmp(role, api_role_name(API_PROVIDER)) == 0 &&
               json_object_get(spec, "expiresAt") == NULL &&
               strcmp(meta_text(object, "name"), p->but) != 0;
    return !p->found;
}

bool token_is_last_provider(const struct store_txn *txn, const char *name)
{
    struct providers p = {.but = name};
    store_txn_foreach(txn, TOKENS, NULL, find_provider, &p);
    return !p.found;
}

/* ---- first boot ---- */

/* The first line of the file, malloc'ed; NULL: there is none. */
static char *read_file(const char *file)
{
    char line[TOKEN_BYTES_MAX + 2] = "";
    FILE *f = file != NULL ? fopen(file, "re") : NULL;
    if (f == NULL)
        return NULL;
    char *got = fgets(line, sizeof(line), f);
    fclose(f);
    line[strcspn(line, "\r\n")] = '\0';
    char *token = got != NULL && line[0] != '\0' ? strdup(line) : NULL;
    explicit_bzero(line, sizeof(line));
    return token;
}

/* Durable before the hash is: a token that nobody knows would lock everybody out. */
static int write_file(const char *file, const char *token)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    bool failed = fchmod(fd, 0600) != 0 || dprintf(fd, "%s\n", token) < 0 || fsync(fd) != 0;
    int error = failed ? -errno : 0;
    close(fd);
    return error;
}

static int store_bootstrap(struct store *store, const char *token)
{
    struct store_txn *txn = NULL;
    int error = store_begin(store, &txn);
    if (error != 0)
        return error;
    json_t *object =
        json_pack("{s:s,s:s,s:{s:s},s:{s:s}}", "apiVersion", "sluice.internal/v1", "kind", "Token",
                  "metadata", "name", BOOTSTRAP_NAME, "spec", "role", api_role_name(API_PROVIDER));
    error = object != NULL ? store_put(txn, TOKENS, object, NULL) : -ENOMEM;
    json_decref(object);
    if (error == 0)
        error = store_hash(txn, BOOTSTRAP_NAME, slice_of_str(token));
    if (error == 0)
        return store_commit(txn);
    store_rollback(txn);
    return error;
}

int api_bootstrap(struct store *store, const char *file, void *console, const char **ret_error)
{
    if (store_count(store, TOKENS) > 0)
        return 0;
    char *token = read_file(file);
    bool is_given = token != NULL;
    int error = 0;
    if (is_given && strlen(token) < API_BOOTSTRAP_BYTES_MIN) {
        *ret_error = "the bootstrap token file has fewer than 32 characters";
        token_forget(token);
        return -EINVAL;
    }
    if (!is_given)
        token = make_token(BOOTSTRAP_NAME);
    if (token == NULL)
        error = -ENOMEM;
    if (error == 0 && !is_given && file != NULL)
        error = write_file(file, token);
    *ret_error = "the bootstrap token could not be kept";
    if (error == 0 && !is_given)
        fprintf(console, "first boot: the infrastructure-provider's token is\n  %s\n", token);
    if (error == 0)
        error = store_bootstrap(store, token);
    token_forget(token);
    return error;
}
