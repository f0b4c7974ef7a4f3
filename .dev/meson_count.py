# SPDX-License-Identifier: Apache-2.0
"""Adds up what the programs of a meson test run say of themselves ("SUITE: N passed, N failed").

A program that crashed, timed out or gave no count is one failure. Reads meson's testlog.json, one object a line.
"""
import json
import re
import sys

COUNT = re.compile(r"(\d+) passed, (\d+) failed\s*$")


def count_program(result):
    """(passed, failed) of one program's record."""
    found = None
    for line in (result.get("stdout") or "").splitlines():
        found = COUNT.search(line) or found
    passed, failed = (int(found[1]), int(found[2])) if found else (0, 0)
    if result["result"] not in ("OK", "SKIP") and failed == 0:
        failed = 1
    elif found is None and result["result"] == "OK":
        failed = 1
    return passed, failed


def main():
    passed = failed = 0
    with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
        for line in log:
            result = json.loads(line)
            p, f = count_program(result)
            passed, failed = passed + p, failed + f
            if f:
                print(f"  {result['name']}: {result['result']}, {p} passed, {f} failed")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


sys.exit(main())
