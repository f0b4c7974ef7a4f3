# SPDX-License-Identifier: Apache-2.0
"""What came of a run of the suite, from the events of its tests. The suite's own report is no source: it takes a
parallel test for passed when it has merely been started."""
import dataclasses
import json
import re

ROOT = "TestConformance"
OUTPUT_LINES = 40  # of a failed test, from the end
SKIPPED = re.compile(r"Skipping \w+: (.*)$")
NOISE = re.compile(r"^\s*(=== |--- (PASS|SKIP))")


@dataclasses.dataclass
class Result:
    """Of one test of the suite."""
    outcome: str = "started"  # then pass, fail or skip
    seconds: float = 0.0
    output: list = dataclasses.field(default_factory=list)  # of itself and of its parts, in the order of time
    failed: set = dataclasses.field(default_factory=set)    # the parts that failed

    def reason(self):
        """Why it was skipped."""
        return next((m[1] for m in map(SKIPPED.search, self.output) if m), "")

    def told(self):
        """The end of what it said, without its parts' begins and ends."""
        return [line for line in self.output if line.strip() and not NOISE.match(line)][-OUTPUT_LINES:]


class Results:
    """All of a run; `take` is given each event."""

    def __init__(self, announce=lambda name, result: None):
        self.tests = {}
        self.setup = Result()
        self.announce = announce

    def take(self, line):
        """A line of test2json."""
        try:
            event = json.loads(line)
        except ValueError:
            self.setup.output.append(line.rstrip())
            return
        parts = event.get("Test", "").split("/")
        result = self.setup if len(parts) < 2 else self.tests.setdefault(parts[1], Result())
        action = event["Action"]
        if action == "output":
            result.output.append(event["Output"].rstrip("\n"))
        elif action in ("pass", "fail", "skip"):
            self.end(parts, result, action, event.get("Elapsed", 0.0))

    def end(self, parts, result, outcome, seconds):
        if len(parts) > 2:
            if outcome == "fail":
                result.failed.add("/".join(parts[2:]))
            return
        result.outcome, result.seconds = outcome, seconds
        if len(parts) == 2:
            self.announce(parts[1], result)

    def named(self, outcome):
        """{name: Result} of those that ended so; one that never ended has failed."""
        is_it = {"fail": ("fail", "started")}.get(outcome, (outcome,))
        return {name: r for name, r in sorted(self.tests.items()) if r.outcome in is_it}


def by_profile(results, listing):
    """{profile: {"core": {outcome: number}, "extended": ...}} of the tests that ran."""
    table = {}
    for test in listing["tests"]:
        result = results.tests.get(test["name"])
        for profile in test["profiles"] or []:
            part = "core" if profile in (test["core"] or []) else "extended"
            counted = table.setdefault(profile, {"core": {}, "extended": {}})[part]
            outcome = {"started": "fail", None: "skip"}.get(result and result.outcome, result and result.outcome)
            counted[outcome] = counted.get(outcome, 0) + 1
    return table


def features_by_profile(listing, claimed):
    """{profile: (claimed extended features, those not claimed)}."""
    return {profile: ([f for f in extended if f in claimed], [f for f in extended if f not in claimed])
            for profile, extended in listing["extended"].items()}
