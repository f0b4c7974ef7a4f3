#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs libFuzzer targets, a core each, from the kept corpus and the seeds; see README.md.

    run.py BUILD OUT [--seconds N | --total N] [--keep] [TARGET...]

--seconds N  each target for so long
--total N    all targets within so long, together
--keep       afterwards the kept corpus is made anew: the fewest inputs that reach as much

Prints a line a target and "N passed, M failed". A finding is a file in OUT, named in the line."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
INPUT_BYTES_MAX = 4096
KEPT_BYTES_MAX = 400  # longer inputs are not kept: the repository holds what is small


def all_targets():
    return sorted(p.stem.removeprefix("fuzz_") for p in HERE.glob("fuzz_*.c"))


class Target:
    def __init__(self, name, build, out):
        self.name = name
        self.fuzzer = build / "tests/fuzz" / f"fuzz_{name}"
        self.replay = build / "tests/fuzz" / f"replay_{name}"
        self.found = out / name
        self.log = out / f"{name}.log"
        self.artifact = out / f"{name}-"
        self.kept = CORPUS / name

    def inputs(self):
        """Where to begin: the fuzzer's own finds of earlier runs, the seeds, the kept corpus."""
        self.found.mkdir(parents=True, exist_ok=True)
        subprocess.run([self.replay, "--write", self.found], check=True, stdout=subprocess.DEVNULL)
        return [self.found] + ([self.kept] if self.kept.is_dir() else [])

    def run(self, seconds):
        """Returns a line about it, and whether it is good."""
        inputs = self.inputs()
        longest = max((p.stat().st_size for p in self.found.glob("seed-*")), default=0)  # an image that is cut is none
        command = [self.fuzzer, f"-max_total_time={seconds}", f"-max_len={max(INPUT_BYTES_MAX, longest)}",
                   f"-artifact_prefix={self.artifact}", "-print_final_stats=1", "-entropic=0", "-timeout=20", *inputs]
        with open(self.log, "wb") as log:
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT).returncode
        text = self.log.read_text(errors="replace")
        runs = re.findall(r"stat::number_of_executed_units: (\d+)", text)
        coverage = re.findall(r"cov: (\d+)", text)
        line = f"{self.name}: {runs[-1] if runs else 0} inputs, {coverage[-1] if coverage else 0} edges"
        if code != 0:
            why = re.findall(r"(?:SUMMARY: |assertion |ASSERT).*", text)
            where = re.findall(r"Test unit written to (.*)", text)
            line += f"; FAILED: {why[0] if why else code}; {where[-1] if where else self.log}"
        return line, code == 0

    def keep(self):
        """The kept corpus anew: the fewest inputs that reach every edge that was reached."""
        with tempfile.TemporaryDirectory() as fresh:
            subprocess.run([self.fuzzer, "-merge=1", "-use_counters=0", f"-max_len={KEPT_BYTES_MAX}", fresh,
                            *self.inputs()], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            shutil.rmtree(self.kept, ignore_errors=True)
            self.kept.mkdir(parents=True)
            for path in sorted(pathlib.Path(fresh).iterdir()):
                shutil.copyfile(path, self.kept / path.name[:16])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--total", type=int)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("targets", nargs="*")
    args = parser.parse_intermixed_args()
    names = args.targets or all_targets()
    unknown = set(names) - set(all_targets())
    if unknown:
        sys.exit(f"no such target: {' '.join(sorted(unknown))} (there are: {' '.join(all_targets())})")
    cores = os.cpu_count() or 1
    rounds = -(-len(names) // cores)
    seconds = args.seconds if args.total is None else max(1, args.total // rounds)
    args.out.mkdir(parents=True, exist_ok=True)
    targets = [Target(name, args.build.resolve(), args.out.resolve()) for name in names]
    failed = 0
    with ThreadPoolExecutor(cores) as pool:
        for line, is_good in pool.map(lambda t: t.run(seconds), targets):
            print(line, flush=True)
            failed += not is_good
        if args.keep and failed == 0:
            list(pool.map(Target.keep, targets))
    print(f"fuzz: {len(names) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
