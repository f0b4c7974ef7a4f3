/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to an image, by the functions that a worker calls: parser, bind, match; and by the one
 * that `sluicectl explain` calls.
 */
#pragma once

#include "world.h"

/*
 * What becomes of [address, port, head]: "namespace/name RULE MATCH" of the match that takes it,
 * "404", "refused STATUS" of the parser, or "nobody listens". A new string.
 */
json_t *ask_match(const struct world *w, const json_t *request);

/*
 * Where a connection [address, port, server name] goes: [what clients speak there, the listener
 * that has the name, or null, "namespace/name RULE MATCH" of what passes it on, or null], or
 * "nobody listens". New.
 */
json_t *ask_connection(const struct world *w, const json_t *connection);

/* What explain says of a spec; of a spec that it refuses, why: a string. New. */
json_t *ask_explain(const struct world *w, const json_t *spec);
