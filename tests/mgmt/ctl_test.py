#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sluicectl against a real sluice-mgmtd: python3 tests/mgmt/ctl_test.py [BUILD] [NAME...]."""
import json
import os
import subprocess
import sys

import api_test
from api_test import config_map, maps, namespace

DONE, FAILED, USAGE = 0, 1, 2
TESTS = []
MANY = 2000


def test(f):
    TESTS.append(f)
    return f


def in_apps(name):
    return {**config_map(name), "metadata": {"name": name, "namespace": "apps"}}


def program(m):
    return os.path.join(os.path.dirname(m.program), "..", "ctl", "sluicectl")


def run(m, *args, given="", options=None, timeout=60):
    """(exit status, stdout, stderr)."""
    options = options or ["--server", f"https://127.0.0.1:{m.port}", "--token-file", m.token_file,
                          "--ca-file", m.ca_file]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
    data = given if isinstance(given, bytes) else given.encode()
    done = subprocess.run([program(m), *options, *args], input=data, capture_output=True, timeout=timeout, env=clean)
    said = done.stderr.decode(errors="replace")
    assert "ERROR: " not in said and "runtime error" not in said, said
    assert m.token not in said and m.token not in done.stdout.decode(errors="replace")
    return done.returncode, done.stdout.decode(errors="replace"), said


def must(m, status, wanted, *args, **more):
    """The exit status, and a sentence on stderr that holds `wanted`."""
    code, _, said = run(m, *args, **more)
    assert code == status and wanted in said, (args, code, said)


@test
def wrong_usage_is_status_2_and_says_what_is_wrong(m, c):
    for args in ([], ["frobnicate"], ["get", "--bogus"], ["apply"], ["apply", "x.yaml"], ["delete"],
                 ["delete", "configmap"],
                 ["get"], ["explain"], ["explain", "GET"], ["get", "configmap", "-o", "xml"]):
        code, out, said = run(m, *args)
        assert code == USAGE and said and not out, (args, code, said)
    must(m, USAGE, "--server", "get", "ns", options=["--token-file", m.token_file])
    must(m, USAGE, "https://", "get", "ns", options=["--server", f"http://127.0.0.1:{m.port}"])


@test
def the_examples_of_the_docs_are_taken(m, c):
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "examples")
    files = sorted(f for f in os.listdir(folder) if f.endswith(".yaml"))
    assert len(files) > 10, files
    for where in ("gateway-api-example-ns1", "gateway-api-example-ns2"):
        c.ok("POST", "/api/v1/namespaces", namespace(where))
    for name in files:
        code, _, said = run(m, "apply", "-f", os.path.join(folder, name))
        assert code == DONE, (name, said)


@test
def who_is_not_there_or_not_trusted_is_said_clearly(m, c):
    server = ["--server", f"https://127.0.0.1:{m.port}"]
    must(m, FAILED, "No such file", "get", "ns", options=[*server, "--token-file", "/nowhere"])
    must(m, FAILED, "certificate", "get", "ns", options=[*server, "--token-file", m.token_file])
    must(m, FAILED, "/nowhere", "get", "ns", options=[*server, "--token-file", m.token_file, "--ca-file", "/nowhere"])
    must(m, FAILED, "onnect", "get", "ns", options=["--server", "https://127.0.0.1:1", "--token-file", m.token_file])
    must(m, FAILED, "401", "get", "ns", options=[*server, "--ca-file", m.ca_file])
    bad = os.path.join(m.dir, "bad-token")
    for text, wanted in (("x" * 40, "401"), ("", "no token"), ("a\r\nX-Evil: 1", "no token"), ("x" * 4000, "no token"),
                         ("\x00", "no token")):
        with open(bad, "w") as f:
            f.write(text)
        must(m, FAILED, wanted, "get", "ns", options=[*server, "--ca-file", m.ca_file, "--token-file", bad])
    must(m, FAILED, "", "get", "ns", options=[*server, "--ca-file", m.ca_file, "--token-file", m.dir])


def manifests(*objects):
    return "\n---\n".join(json.dumps(o) for o in objects)


@test
def apply_takes_json_yaml_lists_and_the_line_ends_of_every_system(m, c):
    yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n  namespace: apps\ndata:\n  a: \"1\"\n"
    listed = {"apiVersion": "v1", "kind": "List", "items": [in_apps("l1"), in_apps("l2")]}
    for given, wanted in ((yaml.format("lf"), ["lf"]), (yaml.format("crlf").replace("\n", "\r\n"), ["crlf"]),
                          ("\ufeff" + yaml.format("bom"), ["bom"]), (json.dumps(listed), ["l1", "l2"]),
                          (json.dumps(listed["items"][0], indent=2), ["l1"]),
                          ("---\n# nothing\n---\n" + yaml.format("d1") + "---\n" + yaml.format("d2") + "...\n",
                            ["d1", "d2"])):
        code, out, said = run(m, "apply", "-f", "-", given=given)
        assert code == DONE, (given, out, said)
        for name in wanted:
            assert f"configmap/apps/{name} " in out.lower(), out
            assert c.ok("GET", maps(name=name))
    assert "unchanged" in run(m, "apply", "-f", "-", given=yaml.format("lf"))[1]
    assert "configured" in run(m, "apply", "-f", "-", given=yaml.format("lf").replace("1", "2").replace("v2", "v1"))[1]


@test
def what_cannot_be_read_is_refused_with_its_place_and_the_rest_is_said(m, c):
    must(m, FAILED, ":2:", "apply", "-f", "-", given="a: b\n c: {\n")
    must(m, FAILED, "No such file", "apply", "-f", "/nowhere")
    for given in ("just words", "[1, 2]", "{}", "kind: ConfigMap", '{"kind": 7}', '{"kind":"ConfigMap","metadata":7}',
                  '{"kind":"List","items":[7]}', b"\xff\xfe\x00", b"a: \x80",
                   '{"kind":"ConfigMap","metadata":{"name":"../../x"}}',
                  '{"apiVersion":"v1","kind":"' + "K" * 5000 + '","metadata":{"name":"x"}}',
                  '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"' + "n" * 5000 + '"}}'):
        code, _, said = run(m, "apply", "-f", "-", given=given)
        assert code == FAILED and said, (given, code, said)
    good = {**config_map("good"), "metadata": {"name": "good", "namespace": "apps"}}
    bad = {**good, "metadata": {"name": "Bad Name", "namespace": "apps"}}
    code, out, said = run(m, "apply", "-f", "-", given=manifests(bad, good))
    assert code == FAILED and "good created" in out and "metadata.name" in said, (out, said)


@test
def names_cannot_lead_to_other_paths(m, c):
    for name in ("../namespaces", "a/b", "a?dryRun=All", "%2e%2e", "a#b", "..", ".", ""):
        code, out, said = run(m, "get", "configmap", name, "-n", "apps")
        assert code in (FAILED, USAGE) and not out and said, (name, out, said)
        code, out, said = run(m, "delete", "configmap", name, "-n", "apps")
        assert code in (FAILED, USAGE) and not out and said, (name, out, said)
        code, out, said = run(m, "get", "configmap", "a", "-n", name)
        assert code in (FAILED, USAGE) and not out and said, (name, out, said)
    assert c.ok("GET", "/api/v1/namespaces/apps")


@test
def get_and_delete_do_as_they_say(m, c):
    c.ok("POST", maps(), config_map("one", a="1"))
    assert run(m, "get", "configmap", "-n", "apps", "-o", "name")[1].strip().lower().endswith("one")
    assert json.loads(run(m, "get", "cm", "one", "-n", "apps", "-o", "json")[1])["data"] == {"a": "1"}
    assert "one" in run(m, "get", "configmaps", "-A")[1]
    must(m, FAILED, "404", "get", "configmap", "two", "-n", "apps")
    must(m, FAILED, "", "get", "frobs")
    assert run(m, "delete", "configmap", "one", "-n", "apps")[0] == DONE
    must(m, FAILED, "404", "delete", "configmap", "one", "-n", "apps")
    assert run(m, "delete", "configmap", "one", "-n", "apps", "--ignore-not-found")[0] == DONE


@test
def a_file_of_thousands_of_objects_is_applied(m, c):
    path = os.path.join(m.dir, "many.yaml")
    with open(path, "w") as f:
        f.write(manifests(*[in_apps(f"m{n}") for n in range(MANY)]))
    code, out, said = run(m, "apply", "-f", path, timeout=200)
    assert code == DONE and out.count("created") == MANY, (code, out[-300:], said[-300:])
    code, out, said = run(m, "get", "configmaps", "-n", "apps", "-o", "name")
    assert code == DONE and len(out.split()) == MANY, said
    huge = os.path.join(m.dir, "huge.yaml")
    with open(huge, "wb") as f:
        f.truncate(100 << 20)
    must(m, FAILED, "large", "apply", "-f", huge)


if __name__ == "__main__":
    sys.exit(api_test.main(TESTS, "mgmt/ctl"))
