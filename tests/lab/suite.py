# SPDX-License-Identifier: Apache-2.0
"""The end-to-end tests' runner. A test is a function whose name is a sentence, with the rows that it proves:

    @suite.test("S16 S18")
    def my_route_attaches_to_foo_gateway(l): ...

A file may have `def lab()`, which makes the Lab that its tests share, and `def prepare(l)`, which is called once in
it; without `lab` its tests get nothing and make their own.
"""
import contextlib
import importlib
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback

import cleanup
import process

ANSWER_WAIT_S = 5
LONG = ("test_soak", "test_bulk", "test_bond_linux", "test_scale_out")  # a minute and more


def test(rows):
    """Marks a test; `rows` are those of docs/gateway-api.md's table, or of issue 3's list as #2..#7."""
    def mark(function):
        function.rows = rows
        return function
    return mark


def eventually(check, what, limit_s=ANSWER_WAIT_S):
    """Asks until `check` gives something true; AssertionError with the last answer when it never does."""
    until = time.monotonic() + limit_s
    while True:
        answer, fault = None, None
        try:
            answer = check()
        except (AssertionError, KeyError, IndexError, process.Failed) as e:
            fault = e
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"not within {limit_s} s: {what}" + (f" ({fault!r})" if fault else f" ({answer!r})"))
        time.sleep(0.05)


@test("#5")
def both_programs_end_in_good_order(l):
    """After each file: nothing crashed, asserted, leaked or was complained about by a sanitizer on the way."""
    l.appliance.end_in_good_order()


def tests_of(module):
    """In the order of the file."""
    found = [f for f in vars(module).values() if callable(f) and hasattr(f, "rows")]
    return sorted(found, key=lambda f: f.__code__.co_firstlineno)


class Runner:
    """Runs files, keeps count."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def one(self, function, *args):
        started = time.monotonic()
        sentence = function.__name__.replace("_", " ")
        try:
            function(*args)
        except cleanup.Ended:
            raise
        except Exception:
            self.failed += 1
            print(f"FAILED {time.monotonic() - started:6.1f} s  {function.rows:8} {sentence}", flush=True)
            print("  " + traceback.format_exc().replace("\n", "\n  "), flush=True)
            return False
        self.passed += 1
        print(f"ok     {time.monotonic() - started:6.1f} s  {function.rows:8} {sentence}", flush=True)
        return True

    def file(self, module, names):
        tests = [t for t in tests_of(module) if not names or t.__name__ in names]
        if not tests:
            return
        print(f"-- {module.__name__}: {(module.__doc__ or '').splitlines()[0]}", flush=True)
        if not hasattr(module, "lab"):
            for t in tests:
                self.one(t)
            return
        done = 0
        try:
            with module.lab() as l:
                if hasattr(module, "prepare"):
                    module.prepare(l)
                for t in tests:
                    done += 1
                    if not self.one(t, l):
                        tell_logs(l)
                self.one(both_programs_end_in_good_order, l)
        except cleanup.Ended:
            raise
        except Exception:
            print(f"FAILED the lab of {module.__name__}\n  " + traceback.format_exc().replace("\n", "\n  "), flush=True)
            self.failed += max(1, len(tests) - done)


def tell_logs(l):
    """What the appliance's programs said last, and whether they still run."""
    for p in (l.appliance.dataplane, l.appliance.mgmtd):
        if p is not None:
            state = "runs" if p.is_running() else f"ended with status {p.popen.returncode}"
            print(f"  {p.name} {state}; its log's end:\n    " + p.log_end(15).replace("\n", "\n    "), flush=True)


def one_by_one(wanted):
    """(passed, failed), in this process."""
    runner = Runner()
    with contextlib.suppress(cleanup.Ended):
        for name, tests in wanted.items():
            runner.file(importlib.import_module(name), tests)
    return runner.passed, runner.failed


class File:
    """One file's tests in a process of their own, whose output is told when it has ended."""

    def __init__(self, name, tests):
        specs = [f"{name}:{t}" for t in sorted(tests)] or [name]
        self.name, self.output = name, tempfile.TemporaryFile()
        self.process = subprocess.Popen([sys.executable, sys.argv[0], *specs], stdout=self.output,
                                        stderr=subprocess.STDOUT, preexec_fn=cleanup.die_with_parent)

    def tell(self):
        """(passed, failed)"""
        self.output.seek(0)
        said = self.output.read().decode(errors="replace")
        self.output.close()
        count = re.search(r"^e2e: (\d+) passed, (\d+) failed\n\Z", said, re.MULTILINE)
        print(said[:count.start()] if count else f"{said}\nFAILED {self.name} ended with status "
              f"{self.process.returncode} and no count", end="" if count else "\n", flush=True)
        return (int(count[1]), int(count[2])) if count else (0, 1)

    def end(self):
        """It was asked to end before it had: so that it cleans up, too."""
        self.process.terminate()
        self.process.wait()


def side_by_side(wanted, jobs):
    """(passed, failed): so many files at a time; those that are waited for longest begin first."""
    waiting = sorted(wanted, key=lambda name: name not in LONG)
    passed, failed, running = 0, 0, []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop(0)
                running.append(File(name, wanted[name]))
            ended = [f for f in running if f.process.poll() is not None]
            for f in ended:
                running.remove(f)
                counts = f.tell()
                passed, failed = passed + counts[0], failed + counts[1]
            time.sleep(0.1)
    except cleanup.Ended:
        for f in running:
            f.end()
    return passed, failed


def wanted_tests(files, arguments):
    """{file: names of its tests, none for all}, in the order of `files`. Failed: something named is not there."""
    wanted, unknown = {}, []
    for a in arguments or files:
        name, _, one = a.partition(":")
        name = "test_" + name.removesuffix(".py").removeprefix("test_")
        if name not in files or (one and one not in [t.__name__ for t in tests_of(importlib.import_module(name))]):
            unknown.append(a)
        wanted.setdefault(name, set()).update({one} if one else set())
    if unknown:
        raise process.Failed("there is no such test: " + ", ".join(unknown))
    return {name: wanted[name] for name in files if name in wanted}


def main(folder, arguments):
    """Runs test_*.py of the folder, or those named (FILE or FILE:TEST); `--jobs N` first: so many files at a time. The
    last line is the count."""
    cleanup.end_on_signals()
    jobs = 1
    if arguments[:1] == ["--jobs"]:
        jobs, arguments = int(arguments[1]), arguments[2:]
    files = sorted(f[:-3] for f in os.listdir(folder) if f.startswith("test_") and f.endswith(".py"))
    try:
        wanted = wanted_tests(files, arguments)
    except process.Failed as e:
        print(f"{e}\nFiles: {' '.join(f.removeprefix('test_') for f in files)}", file=sys.stderr)
        return 2
    passed, failed = side_by_side(wanted, jobs) if jobs > 1 and len(wanted) > 1 else one_by_one(wanted)
    print(f"e2e: {passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit("this is a module")
