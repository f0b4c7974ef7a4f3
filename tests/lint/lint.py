#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The house rules that a program can check. Each check is one test; see README.md."""
import os
import re
import subprocess
import sys

import deploy
import limits
import rfcs
import tour
import tree

sys.path.insert(0, os.path.join(tree.TOP, "tests", "unit", "include_graph"))
import include_graph  # noqa: E402 (its folder is known only now)

COLUMNS_MAX = 100
FUNCTION_LINES_MAX = 70
FORMATTER_VERSION = "14"
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
FUNCTION_HEAD = re.compile(r"^[A-Za-z_][\w\s\*,]*?\b(\w+)\s*\(")
NO_FUNCTION = ("static", "#", "typedef", "return", "if", "_Static_assert", "static_assert", "struct {")


def sources_are_formatted():
    version = subprocess.run(["clang-format", "--version"], capture_output=True, text=True).stdout
    if f"version {FORMATTER_VERSION}." not in version:
        print(f"  (not checked: formatting is clang-format {FORMATTER_VERSION}'s; here: {version.strip()})")
        return []
    run = subprocess.run(["clang-format", "--dry-run", *tree.c_files()],
                         cwd=tree.TOP, capture_output=True, text=True)
    return [line for line in run.stderr.splitlines() if "warning:" in line or "error:" in line]


def sources_carry_their_licence():
    wanted = tree.c_files() + tree.scripts() + [f for f in tree.files("meson.build")]
    return [f"{f}:1: no SPDX line" for f in wanted
            if not any("SPDX-License-Identifier: Apache-2.0" in line for line in tree.lines(f)[:3])
            and os.path.getsize(os.path.join(tree.TOP, f)) and is_own_code(f)]


def is_own_code(path):
    """Module meson.build files of a few lines need no licence line."""
    return not path.endswith("meson.build") or path == "meson.build"


def lines_fit_in_100_columns():
    bad = []
    for f in tree.c_files():
        bad += [f"{f}:{n}: {len(line)} columns" for n, line in enumerate(tree.lines(f), 1)
                if len(line.expandtabs(4)) > COLUMNS_MAX]
    for f in tree.scripts():
        bad += [f"{f}:{n}: {len(line)} columns" for n, line in enumerate(tree.lines(f), 1)
                if len(line.expandtabs(4)) > 120]
    return bad


def functions_fit_on_a_screen():
    bad = []
    for f in tree.c_files():
        start = None
        for n, line in enumerate(tree.lines(f), 1):
            if line.startswith("{"):
                start = n
            elif line.startswith("}") and start:
                if n - start - 1 > FUNCTION_LINES_MAX:
                    bad.append(f"{f}:{start}: {n - start - 1} lines")
                start = None
    return bad


def header_functions_have_a_comment():
    bad = []
    for f in tree.files(".h"):
        if f.startswith("tests/"):
            continue
        above = ""
        for n, line in enumerate(tree.lines(f), 1):
            starts = FUNCTION_HEAD.match(line)
            if starts and not line.startswith(NO_FUNCTION) and not above.endswith("*/"):
                bad.append(f"{f}:{n}: {starts[1]}() has no comment that ends right above it")
            above = line.rstrip()
    return bad


def folders_have_a_readme():
    folders = {os.path.dirname(f) for f in tree.c_files() + tree.scripts() if "/" in f}
    folders = {f for f in folders if not f.startswith("tests/unit/")} | {"tests", "docs", "dataplane", "mgmt",
                                                                           "drivers", "tests/unit"}
    return [f"{f}: no README.md" for f in sorted(folders)
            if not os.path.isfile(os.path.join(tree.TOP, f, "README.md"))]


def sources_hold_nothing_unfinished():
    return [f"{f}:{n}: {line.strip()}" for f in tree.c_files() + tree.scripts()
            for n, line in enumerate(tree.lines(f), 1) if UNFINISHED.search(line)]


CHECKS = [
    sources_are_formatted,
    sources_carry_their_licence,
    lines_fit_in_100_columns,
    functions_fit_on_a_screen,
    header_functions_have_a_comment,
    folders_have_a_readme,
    sources_hold_nothing_unfinished,
    limits.limits_page_is_current,
    deploy.deploy_is_current,
    deploy.role_is_what_the_controller_needs,
    tour.tour_stations_exist,
    rfcs.rfc_pages_name_what_exists,
    rfcs.rfcs_of_the_code_have_a_page,
    include_graph.layers_point_one_way,
]


def main():
    failed = 0
    for check in CHECKS:
        breaches = check()
        print(f"{'FAILED' if breaches else 'ok'} {check.__name__}")
        for breach in breaches[:40]:
            print(f"  {breach}")
        if len(breaches) > 40:
            print(f"  and {len(breaches) - 40} more")
        failed += bool(breaches)
    print(f"lint: {len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
