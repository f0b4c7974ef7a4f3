# SPDX-License-Identifier: Apache-2.0
"""docs/tour.md: each station names a file and a function in it, as `path/file.c` and `function()`; both must exist."""
import os
import re

import tree

PAGE = "docs/tour.md"
STATION = re.compile(r"^## (\d+)\.")
FILE = re.compile(r"`([\w/]+\.[ch])`")
FUNCTION = re.compile(r"`(\w+)\(\)`")
STATIONS = 12


def stations():
    """(heading's line, [(file, functions)]) of each station: functions belong to the file named before them."""
    found = []
    for n, line in enumerate(tree.lines(PAGE), 1):
        if STATION.match(line):
            found.append((n, []))
        if not found:
            continue
        for token in re.finditer(r"`[^`]+`", line):
            if FILE.fullmatch(token[0]):
                found[-1][1].append((FILE.fullmatch(token[0])[1], []))
            elif FUNCTION.fullmatch(token[0]) and found[-1][1]:
                found[-1][1][-1][1].append(FUNCTION.fullmatch(token[0])[1])
    return found


def tour_stations_exist():
    if not os.path.isfile(os.path.join(tree.TOP, PAGE)):
        return [f"{PAGE}: not there"]
    bad, seen = [], stations()
    if len(seen) != STATIONS:
        bad.append(f"{PAGE}: {len(seen)} stations, {STATIONS} promised")
    for n, named in seen:
        if not any(functions for _, functions in named):
            bad.append(f"{PAGE}:{n}: the station names no function in a file")
        for path, functions in named:
            if not os.path.isfile(os.path.join(tree.TOP, path)):
                bad.append(f"{PAGE}:{n}: no file {path}")
                continue
            text = "\n".join(tree.lines(path))
            bad += [f"{PAGE}:{n}: no {f}() in {path}" for f in functions if not re.search(rf"\b{f}\(", text)]
    return bad
