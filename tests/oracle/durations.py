# SPDX-License-Identifier: Apache-2.0
"""Durations as the Gateway API writes them (GEP-2257)."""

import re

UNIT_MS = {"h": 3600_000, "m": 60_000, "s": 1000, "ms": 1}


def milliseconds(duration):
    return sum(int(n) * UNIT_MS[unit] for n, unit in re.findall(r"(\d+)(ms|h|m|s)", duration))
