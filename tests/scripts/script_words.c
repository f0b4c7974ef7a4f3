/* SPDX-License-Identifier: Apache-2.0 */
/* Words, numbers, times. */
#include "script_words.h"

#include "base/assert.h"
#include "base/container.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool words_fault(const struct words *w, const char *wanted, const char *found)
{
    fprintf(script_errors, "%s:%u: expected %s, found %s%s%s\n", w->path, w->line, wanted,
            *found == '\0' ? "the end of the line" : "'", found, *found == '\0' ? "" : "'");
    return false;
}

/* Where the word at `p` ends: at a blank, but options reach to their ">". */
static char *word_end(char *p)
{
    if (*p == '<' && p[1] != '\0' && !isspace((unsigned char)p[1])) {
        char *close = strchr(p, '>');
        return close == NULL ? p + strlen(p) : close + 1;
    }
    while (*p != '\0' && !isspace((unsigned char)*p))
        p++;
    return p;
}

bool words_split(struct words *w, const char *path, unsigned line, const char *text)
{
    *w = (struct words){.path = path, .line = line};
    snprintf(w->buf, sizeof(w->buf), "%s", text);
    w->buf[strcspn(w->buf, "#\n")] = '\0';
    for (char *p = w->buf;;) {
        while (isspace((unsigned char)*p))
            p++;
        if (*p == '\0')
            return true;
        if (w->n == SCRIPT_WORDS_MAX)
            return words_fault(w, "fewer words", p);
        w->word[w->n++] = p;
        p = word_end(p);
        if (*p != '\0')
            *p++ = '\0';
    }
}

const char *words_peek(const struct words *w)
{
    return w->next < w->n ? w->word[w->next] : "";
}

const char *words_take(struct words *w)
{
    const char *word = words_peek(w);
    w->next += w->next < w->n;
    return word;
}

bool words_take_if(struct words *w, const char *word)
{
    bool is_it = strcmp(words_peek(w), word) == 0;
    w->next += is_it && w->next < w->n;
    return is_it;
}

bool word_is_number(const char *word, uint32_t *ret)
{
    char *end;
    if (!isdigit((unsigned char)*word))
        return false;
    errno = 0;
    unsigned long long value = strtoull(word, &end, strncmp(word, "0x", 2) == 0 ? 16 : 10);
    if (*end != '\0' || errno != 0 || value > UINT32_MAX)
        return false;
    *ret = (uint32_t)value;
    return true;
}

bool words_number(struct words *w, const char *what, uint32_t *ret)
{
    const char *word = words_take(w);
    return word_is_number(word, ret) || words_fault(w, what, word);
}

bool word_is_time(const char *word, uint64_t *ret_us)
{
    static const struct {
        const char *name;
        uint64_t us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}, {"min", 60000000}, {"h", 3600000000ull}};
    size_t digits = strspn(word, "0123456789");
    if (digits == 0 || digits > 9)
        return false;
    for (unsigned i = 0; i < array_len(units); i++) {
        if (strcmp(word + digits, units[i].name) == 0) {
            *ret_us = strtoull(word, NULL, 10) * units[i].us;
            return true;
        }
    }
    return false;
}

bool words_time(struct words *w, uint64_t *ret_us)
{
    const char *word = words_take(w);
    return word_is_time(word, ret_us) || words_fault(w, "a time such as 40ms", word);
}

bool words_end(const struct words *w)
{
    ASSERT(w->next <= w->n);
    return w->next == w->n || words_fault(w, "the end of the line", words_peek(w));
}
