/* SPDX-License-Identifier: Apache-2.0 */
/* A line as words, and what words can mean. Functions that read take the next word and return
 * false, with the fault said, if it is not what the language wants there. */
#pragma once

#include "script.h"

/* A line under the parser's eyes. Words are separated by blanks; <options> are one word. */
struct words {
    const char *path;
    unsigned line;
    unsigned n;
    unsigned next;
    char buf[SCRIPT_TEXT_MAX];
    const char *word[SCRIPT_WORDS_MAX];
};

/* Splits a line, without its comment. False: too many words, said. */
bool words_split(struct words *w, const char *path, unsigned line, const char *text);

/* The next word, taken; "" at the end. */
const char *words_take(struct words *w);

/* The next word, not taken; "" at the end. */
const char *words_peek(const struct words *w);

/* Takes the next word if it is this one. */
bool words_take_if(struct words *w, const char *word);

/* Says "path:line: expected WANTED, found FOUND". Always false. */
bool words_fault(const struct words *w, const char *wanted, const char *found);

/* Is it all of a decimal or 0x number up to UINT32_MAX? */
bool word_is_number(const char *word, uint32_t *ret);

/* A number follows. */
bool words_number(struct words *w, const char *what, uint32_t *ret);

/* Is it a time: a whole number and us, ms, s, min or h? */
bool word_is_time(const char *word, uint64_t *ret_us);

/* A time follows. */
bool words_time(struct words *w, uint64_t *ret_us);

/* Nothing follows. */
bool words_end(const struct words *w);
