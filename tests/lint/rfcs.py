# SPDX-License-Identifier: Apache-2.0
"""docs/rfc: each row of a page names a requirement, what does it and what shows it; all that is named must exist.

A row is `| where | what | does it | shown by |`. In the third cell a name in backticks is an identifier of dataplane/
or drivers/, or a path; in the fourth it is a TEST() of tests/unit, a def of a Python test, a path, or `subject/name`
of tests/scripts. A row that
does not hold says "no:" and why in the third cell, one that is not for a host like us "not ours:". A MUST that says
"no:" is listed in the README under "Where we do otherwise", so none is open in silence.
"""
import functools
import os
import re

import tree

FOLDER = "docs/rfc"
INDEX = f"{FOLDER}/README.md"
OTHERWISE = "## Where we do otherwise"
PAGE = re.compile(r"^docs/rfc/(\d+|draft-[a-z-]+)\.md$")
NAME = re.compile(r"`([^`]+)`")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
TEST = re.compile(r"^\s*TEST\((\w+)", re.M)
DEFINITION = re.compile(r"^\s*def (\w+)\(", re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)
LEVEL = re.compile(r"\b(MUST|SHOULD|MAY|must|should|may|SHLD|REC|step)\b")
PLACE = re.compile(r"MUST-\d+|\d+(?:\.\d+)*")
RFC = re.compile(r"\bRFC (\d+)")


@functools.cache
def text_of(*places_and_endings):
    """All text of the files that begin and end so."""
    places = tuple(p for p in places_and_endings if p.endswith("/"))
    endings = tuple(e for e in places_and_endings if not e.endswith("/"))
    return "\n".join("\n".join(tree.lines(f)) for f in tree.files(*endings) if f.startswith(places))


@functools.cache
def identifiers():
    """Of the code, not of its comments."""
    return set(IDENTIFIER.findall(COMMENT.sub("", text_of("dataplane/", "drivers/", ".c", ".h", ".def"))))


@functools.cache
def tests():
    return set(TEST.findall(text_of("tests/", ".c"))) | set(DEFINITION.findall(text_of("tests/", ".py")))


def pages():
    return sorted(f for f in tree.files(".md") if PAGE.match(f))


def rows(page):
    """(line number, cells) of each row of a table, without heads and rules."""
    found = []
    for n, line in enumerate(tree.lines(page), 1):
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        is_rule = all(re.fullmatch(r":?-+:?", c) for c in cells)
        if not line.startswith("|") or is_rule:
            continue
        following = tree.lines(page)[n] if n < len(tree.lines(page)) else ""
        if re.match(r"^\|[-:|\s]+\|$", following):
            continue  # the head
        found.append((n, cells))
    return found


def is_path(name):
    return "/" in name or name.endswith((".c", ".h", ".py"))


def is_file(name):
    """A file of the tree, or a packet script without its folder and ending."""
    return any(os.path.exists(os.path.join(tree.TOP, p)) for p in (name, f"tests/scripts/{name}.script"))


def missing(names, known):
    """Those that are neither known nor files."""
    return [n for n in names if not (is_file(n) if is_path(n) else n in known)]


@functools.cache
def otherwise():
    """The bullets under the heading of what we do otherwise."""
    return "\n".join(tree.lines(INDEX)).partition(OTHERWISE)[2].split("\n- ")


def is_owned_up_to(page, where):
    """Does a bullet name the RFC and the place, by section or identifier?"""
    rfc = PAGE.match(page)[1]
    return any(re.search(rf"\b{rfc}\b", bullet) and re.search(rf"(?<![\d.]){re.escape(place)}(?!\.?\d)", bullet)
               for bullet in otherwise() for place in PLACE.findall(where))


def faults_of(page, cells):
    """What is wrong with one row."""
    if len(cells) != 4:
        return [f"{len(cells)} cells, 4 wanted"]
    where, _, does, shown = cells
    faults = [f"no {n} in the code" for n in missing(NAME.findall(does), identifiers())]
    faults += [f"no test {n}" for n in missing(NAME.findall(shown), tests())]
    if not LEVEL.search(where):
        faults.append("neither MUST nor SHOULD nor MAY")
    if does.startswith("no:"):
        if re.search(r"\bMUST\b", where) and not is_owned_up_to(page, where):
            faults.append("a MUST that does not hold, and README.md has no word of it")
    elif not does.startswith("not ours:") and not (NAME.search(does) and shown):
        faults.append("names no function, or nothing shows it")
    return faults


def rfc_pages_name_what_exists():
    bad = []
    for page in pages():
        table = rows(page)
        bad += [f"{page}:{n}: {fault}" for n, cells in table for fault in faults_of(page, cells)]
        if not table:
            bad.append(f"{page}:1: no table")
    return bad


def rfcs_of_the_code_have_a_page():
    """Every RFC that net or tcp names has a page, or stands in the index's list of those without one."""
    index = "\n".join(tree.lines(INDEX))
    bad = [f"{page}:1: not in {INDEX}" for page in pages() if f"({os.path.basename(page)})" not in index]
    for path in tree.files(".c", ".h"):
        if not path.startswith(("dataplane/net/", "dataplane/tcp/", "dataplane/udp/")):
            continue
        for n, line in enumerate(tree.lines(path), 1):
            bad += [f"{path}:{n}: RFC {rfc} is not in {INDEX}" for rfc in RFC.findall(line)
                    if not re.search(rf"\b{rfc}\b", index)]
    return bad
