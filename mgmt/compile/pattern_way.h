/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a path's regular expression that is no expression: "/shop/v1/[0-9]+" can match below
 * /shop/v1 only, which the trie of paths finds, and what Hyperscan has to know is "[0-9]+". So the
 * same rest is compiled once, wherever it hangs.
 */
#pragma once

#include "base/slice.h"

#include <stddef.h>

/*
 * So many bytes of the pattern are literal segments, at most IMAGE_PATTERN_DEPTH_MAX, from the
 * first slash to the last one; what is behind them is not empty, is a pattern if and only if the
 * whole is one, and matches what is behind them in a path if and only if the whole matches the
 * path. 0: there are none, or the rest says something that is not looked through here. Pure.
 */
size_t pattern_way(struct slice pattern);
