/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon's configuration on the disk: whole, or as it was. Thread: the loop's. */
#pragma once

#include <stdbool.h>

/* More than all VIPs and peers take. */
#define CONFIG_FILE_BYTES_MAX (4u << 20)

struct config_file {
    char *path; /* NULL: there is none, and nothing is written */
    char *text; /* as it is on the disk; NULL: it is not there */
};

/* Reads what is there. `path` NULL: nothing. -ENOMEM. */
int config_file_init(struct config_file *f, const char *path);

/* Puts `text` in its place if it is another, on the disk when it returns; takes `text`, NULL: there
 * was no memory for it. *ret_changed: it was another. Negative errno: it is as it was. */
int config_file_put(struct config_file *f, char *text, bool *ret_changed);

/* Forgets it; the file stays. */
void config_file_done(struct config_file *f);
