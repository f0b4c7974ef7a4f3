#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a cluster's mirror may do: a Token of role controller.

    python3 tests/mgmt/mirror_test.py [BUILD] [NAME...]
"""
import sys

import api_test
from api_test import SLUICE, issue, route, routes, version

TESTS = []
OLD, YOUNG = "2021-01-01T00:00:00Z", "2022-02-02T00:00:00Z"


def test(f):
    TESTS.append(f)
    return f


def aged(obj, created):
    return {**obj, "metadata": {**obj["metadata"], "creationTimestamp": created}}


def changes(*items):
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def placed(obj, ns):
    return {**obj, "metadata": {**obj["metadata"], "namespace": ns}}


@test
def a_mirror_says_how_old_a_copy_is_also_of_one_that_is_there(m, c):
    mirror, chihiro = issue(m, "mirror", "controller"), issue(m, "chihiro", "cluster-operator")
    made = mirror.ok("POST", routes(), aged(route("r"), OLD))
    assert made["metadata"]["creationTimestamp"] == OLD, made
    young = mirror.ok("PUT", routes(name="r"), aged(made, YOUNG))["metadata"]
    assert young["creationTimestamp"] == YOUNG, young
    assert (young["uid"], young["generation"]) == (made["metadata"]["uid"], 1), young
    assert int(young["resourceVersion"]) > int(version(made)), "who watches hears of it"
    same = mirror.ok("PUT", routes(name="r"), route("r"))["metadata"]
    assert same == young, "who says nothing of it changes nothing"
    set_ = mirror.ok("POST", f"{SLUICE}/changesets", changes(aged(placed(route("r"), "apps"), OLD)))["items"][0]
    assert set_["metadata"]["creationTimestamp"] == OLD, set_
    said = chihiro.refused(422, "Invalid", "PUT", routes(name="r"), aged(route("r"), YOUNG))
    assert "metadata.creationTimestamp" in said["message"] and "immutable" in said["message"], said
    for wrong in ("yesterday", 7, "2022-02-30"):
        said = mirror.refused(422, "Invalid", "PUT", routes(name="r"), aged(route("r"), wrong))
        assert said["details"]["causes"][0]["field"] == "metadata.creationTimestamp", said


if __name__ == "__main__":
    sys.exit(api_test.main(TESTS, "mgmt/mirror"))
