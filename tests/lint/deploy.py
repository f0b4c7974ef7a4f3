# SPDX-License-Identifier: Apache-2.0
"""mgmt/controller/deploy: what is generated there is current, and the ClusterRole is what the controller needs."""
import os
import re
import subprocess

import tree

FOLDER = os.path.join("mgmt", "controller", "deploy")
KIND = re.compile(r'^KIND\(\w+, (\w+|"[\w.]*"), "(\w+)", "(\w+)", \w+, (\w+), (\w+)\)')
DEFINED = re.compile(r'^#define (KIND_\w+_GROUP) "(.*)"')
RULE = re.compile(r"apiGroups: \[(.*?)\],?\s+resources:\s+\[(.*?)\],?\s+verbs: \[(.*?)\]", re.S)
OPTIONAL = re.compile(r"\{\{- if \.Values\.(\w+) \}\}.*?\{\{- end \}\}", re.S)
DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")
NAMED_RULE = re.compile(r"resources: \[customresourcedefinitions\]\s+verbs: \[get\]\s+resourceNames:\s+\[(.*?)\]", re.S)
VERBS = {"WATCHED": {"get", "list", "watch"}, "NAMED": {"get"}, "MESH": {"list", "watch"}}


def deploy_is_current():
    bad = []
    for program in ("crds", "manifests"):
        done = subprocess.run([os.path.join(tree.TOP, FOLDER, program), "--check"], capture_output=True, text=True)
        bad += done.stdout.splitlines() + done.stderr.splitlines()[-1:]
    return bad


def mirrored(has_mesh):
    """{(group, plural): (verbs, who defines it)} of kinds.def, with a mesh's or without."""
    groups, found = {}, {}
    for line in tree.lines("mgmt/controller/kinds.def"):
        name = DEFINED.match(line)
        kind = KIND.match(line)
        if name:
            groups[name[1]] = name[2]
        elif kind and (has_mesh or kind[4] != "MESH"):
            found[groups.get(kind[1], kind[1].strip('"')), kind[3]] = VERBS[kind[4]], kind[5]
    return found


def cluster_role():
    path = os.path.join(FOLDER, "chart", "templates", "rbac.yaml")
    return "\n".join(tree.lines(path)).split("kind: ClusterRoleBinding")[0]


def granted(has_mesh):
    """{(group, resource): verbs} of the ClusterRole, without what somebody has to ask for, but for a mesh's."""
    found = {}
    text = OPTIONAL.sub(lambda m: m[0] if has_mesh and m[1] == "mesh" else "", cluster_role())
    for groups, resources, verbs in RULE.findall(text):
        for group in groups.split(","):
            for resource in resources.split(","):
                key = group.strip().strip('"'), resource.strip()
                found.setdefault(key, set()).update(v.strip() for v in verbs.split(","))
    return found


def role_is_what_the_controller_needs():
    """No kind of kinds.def is forgotten, none is read that is not there, and statuses only of kinds that have one; with
    a mesh and without."""
    return faults_of_role(True) + faults_of_role(False)


def faults_of_role(has_mesh):
    bad, has, needed = [], granted(has_mesh), mirrored(has_mesh)
    reads = {"get", "list", "watch"}
    for key, (verbs, _) in needed.items():
        if has.get(key, set()) & reads != verbs:
            bad.append(f"{key}: may {sorted(has.get(key, set()) & reads)}, and needs {sorted(verbs)}")
    definitions = {f"{plural}.{group}" for (group, plural), (_, by) in needed.items() if by == "CUSTOM"}
    readable = {name.strip() for names in NAMED_RULE.findall(cluster_role()) for name in names.split(",")}
    if has.pop(DEFINITIONS, set()) != {"get"} or readable != definitions:
        bad.append(f"definitions: may read {sorted(readable)}, and needs {sorted(definitions)}")
    for key, verbs in has.items():
        if key not in needed and not key[1].endswith("/status") and key != ("", "events"):
            bad.append(f"{key}: is in the ClusterRole and not in kinds.def")
        if key[1].endswith("/status") and verbs != {"patch"}:
            bad.append(f"{key}: may {sorted(verbs)}, and needs patch")
    return [f"{FOLDER}/chart/templates/rbac.yaml: {b}" for b in bad] + ([] if has else ["no rule was found"])
