/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose scripts a CORS filter lets read the answers: origins (RFC 6454, Fetch section 3.3) compared
 * with those of the filter (HTTPCORSFilter.allowOrigins).
 *
 * Owner: none, pure. Thread: any, on an image that image_check() accepted.
 */
#pragma once

#include "abi/image.h"
#include "base/slice.h"

#include <stdbool.h>

/*
 * Does the filter allow the origin, which is the value of a request's Origin? *ret_told is then
 * what Access-Control-Allow-Origin says: "*" or bytes of the image where that says the same, else
 * `origin` itself. Cost: a comparison an origin of the filter.
 */
bool route_cors_allows(const struct image_view *v, const struct image_cors *cors,
                       struct slice origin, struct slice *ret_told);

/* Do answers differ by Origin? Then caches have to be told. */
bool route_cors_varies(const struct image_cors *cors);
