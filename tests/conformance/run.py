#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev conformance: Gateway API's official suite against the appliance, in a cluster whose pods are processes."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time

import programs  # first: it tells where the lab's modules are
import cleanup
import counts
import lab as labs
import process
import prompt
import rig
import skipped

OUT = programs.OUT
PROFILES = ("GATEWAY-HTTP", "GATEWAY-GRPC", "GATEWAY-TLS", "GATEWAY-TCP", "GATEWAY-UDP")
MESHES = ("MESH-HTTP", "MESH-GRPC")
LIMIT_S = 1500
PARALLEL = 8  # tests at once, of those that may
IMPLEMENTATION = {"organization": "sluice", "project": "sluice", "url": "https://sluice.internal",
                  "contact": "https://sluice.internal/contact"}


def arguments():
    parser = argparse.ArgumentParser(prog="./dev conformance", description=__doc__)
    parser.add_argument("--profile", action="append", metavar="P", choices=[*PROFILES, *MESHES],
                        help="only this profile's tests (again for more): " + ", ".join([*PROFILES, *MESHES]))
    parser.add_argument("--run-test", metavar="T", help="only this test, also one whose feature is not claimed")
    parser.add_argument("--keep", action="store_true", help="stay, with a prompt, when the suite has ended")
    parser.add_argument("--no-suite", action="store_true", help="the cluster and the appliance alone, with a prompt")
    parser.add_argument("--limit", type=int, default=LIMIT_S, metavar="S", help=f"seconds for the suite ({LIMIT_S})")
    return parser.parse_args()


def version():
    with open(os.path.join(labs.TOP, "meson.build"), encoding="utf-8") as f:
        return re.search(r"version: '([^']+)'", f.read())[1]


def suite_command(asked):
    """The suite's command line, behind what makes events of what it says."""
    profiles = asked.profile or PROFILES + MESHES
    flags = {"gateway-class": rig.CLASS, "conformance-profiles": ",".join(profiles),
             "usable-address": rig.USABLE, "unusable-address": rig.UNUSABLE,
             "report-output": path("report.yaml"), "list-output": path("tests.json"), "version": version(),
             **IMPLEMENTATION}
    if asked.run_test:
        flags["run-test"] = asked.run_test
    else:  # of what the GatewayClass claims; by itself the suite believes it nothing of meshes
        flags["only-profiles"] = "true"
    return [programs.build.go_of_suite() or os.environ.get("GO", "go"), "tool", "test2json", "-t",
            programs.suite(), "-test.v=test2json", "-test.run=^TestConformance$", f"-test.timeout={asked.limit}s",
            f"-test.parallel={PARALLEL}", *[f"-{name}={value}" for name, value in flags.items()]]


def path(name):
    return os.path.join(OUT, "last", name)


def run_suite(r, asked):
    """Its results; what it says is kept in out/conformance/last/events.json."""
    def announce(name, result):
        if result.outcome != "skip":
            print(f"{'ok    ' if result.outcome == 'pass' else 'FAILED'} {result.seconds:6.1f} s  {name}", flush=True)

    results = counts.Results(announce)
    argv = r["client"].argv(*suite_command(asked))
    with open(path("events.json"), "w", encoding="utf-8") as events:
        suite = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                 start_new_session=True, preexec_fn=cleanup.die_with_parent,
                                 env={**os.environ, "KUBECONFIG": r.client_config()})
        r.undo.add("suite", end_group, suite)
        for line in suite.stdout:
            events.write(line)
            results.take(line)
        suite.wait()
    return results


def end_group(popen):
    """Ends the program and what it started, which are a session of their own."""
    if popen.poll() is None:
        os.killpg(popen.pid, 9)
        popen.wait()


def tell(results, listing, claimed):
    """Prints what came of it, and keeps it as JSON; how many failed."""
    faults = {name: result.told() for name, result in results.named("fail").items()}
    for name, lines in faults.items():
        print(f"\nFAILED {name}: {' '.join(sorted(results.tests[name].failed))}\n  " + "\n  ".join(lines))
    if not results.tests:
        faults["the suite"] = results.setup.told()
        print("\nFAILED before the first test\n  " + "\n  ".join(faults["the suite"]))
    not_run = results.named("skip")
    print("\nskipped:")
    for name, result in not_run.items():
        print(f"  {name}: {result.reason()}")
    features = counts.features_by_profile(listing, claimed)
    table = counts.by_profile(results, listing)
    print("\nprofile        core passed failed skipped   extended passed failed skipped   features claimed")
    for profile, parts in sorted(table.items()):
        numbers = [parts[p].get(o, 0) for p in ("core", "extended") for o in ("pass", "fail", "skip")]
        have, lack = (len(f) for f in features[profile])
        print("{:14} {:11} {:6} {:7} {:17} {:6} {:7} {:12} of {}".format(profile, *numbers, have, have + lack))
    with open(path("result.json"), "w", encoding="utf-8") as f:
        json.dump({"profiles": table, "failed": faults, "skipped": {n: r.reason() for n, r in not_run.items()},
                   "features": {p: {"claimed": c, "not claimed": n} for p, (c, n) in features.items()}}, f, indent=1)
    return len(faults)


def surprises(results, listing):
    """Tests whose being skipped, or not, differs from what skipped.py says: how many."""
    found = []
    for test in listing["tests"]:
        outcome, reason = results.tests[test["name"]].outcome, skipped.reason_of(test)
        if outcome == "skip" and reason is None:
            found.append(f"{test['name']} was skipped, and skipped.py knows no reason")
        if outcome != "skip" and reason is not None:
            found.append(f"{test['name']} ran, and skipped.py says that it cannot: {reason}")
    for line in found:
        print("FAILED " + line)
    return len(found)


def judge(r, asked, results):
    """Everything that there is to say; the exit status."""
    with open(path("tests.json"), encoding="utf-8") as f:
        listing = json.load(f)
    claimed = {f["name"] for f in r.cluster.api.get("GatewayClass", rig.CLASS)["status"].get("supportedFeatures", [])}
    failed = tell(results, listing, claimed)
    if results.tests and not asked.run_test and not asked.profile:
        failed += surprises(results, listing)
    try:
        r.appliance.end_in_good_order()
    except AssertionError as e:
        failed += 1
        print(f"FAILED {e}")
    if failed and os.path.exists(path("report.yaml")):
        os.rename(path("report.yaml"), path("report-not-to-be-believed.yaml"))
    elif os.path.exists(path("report.yaml")):
        print(f"\nthe suite's report: {path('report.yaml')}")
    passed = len(results.named("pass"))
    print(f"conformance: {passed} passed, {failed} failed, {len(results.named('skip'))} skipped", flush=True)
    return 0 if passed and not failed else 1


def conformance(asked):
    for build in (programs.suite, programs.cluster, programs.images):  # before anything is started
        build()
    shutil.rmtree(path(""), ignore_errors=True)
    os.makedirs(path(""))
    started = time.monotonic()
    with rig.Rig() as r:
        r.bring_up()
        print(f"== cluster, appliance and controller are up after {time.monotonic() - started:.0f} s", flush=True)
        if asked.no_suite:
            stay(r)
            return 0
        results = run_suite(r, asked)
        print(f"== the suite ended after {time.monotonic() - started:.0f} s")
        if asked.keep:
            stay(r)
        shutil.copytree(r.pod_logs(), path("pods"), dirs_exist_ok=True)
        return judge(r, asked, results)


def stay(r):
    print(f"kubectl: ip netns exec {r['admin'].full} {r.cluster.programs['kubectl']} --kubeconfig {r.cluster.config}")
    prompt.stay(r)


def main():
    asked = arguments()
    cleanup.end_on_signals()
    try:
        return conformance(asked)
    except cleanup.Ended:
        print("\n== everything is taken down")
        return 130
    except (process.Failed, AssertionError) as e:
        print(f"{e}\nconformance: 0 passed, 1 failed", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
