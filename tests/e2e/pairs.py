# SPDX-License-Identifier: Apache-2.0
"""Covering arrays: few rows in which any two values of two different factors meet."""
import itertools
import random


def product(factors):
    """Every combination, as {factor: value}."""
    return [dict(zip(factors, values)) for values in itertools.product(*factors.values())]


def pairs_of(row):
    return set(itertools.combinations(sorted(row.items()), 2))


def covering(factors, seed=1):
    """Rows of product(factors) that together hold every pair: greedily, the row that brings the most new pairs."""
    rows = product(factors)
    random.Random(seed).shuffle(rows)
    held = [(row, pairs_of(row)) for row in rows]
    missing = set().union(*(p for _, p in held))
    chosen = []
    while missing:
        row, new = max(held, key=lambda x: len(x[1] & missing))
        chosen.append(row)
        missing -= new
    return chosen
