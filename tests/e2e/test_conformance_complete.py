# SPDX-License-Identifier: Apache-2.0
"""Conformance: every test of the suite of the kinds that are looked at has its test here, or stands in the table of
those that wait."""
import collections
import glob
import importlib
import os
import re

import conformance
import lab as labs
import suite
from conformance_names import NOT_YET, UNTESTED

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = (r"HTTPRoute|GRPC|TLSRoute|TCPRoute|UDPRoute|GatewayFrontend|GatewayInvalidFrontend|BackendTLSPolicy|"
         r"GatewayTLSBackend|GatewayInvalidTLSBackend|ListenerSet|Mesh")
OFFICIAL = re.compile(rf'ShortName: *"((?:{KINDS})\w*)".*?Features:[^{{]*\{{(.*?)\}}', re.DOTALL)
CORE = {"Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "Mesh"}


def official():
    """{ShortName: names of the features that it needs} of the suite's tests of these kinds."""
    found = {}
    for path in glob.glob(os.path.join(conformance.build.suite_files(), "tests", "**", "*.go"),
                          recursive=True):
        with open(path, encoding="utf-8") as f:
            tests = OFFICIAL.findall(f.read())
        found.update({name: set(re.findall(r"features\.Support(\w+)", features)) for name, features in tests})
    assert found, "no test of the suite was found"
    return found


def written():
    """The ShortNames of the functions here."""
    names = [os.path.basename(p)[:-3] for p in sorted(glob.glob(os.path.join(HERE, "test_conformance_*.py")))]
    return [f.short_name for name in names for f in vars(importlib.import_module(name)).values()
            if hasattr(f, "short_name")]


def claimed():
    """What status.supportedFeatures of our GatewayClasses says."""
    with open(os.path.join(labs.TOP, "mgmt", "attach", "features.def"), encoding="ascii") as f:
        return set(re.findall(r"^FEATURE\((\w+)\)", f.read(), re.MULTILINE))


@suite.test("S4")
def every_test_of_the_suite_is_here_or_is_known_to_wait():
    names, mine = set(official()), collections.Counter(written())
    assert [n for n, times in mine.items() if times > 1] == [], "a test is here twice"
    assert names - set(mine) - set(NOT_YET) == set(), "the suite has tests that nobody thought of"
    assert set(mine) - names == set(), "the suite has no such tests"
    assert set(NOT_YET) - names == set(), "the table names what does not exist"
    print(f"    of {len(names)} tests {len(names - set(NOT_YET))} run here; "
          f"{len(set(NOT_YET) & set(mine))} of the {len(NOT_YET)} that wait are written", flush=True)


@suite.test("S2 S4")
def no_feature_is_claimed_whose_tests_do_not_run():
    of, features = official(), claimed()
    for name in NOT_YET:
        extended = of[name] - CORE
        assert not extended or extended - features, f"{name} waits, but {extended} are claimed"
    running = set().union(*(of[name] for name in of if name not in NOT_YET))
    assert not set(UNTESTED) & running, "the suite has a test of what ours alone stands for"
    for name in UNTESTED.values():
        file, function = name.split(".py:")
        assert hasattr(getattr(importlib.import_module(file), function), "rows"), f"{name} is no test"
    unproved = {f for f in features if re.match(KINDS, f)} - running - set(UNTESTED)
    assert not unproved, f"no test runs for {unproved}"
