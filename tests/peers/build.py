# SPDX-License-Identifier: Apache-2.0
"""Builds the peers' programs, each only when it is asked for. Modules and objects are kept by the tools' own caches."""
import contextlib
import fcntl
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile

import process

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(os.path.dirname(os.path.dirname(HERE)), "out", "peers")
C_FLAGS = ["-std=gnu17", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
GO_FLAGS = ["-trimpath", "-buildvcs=false", "-mod=readonly"]
GO_OF_TODAY = (1, 23)  # of go.mod; an older Go builds go119.mod
SUITE = "sigs.k8s.io/gateway-api/conformance"
SUITE_PARTS = ("base", "mesh", "tests")
ECHO = "echo-basic"
SSLYZE = "sslyze==6.3.1"
NO_MODULE = ".."       # a folder that belongs to none
KERNEL = "linux-image-amd64"  # its dependency is the kernel's own package
# What the kernel of linux() loads, in this order, and how.
MODULES = (("net/core/failover", ""), ("drivers/net/net_failover", ""), ("net/tls/tls", ""),
           ("drivers/virtio/virtio_ring", ""), ("drivers/virtio/virtio", ""),
           ("drivers/virtio/virtio_pci_legacy_dev", ""), ("drivers/virtio/virtio_pci_modern_dev", ""),
           ("drivers/virtio/virtio_pci", ""), ("drivers/net/virtio_net", ""),
           ("drivers/net/bonding/bonding", "mode=802.3ad lacp_rate=fast miimon=100 xmit_hash_policy=layer3+4"))
LIMIT_S = 900          # a first build gets its modules and compiles all of them


def run(argv, limit_s=LIMIT_S, **kw):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=limit_s, **kw)
    if done.returncode != 0:
        raise process.Failed(f"{' '.join(argv)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


@contextlib.contextmanager
def alone():
    """While it lasts no other process makes anything in OUT: files of tests run side by side (tests/lab/suite.py)."""
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def lwip():
    """The program's path."""
    program = os.path.join(OUT, "lwip")
    include = [f.replace("-I", "-isystem") for f in run(["pkg-config", "--cflags", "lwip"]).split()]
    libraries = run(["pkg-config", "--libs", "lwip"]).split()
    sources = sorted(glob.glob(os.path.join(HERE, "lwip", "*.c")))
    run(["cc", *C_FLAGS, *include, *sources, "-o", program, *libraries, "-lpthread"])
    return program


def go(folder, *arguments, program=None, limit_s=LIMIT_S, **variables):
    """What Go says there. GO names another Go than the first in the path; `variables` are of the environment."""
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", **variables}
    program = program or os.environ.get("GO", "go")
    return run([program, *arguments], limit_s, cwd=os.path.join(HERE, folder), env=environment)


def go_build(folder, *flags, package=".", program=None, name=None, **variables):
    """The path of the folder's program."""
    made = os.path.join(OUT, name or folder)
    go(folder, "build", *GO_FLAGS, *flags, "-o", made, package, program=program, **variables)
    return made


def go_version():
    return tuple(map(int, re.search(r"go(\d+)\.(\d+)", go("gvisor", "version")).groups()))


def gvisor():
    """The program's path."""
    return go_build("gvisor", *([] if go_version() >= GO_OF_TODAY else ["-modfile=go119.mod"]))


def http1():
    """Go's net/http: the program's path."""
    return go_build("http1")


def h2spec():
    """The program's path."""
    return go_build("h2spec", package="github.com/summerwind/h2spec/cmd/h2spec")


def crowd():
    """WebSockets by the ten thousand, at both ends: the program's path."""
    return go_build("crowd")


def grpc():
    """gRPC's both ends: the program's path."""
    return go_build("grpc", program=go_of_suite())


def rustls():
    """A client of TLS: the program's path. Compiled once: nothing but its folder decides what it is."""
    folder = os.path.join(HERE, "rustls")
    run(["cargo", "build", "--release", "--locked", "--target-dir", os.path.join(OUT, "cargo")], cwd=folder)
    return os.path.join(OUT, "cargo", "release", "rustls-peer")


def sslyze():
    """A scanner of TLS: the words that run it. Fetched once for each version."""
    kept = os.path.join(OUT, SSLYZE)
    with alone():
        if not os.path.isdir(kept):
            pip = ["python3", "-m", "pip", "install", "--quiet"]
            put_whole(kept, lambda fresh: run([*pip, "--target", fresh, SSLYZE]))
    return ["env", f"PYTHONPATH={kept}", "python3", "-W", "ignore", "-m", "sslyze"]


def put_whole(folder, fill):
    """Makes the folder by `fill(its path)`; it is there whole or not at all."""
    fresh = f"{folder}.{os.getpid()}"
    shutil.rmtree(fresh, ignore_errors=True)
    fill(fresh)
    os.rename(fresh, folder)


def in_go_mod(pattern):
    """What conformance/go.mod says there."""
    with open(os.path.join(HERE, "conformance", "go.mod"), encoding="ascii") as f:
        return re.search(pattern, f.read(), re.MULTILINE)[1]


def go_of_suite():
    """The Go that conformance/go.mod asks for. Where there is an older one, that gets it: releases come as modules."""
    version = in_go_mod(r"^go (\S+)$")
    if go_version() >= tuple(map(int, version.split(".")[:2])):
        return None
    kept = os.path.join(OUT, f"go{version}")
    if not os.path.isdir(kept):
        machine = go(NO_MODULE, "env", "GOARCH").strip()
        module = f"golang.org/toolchain@v0.0.1-go{version}.linux-{machine}"
        found = json.loads(go(NO_MODULE, "mod", "download", "-json", module))["Dir"]
        put_whole(kept, lambda fresh: shutil.copytree(found, fresh))
        run(["chmod", "-R", "u+wX,+x", os.path.join(kept, "bin"), os.path.join(kept, "pkg", "tool")])
    return os.path.join(kept, "bin", "go")


def conformance():
    """The echo server of Gateway API's conformance suite: the program's path. Nothing but go.mod decides what it is.
    It needs no library: where it is a pod, there is none."""
    made = os.path.join(OUT, ECHO)
    if os.path.isfile(made) and os.path.getmtime(made) > os.path.getmtime(os.path.join(HERE, "conformance", "go.mod")):
        return made
    return go_build("conformance", package=f"{SUITE}/{ECHO}", program=go_of_suite(), name=ECHO, CGO_ENABLED="0")


def suite_files():
    """A folder with the suite's manifests and tests (SUITE_PARTS), of the version that conformance/go.mod names: a copy
    of what Go has, kept for the next time."""
    kept = os.path.join(OUT, "suite-" + in_go_mod(rf"{re.escape(SUITE)} (v\S+)"))
    with alone():
        if not os.path.isdir(kept):
            program = go_of_suite()
            go("conformance", "mod", "download", SUITE, program=program)
            module = go("conformance", "list", "-m", "-f", "{{.Dir}}", SUITE, program=program).strip()
            put_whole(kept, lambda fresh: [shutil.copytree(os.path.join(module, part), os.path.join(fresh, part))
                                           for part in SUITE_PARTS])
    return kept


def linux_unpack(folder):
    """Debian's kernel and the modules that we load, out of its package."""
    os.makedirs(folder)
    about = run(["apt-cache", "depends", "--important", KERNEL])
    package = re.search(r"Depends: (linux-image-\S+)", about)
    if package is None:
        raise process.Failed(f"apt knows no {KERNEL}: try 'apt-get update'")
    run(["apt-get", "download", package[1]], cwd=folder)
    fetched, = glob.glob(os.path.join(folder, "*.deb"))
    run(["dpkg-deb", "-x", fetched, os.path.join(folder, "all")])
    kernel, = glob.glob(os.path.join(folder, "all", "boot", "vmlinuz-*"))
    modules, = glob.glob(os.path.join(folder, "all", "**", "lib", "modules", "*", "kernel"), recursive=True)
    os.rename(kernel, os.path.join(folder, "vmlinuz"))
    os.mkdir(os.path.join(folder, "modules"))
    for name, _ in MODULES:
        found, = glob.glob(os.path.join(modules, f"{name}.ko*"))
        kept = shutil.move(found, os.path.join(folder, "modules"))
        if kept.endswith(".xz"):
            run(["xz", "-d", kept])
    shutil.rmtree(os.path.join(folder, "all"))
    os.remove(fetched)


def linux():
    """A Linux for a virtual machine: the paths of its kernel, which is kept, and of what it boots from."""
    kept = os.path.join(OUT, "linux")
    if not os.path.isdir(kept):
        put_whole(kept, linux_unpack)
    with tempfile.TemporaryDirectory(dir=OUT) as root:
        shutil.copytree(os.path.join(kept, "modules"), os.path.join(root, "modules"))
        with open(os.path.join(root, "modules", "order"), "w", encoding="ascii") as f:
            f.writelines(f"{os.path.basename(name)} {options}\n" for name, options in MODULES)
        os.mkdir(os.path.join(root, "bin"))
        shutil.copy(shutil.which("busybox"), os.path.join(root, "bin"))
        shutil.copy(os.path.join(HERE, "linux", "init"), root)
        made = os.path.join(kept, f"initramfs.{os.getpid()}")
        run(["sh", "-c", 'find . | busybox cpio -o -H newc >"$0"', made], cwd=root)
    os.rename(made, os.path.join(kept, "initramfs"))
    return os.path.join(kept, "vmlinuz"), os.path.join(kept, "initramfs")


def build(name):
    makers = {"lwip": lwip, "gvisor": gvisor, "http1": http1, "conformance": conformance, "h2spec": h2spec,
            "grpc": grpc, "rustls": rustls, "crowd": crowd, "linux": linux}
    with alone():
        return makers[name]()
