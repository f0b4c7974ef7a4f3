/* SPDX-License-Identifier: Apache-2.0 */
/* Segments in words. Everything is looked at: what does not fit is a fault, nothing is guessed. */
#include "script_segment.h"

#include "base/assert.h"
#include "base/container.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool parse_flags(struct words *w, struct script_segment *s)
{
    static const char letters[] = "FSRP.UEW"; /* in the order of the header's bits */
    const char *word = words_take(w);
    for (const char *p = word; *p != '\0'; p++) {
        const char *at = strchr(letters, *p);
        if (at == NULL || (s->flags & 1u << (at - letters)) != 0)
            return words_fault(w, "flags: one or more of FSRP.UEW (. is ACK)", word);
        s->flags |= (uint8_t)(1u << (at - letters));
    }
    return *word != '\0' || words_fault(w, "flags, or - for none", word);
}

/* SEQ or SEQ:END(LEN), where the three must agree. */
static bool parse_range(struct words *w, struct script_segment *s)
{
    const char *word = words_take(w);
    unsigned end;
    unsigned len;
    int used = 0;
    if (strcmp(word, "*") == 0) {
        s->is_any_seq = true;
        return true;
    }
    if (word_is_number(word, &s->seq))
        return true;
    if (sscanf(word, "%u:%u(%u)%n", &s->seq, &end, &len, &used) != 3 || word[used] != '\0')
        return words_fault(w, "a number, or a range such as 1:1461(1460)", word);
    s->len = len;
    return end - s->seq == len || words_fault(w, "a range whose length is right", word);
}

/* "sack 1:3 5:7": pairs until something else. */
static bool parse_sack(const struct words *w, const char *text, struct tcp_options *o)
{
    int used;
    while (sscanf(text, " %u:%u%n", &o->sack[o->n_sack].start.v, &o->sack[o->n_sack].end.v,
                  &used) == 2) {
        text += used;
        if (++o->n_sack == TCP_SACK_BLOCKS_MAX)
            break;
    }
    return (*text == '\0' && o->n_sack > 0) || words_fault(w, "up to four blocks 1:3", text);
}

/* "VAL ecr ECR", either of them a "*". */
static bool parse_timestamps(const struct words *w, const char *text, struct script_segment *s)
{
    char value[16];
    char echo[16];
    int used = 0;
    if (sscanf(text, " val %15s ecr %15s%n", value, echo, &used) != 2 || text[used] != '\0')
        return words_fault(w, "TS val N ecr N", text);
    s->options.has_timestamps = true;
    s->is_any_ts_value = strcmp(value, "*") == 0;
    s->is_any_ts_echo = strcmp(echo, "*") == 0;
    return (s->is_any_ts_value || word_is_number(value, &s->options.ts_value) ||
            words_fault(w, "a number", value)) &&
           (s->is_any_ts_echo || word_is_number(echo, &s->options.ts_echo) ||
            words_fault(w, "a number", echo));
}

static bool parse_option(const struct words *w, const char *text, struct script_segment *s)
{
    struct tcp_options *o = &s->options;
    unsigned value;
    int used = 0;
    if (strcmp(text, "nop") == 0)
        return true; /* padding is the codec's business */
    if (strcmp(text, "sackOK") == 0)
        return o->has_sack_permitted = true;
    if (sscanf(text, "mss %u%n", &value, &used) == 1 && text[used] == '\0' && value <= UINT16_MAX) {
        o->mss = (uint16_t)value;
        return o->has_mss = true;
    }
    if (sscanf(text, "wscale %u%n", &value, &used) == 1 && text[used] == '\0' && value < 256) {
        o->wscale = (uint8_t)value;
        return o->has_wscale = true;
    }
    if (sscanf(text, "kind %u%n", &value, &used) == 1 && text[used] == '\0' && value < 256) {
        s->unknown_option = (uint16_t)value;
        return value != 0;
    }
    if (strncmp(text, "TS", 2) == 0)
        return parse_timestamps(w, text + 2, s);
    if (strncmp(text, "sack", 4) == 0)
        return parse_sack(w, text + 4, o);
    return words_fault(w, "mss N, sackOK, sack A:B, TS val N ecr N, wscale N, kind N or nop", text);
}

static bool parse_options(struct words *w, const char *word, struct script_segment *s)
{
    char text[SCRIPT_TEXT_MAX];
    size_t len = strlen(word);
    if (s->has_options || len < 2 || word[len - 1] != '>')
        return words_fault(w, "options once, as <...>", word);
    s->has_options = true;
    snprintf(text, sizeof(text), "%.*s", (int)len - 2, word + 1);
    for (char *save, *p = strtok_r(text, ",", &save); p != NULL; p = strtok_r(NULL, ",", &save)) {
        if (!parse_option(w, p + strspn(p, " "), s))
            return false;
    }
    return true;
}

/* What may come before the flags. */
static bool parse_marks(struct words *w, struct script_segment *s)
{
    static const char *const ecn[] = {"[noecn]", "[ect1]", "[ect0]", "[ce]"};
    s->ecn = SCRIPT_ECN_ANY;
    for (uint8_t i = 0; i < array_len(ecn); i++) {
        if (words_take_if(w, ecn[i]))
            s->ecn = i;
    }
    s->is_checksum_bad = words_take_if(w, "[bad_checksum]");
    return *words_peek(w) != '[' ||
           words_fault(w, "[noecn], [ect0], [ect1], [ce] or flags", words_peek(w));
}

/* One word behind the range with what belongs to it. */
static bool parse_field(struct words *w, struct script_segment *s)
{
    uint32_t urgent;
    if (words_take_if(w, "ack"))
        return words_number(w, "a number", &s->ack);
    if (words_take_if(w, "each"))
        return words_number(w, "a number", &s->each);
    if (words_take_if(w, "win")) {
        s->has_window = true;
        return words_number(w, "a number", &s->window) &&
               (s->window <= UINT16_MAX || words_fault(w, "a window of 16 bits", "more"));
    }
    if (words_take_if(w, "urg")) {
        bool is_number = words_number(w, "a number", &urgent);
        s->urgent = (uint16_t)urgent;
        return is_number;
    }
    if (*words_peek(w) == '<')
        return parse_options(w, words_take(w), s);
    return words_fault(w, "ack, win, urg, each or <options>", words_peek(w));
}

bool parse_segment(struct words *w, struct script_segment *ret)
{
    *ret = (struct script_segment){0};
    if (!parse_marks(w, ret) || (!words_take_if(w, "-") && !parse_flags(w, ret)) ||
        !parse_range(w, ret))
        return false;
    bool has_ack = false;
    while (*words_peek(w) != '\0') {
        has_ack |= strcmp(words_peek(w), "ack") == 0;
        if (!parse_field(w, ret))
            return false;
    }
    if (has_ack != ((ret->flags & 0x10) != 0))
        return words_fault(w, "ack N with the flag '.', and only then", "the other");
    return ret->each == 0 || (ret->len > 0 && ret->each <= ret->len) ||
           words_fault(w, "bytes for each segment", "none");
}

bool parse_icmp(struct words *w, struct script_line *ret)
{
    uint32_t mtu = 0;
    if (words_take_if(w, "time_exceeded")) {
        ret->icmp = SCRIPT_ICMP_TIME;
    } else if (words_take_if(w, "too_big")) {
        ret->icmp = SCRIPT_ICMP_TOO_BIG;
        if (!words_take_if(w, "mtu") || !words_number(w, "a number", &mtu))
            return words_fault(w, "mtu N", words_peek(w));
    } else if (words_take_if(w, "unreachable")) {
        const char *what = words_take(w);
        ret->icmp = strcmp(what, "net") == 0    ? SCRIPT_ICMP_NET
                    : strcmp(what, "host") == 0 ? SCRIPT_ICMP_HOST
                                                : SCRIPT_ICMP_PORT;
        if (ret->icmp == SCRIPT_ICMP_PORT && strcmp(what, "port") != 0)
            return words_fault(w, "net, host or port", what);
    } else {
        return words_fault(w, "unreachable, too_big or time_exceeded", words_peek(w));
    }
    ret->mtu = (uint16_t)mtu;
    return (words_take_if(w, "quote") && words_number(w, "a number", &ret->segment.seq)) ||
           words_fault(w, "quote SEQ", words_peek(w));
}
