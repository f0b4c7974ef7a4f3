#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No function has the same name twice in one program: the linker would silently take the first one it meets.

    symbols.py BUILD-DIR

Looks at the static libraries of the build: those that the dataplane links, and those that mgmt links, are each one
world of names. Prints each clash and "symbols: N passed, N failed" (one test a world)."""
import os
import subprocess
import sys

# What each program is made of (docs/rules.md, rule 1): folders of the build.
WORLDS = {
    "dataplane": ["dataplane", "drivers"],
    "mgmt": ["mgmt", "dataplane/base", "dataplane/abi", "dataplane/core/libsluice_stream.a", "dataplane/tls",
             "dataplane/http", "dataplane/route"],
}


def libraries(build, places):
    for place in places:
        top = os.path.join(build, place)
        if top.endswith(".a"):
            yield top
            continue
        for folder, _, names in os.walk(top):
            yield from (os.path.join(folder, n) for n in names if n.endswith(".a"))


def defined(library):
    """Names of the library's global functions and data."""
    lines = subprocess.run(["nm", "--defined-only", "--extern-only", library], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return {parts[2] for parts in map(str.split, lines) if len(parts) == 3 and parts[1] in "TDBRC"}


def clashes(build, places):
    owners = {}
    for library in sorted(set(libraries(build, places))):
        for name in defined(library):
            owners.setdefault(name, []).append(os.path.relpath(library, build))
    assert owners, "no libraries there: is it built?"
    return {name: libs for name, libs in sorted(owners.items()) if len(libs) > 1}


def main(build):
    failed = 0
    for world, places in WORLDS.items():
        found = clashes(build, places)
        failed += bool(found)
        for name, libs in found.items():
            print(f"  FAILED {world}: {name} is defined by {' and '.join(libs)}")
    print(f"symbols: {len(WORLDS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
