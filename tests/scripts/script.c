/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a script: settings first, then lines with times. */
#include "script.h"

#include "base/assert.h"
#include "base/container.h"
#include "script_segment.h"

#include <stdio.h>
#include <string.h>

FILE *script_errors;

/* The times of "+40ms", "+1s~2s", "5s". No time: where the line before was. */
static bool parse_time(struct words *w, struct script_line *line)
{
    char text[64];
    const char *word = words_peek(w);
    bool is_relative = *word == '+';
    snprintf(text, sizeof(text), "%s", word + is_relative);
    char *range = strchr(text, '~');
    if (range != NULL)
        *range++ = '\0';
    uint64_t until_us = 0;
    if (!word_is_time(text, &line->us))
        return !is_relative || words_fault(w, "a time such as +40ms", word);
    if (range != NULL && (!word_is_time(range, &until_us) || until_us < line->us))
        return words_fault(w, "a range such as +40ms~500ms", word);
    words_take(w);
    line->has_time = true;
    line->is_absolute = !is_relative;
    line->slack_us = range != NULL ? until_us - line->us : 0;
    return true;
}

static bool parse_argument(struct words *w, char type, unsigned at, struct script_line *line)
{
    uint32_t number = 0;
    const char *word;
    switch (type) {
    case 'n':
        if (!words_number(w, "a number", &number))
            return false;
        line->args[at] = number;
        return true;
    case 't':
        return words_time(w, &line->args[at]);
    default:
        word = words_take(w);
        snprintf(line->word, sizeof(line->word), "%s", word);
        return *word != '\0' || words_fault(w, "a word", word);
    }
}

static bool parse_action(struct words *w, struct script_line *line)
{
    static const struct {
        const char *word;
        const char *args;
    } actions[] = {
#define X(id, word, args) {word, args},
        SCRIPT_ACTION_LIST(X)
#undef X
    };
    const char *word = words_take(w);
    for (unsigned i = 0; i < array_len(actions); i++) {
        if (strcmp(word, actions[i].word) != 0)
            continue;
        line->action = (enum script_action)i;
        ASSERT(strlen(actions[i].args) <= SCRIPT_ARGS_MAX);
        for (unsigned j = 0; actions[i].args[j] != '\0'; j++) {
            if (!parse_argument(w, actions[i].args[j], j, line))
                return false;
        }
        return words_end(w);
    }
    return words_fault(w, "<, > or an action", word);
}

static bool parse_line(struct words *w, struct script_line *line)
{
    if (!parse_time(w, line))
        return false;
    if (words_take_if(w, "<")) {
        bool is_icmp = words_take_if(w, "icmp");
        line->kind = is_icmp ? SCRIPT_ICMP : SCRIPT_PEER;
        return is_icmp ? parse_icmp(w, line) && words_end(w) : parse_segment(w, &line->segment);
    }
    if (words_take_if(w, ">")) {
        line->kind = SCRIPT_EXPECT;
        return parse_segment(w, &line->segment);
    }
    line->kind = SCRIPT_ACTION;
    if (line->slack_us != 0)
        return words_fault(w, "> after a range of times", words_peek(w));
    if (line->has_time && strcmp(words_peek(w), "flow") == 0)
        return words_fault(w, "no time before flow", words_peek(w));
    return parse_action(w, line);
}

static bool parse_setting(struct words *w, struct script_settings *s)
{
    const struct {
        const char *word;
        uint32_t *value;
    } settings[] = {
#define X(field, word) {word, &s->field},
        SCRIPT_SETTING_LIST(X)
#undef X
    };
    const char *word = words_take(w);
    for (unsigned i = 0; i < array_len(settings); i++) {
        if (strcmp(word, settings[i].word) == 0)
            return words_number(w, "a number", settings[i].value) && words_end(w);
    }
    return words_fault(w, "the name of a setting", word);
}

/* A line of the script's head. *ret_is_head false: it is none, so the script begins. */
static bool parse_head(struct words *w, struct script *s, bool *ret_is_head)
{
    *ret_is_head = true;
    if (words_take_if(w, "config"))
        return parse_setting(w, &s->settings);
    if (words_take_if(w, "only")) {
        s->is_only_v4 = words_take_if(w, "v4");
        s->is_only_v6 = !s->is_only_v4 && words_take_if(w, "v6");
        return s->is_only_v4 || s->is_only_v6 ? words_end(w)
                                              : words_fault(w, "v4 or v6", words_peek(w));
    }
    *ret_is_head = false;
    return true;
}

static bool read_line(struct script *s, unsigned number, const char *text)
{
    struct words w;
    bool is_head = false;
    if (!words_split(&w, s->path, number, text))
        return false;
    if (w.n == 0)
        return true;
    if (s->n_lines == 0 && !parse_head(&w, s, &is_head))
        return false;
    if (is_head)
        return true;
    if (s->n_lines == SCRIPT_LINES_MAX)
        return words_fault(&w, "fewer lines", text);
    struct script_line *line = &s->lines[s->n_lines++];
    *line = (struct script_line){.number = number};
    snprintf(line->text, sizeof(line->text), "%.*s", (int)strcspn(text, "\n"), text);
    return parse_line(&w, line);
}

bool script_read(const char *path, struct script *ret)
{
    char text[SCRIPT_TEXT_MAX];
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        fprintf(script_errors, "%s: cannot be read\n", path);
        return false;
    }
    ret->path = path;
    ret->n_lines = 0;
    ret->is_only_v4 = false;
    ret->is_only_v6 = false;
    bool is_good = true;
    unsigned number = 0;
    while (is_good && fgets(text, sizeof(text), f) != NULL)
        is_good = read_line(ret, ++number, text);
    fclose(f);
    if (is_good && ret->n_lines == 0) {
        fprintf(script_errors, "%s: nothing happens in it\n", path);
        return false;
    }
    return is_good;
}
