# SPDX-License-Identifier: Apache-2.0
"""The tree as the checks see it: which files there are, and their lines. Reads each file once."""
import functools
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@functools.cache
def files(*endings):
    """Tracked files and those about to be, whose name ends so; all without arguments."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=TOP, check=True, capture_output=True, text=True).stdout.splitlines()
    there = [f for f in dict.fromkeys(listed) if os.path.isfile(os.path.join(TOP, f))]
    return [f for f in there if not endings or f.endswith(endings)]


@functools.cache
def lines(path):
    """The lines of a file without their ends."""
    with open(os.path.join(TOP, path), encoding="utf-8", errors="replace") as f:
        return f.read().splitlines()


def c_files():
    return files(".c", ".h")


@functools.cache
def scripts():
    """Python and shell, also those that carry no ending."""
    found = list(files(".py", ".sh"))
    for path in files():
        if "." not in os.path.basename(path) and lines(path)[:1] and lines(path)[0].startswith("#!"):
            found.append(path)
    return found
