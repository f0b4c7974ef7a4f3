/* SPDX-License-Identifier: Apache-2.0 */
/* See config_file.h. */
#include "routing/config_file.h"

#include "disk/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file's text; NULL: none that could be ours. */
static char *read_text(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    bool is_small = fstat(fd, &st) == 0 && st.st_size < CONFIG_FILE_BYTES_MAX;
    char *text = is_small ? calloc(1, (size_t)st.st_size + 1) : NULL;
    if (text != NULL && read(fd, text, (size_t)st.st_size) != st.st_size) {
        free(text);
        text = NULL;
    }
    close(fd);
    return text;
}

int config_file_init(struct config_file *f, const char *path)
{
    *f = (struct config_file){0};
    if (path == NULL) {
        return 0;
    }
    f->path = strdup(path);
    if (f->path == NULL) {
        return -ENOMEM;
    }
    f->text = read_text(path);
    return 0;
}

int config_file_put(struct config_file *f, char *text, bool *ret_changed)
{
    if (text == NULL) {
        return -ENOMEM;
    }
    bool is_same = f->text != NULL && strcmp(text, f->text) == 0;
    /* What is in it may be secret. */
    int error = is_same ? 0 : durable_write(f->path, 0600, text, strlen(text));
    if (is_same || error != 0) {
        free(text);
    } else {
        free(f->text);
        f->text = text;
    }
    if (error == 0) {
        *ret_changed = !is_same;
    }
    return error;
}

void config_file_done(struct config_file *f)
{
    free(f->path);
    free(f->text);
}
