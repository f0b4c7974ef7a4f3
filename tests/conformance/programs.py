# SPDX-License-Identifier: Apache-2.0
"""The programs of a cluster and of the suite, built from Go modules into out/conformance. What was built is kept: a
program is made again when the files that decide what it is have changed (a stamp beside it says of which it was)."""
import glob
import hashlib
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", folder) for folder in ("lab", "peers")]

import build  # noqa: E402 (its folder is known only now)

OUT = os.path.join(os.path.dirname(os.path.dirname(HERE)), "out", "conformance")
LIMIT_S = 3600  # the first time, all of Kubernetes is compiled: some ten minutes of two cores
KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kubectl")
ISTIO = "istio.io/istio/pkg/test/echo/cmd"
GATEWAY_API = "sigs.k8s.io/gateway-api"
HELM = "helm.sh/helm/v3/cmd/helm"
IMAGES = {  # image and module: its programs, the first called as the image, and what each is made of
    "coredns": {"coredns": "."},
    "echo-advanced": {"echo-advanced": f"{ISTIO}/server", "client": f"{ISTIO}/client"},
}
BUILD = ("build", "-ldflags")
VARIABLES = {"CGO_ENABLED": "0", "GOGC": "400"}  # no library in a pod; the compiler collects no garbage to speak of


def folder_of(module):
    return os.path.join(HERE, module)


def version_of(module, required):
    """What the module's go.mod requires of another."""
    with open(os.path.join(folder_of(module), "go.mod"), encoding="ascii") as f:
        return re.search(rf"^(?:require)?\s+{re.escape(required)} (v\S+)", f.read(), re.MULTILINE)[1]


def stamp_of(module, sources):
    """A hash over the files that decide what programs of the module are."""
    files = [f for pattern in ("go.mod", "go.sum", sources)
             for f in glob.glob(os.path.join(folder_of(module), pattern))]
    digest = hashlib.sha256()
    for path in sorted(files):
        with open(path, "rb") as f:
            digest.update(os.path.relpath(path, HERE).encode() + b"\0" + f.read())
    return digest.hexdigest()


def kept(label, module, packages, *arguments, sources="*.go", folder=OUT):
    """{name: path} of the programs `packages` ({name: package}) of the module, built with these arguments when they
    are not there as they have to be."""
    os.makedirs(folder, exist_ok=True)
    stamp, stamp_file = stamp_of(module, sources), os.path.join(OUT, f"{label}.stamp")
    paths = {name: os.path.join(folder, name) for name in packages}
    if _text(stamp_file) != stamp or not all(map(os.path.isfile, paths.values())):
        for name, path in paths.items():
            print(f"conformance: building {name}", flush=True)
            go(module, *arguments, *build.GO_FLAGS, "-o", path, packages[name])
        with open(stamp_file, "w", encoding="ascii") as f:
            f.write(stamp)
    return paths


def _text(path):
    if not os.path.isfile(path):
        return None
    with open(path, encoding="ascii") as f:
        return f.read()


def go(module, *arguments):
    return build.go(folder_of(module), *arguments, program=build.go_of_suite(), limit_s=LIMIT_S, **VARIABLES)


def cluster():
    """The control plane, kubectl, and `node`, which stands in for a kubelet."""
    version = version_of("cluster", "k8s.io/kubernetes")
    major, minor, _ = version.removeprefix("v").split(".")
    package = "k8s.io/component-base/version"
    told = " ".join(f"-X {package}.{name}={value}" for name, value in (
        ("gitVersion", version), ("gitMajor", major), ("gitMinor", minor), ("gitTreeState", "clean")))

    packages = {name: f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES}
    return {**kept("kubernetes", "cluster", packages, *BUILD, f"-s -w {told}", sources="none"),
            **kept("node", "cluster", {"node": "./node"}, *BUILD, "-s -w", sources="node/*.go")}


def helm():
    """The real one, as its users have it."""
    return kept("helm", "helm", {"helm": HELM}, *BUILD, "-s -w", sources="none")["helm"]


def suite():
    """The suite as a program."""
    return kept("suite", "suite", {"suite.test": "."}, "test", "-c", *BUILD[1:], "-s -w")["suite.test"]


def crds(channel="experimental"):
    """The paths of Gateway API's custom resource definitions."""
    go("suite", "mod", "download", GATEWAY_API)
    module = go("suite", "list", "-m", "-f", "{{.Dir}}", GATEWAY_API).strip()
    return sorted(f for f in glob.glob(os.path.join(module, "config", "crd", channel, "*.yaml"))
                  if not f.endswith("kustomization.yaml"))


def images():
    """A folder with a folder for each image that the suite's pods are made of: what stands in for it, as its root."""
    root = os.path.join(OUT, "images")
    for image, packages in IMAGES.items():
        kept(image, image, packages, *BUILD, "-s -w", folder=os.path.join(root, image, "bin"))
    echo, made = os.path.join(root, build.ECHO, "bin", build.ECHO), build.build("conformance")
    if not os.path.isfile(echo) or os.path.getmtime(echo) < os.path.getmtime(made):
        os.makedirs(os.path.dirname(echo), exist_ok=True)
        shutil.copy(made, echo)
    return root
