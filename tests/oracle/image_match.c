/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for the product, a JSON line for a JSON line; tests/oracle/run.py asks.
 *
 *   {"objects": [...]}                    an image is made of them; {} or {"error": why}
 *   {"requests": [[address, port, head]]} {"answers": [...]}, see ask_match()
 *   {"connections": [[address, port, server name]]}
 *                                         {"answers": [...]}, see ask_connection()
 *   {"explain": [spec]}                   {"answers": [...]}, see ask_explain()
 *   {"image": true}                       {"image": ..., "notes": [...]}, see tell_image()
 *
 * Nothing here decides anything: model, attach, compile, http and route do.
 */
#include "ask.h"
#include "compile/regex_cache.h"
#include "model/model.h"
#include "tell.h"

#include <stdio.h>
#include <stdlib.h>

#define WORLDS_PER_TRIM 64u /* patterns come again from one world to the next */

struct program {
    struct world world;
    struct regex_cache *patterns;
    unsigned n_worlds;
};

static json_t *open_world(struct program *p, const json_t *objects)
{
    json_t *why;
    world_close(&p->world);
    if (++p->n_worlds % WORLDS_PER_TRIM == 0)
        regex_cache_trim(p->patterns);
    return world_open(&p->world, p->patterns, objects, &why) ? json_object()
                                                             : json_pack("{s:o}", "error", why);
}

/* Each item of a list asked of the world. */
static json_t *ask_all(const struct world *w, const json_t *list,
                       json_t *(*ask)(const struct world *w, const json_t *item))
{
    json_t *answers = json_array();
    for (size_t i = 0; i < json_array_size(list); i++)
        json_array_append_new(answers, ask(w, json_array_get(list, i)));
    return json_pack("{s:o}", "answers", answers);
}

static json_t *answer(struct program *p, const json_t *line)
{
    const json_t *objects = json_object_get(line, "objects");
    if (objects != NULL)
        return open_world(p, objects);
    if (p->world.image == NULL)
        return json_pack("{s:s}", "error", "there is no image");
    if (json_object_get(line, "requests") != NULL)
        return ask_all(&p->world, json_object_get(line, "requests"), ask_match);
    if (json_object_get(line, "connections") != NULL)
        return ask_all(&p->world, json_object_get(line, "connections"), ask_connection);
    if (json_object_get(line, "explain") != NULL)
        return ask_all(&p->world, json_object_get(line, "explain"), ask_explain);
    return json_pack("{s:o,s:O}", "image", tell_image(&p->world.v), "notes", p->world.notes);
}

int main(void)
{
    struct program p = {.patterns = regex_cache_new()};
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;
    if (p.patterns == NULL || model_init() != 0)
        return 1;
    while ((len = getline(&text, &cap, stdin)) > 0) {
        json_t *line = json_loadb(text, (size_t)len, 0, NULL);
        json_t *reply = line != NULL ? answer(&p, line) : json_pack("{s:s}", "error", "no JSON");
        json_dumpf(reply, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(reply);
        json_decref(line);
    }
    free(text);
    world_close(&p.world);
    regex_cache_free(p.patterns);
    model_done();
    return 0;
}
