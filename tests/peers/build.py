# SPDX-License-Identifier: Apache-2.0
"""Builds the peers' programs, each only when it is asked for. Modules and objects are kept by the tools' own caches."""
import glob
import os
import re
import subprocess

import process

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(os.path.dirname(os.path.dirname(HERE)), "out", "peers")
C_FLAGS = ["-std=gnu17", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]
GO_FLAGS = ["-trimpath", "-buildvcs=false", "-mod=readonly"]
GO_OF_TODAY = (1, 23)  # of go.mod; an older Go builds go119.mod
LIMIT_S = 900          # a first build gets its modules and compiles all of them


def run(argv, **kw):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S, **kw)
    if done.returncode != 0:
        raise process.Failed(f"{' '.join(argv)}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def lwip():
    """The program's path."""
    program = os.path.join(OUT, "lwip")
    include = [f.replace("-I", "-isystem") for f in run(["pkg-config", "--cflags", "lwip"]).split()]
    libraries = run(["pkg-config", "--libs", "lwip"]).split()
    sources = sorted(glob.glob(os.path.join(HERE, "lwip", "*.c")))
    run(["cc", *C_FLAGS, *include, *sources, "-o", program, *libraries, "-lpthread"])
    return program


def go(folder, *arguments):
    """What Go says there. GO names another Go than the first in the path."""
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    return run([os.environ.get("GO", "go"), *arguments], cwd=os.path.join(HERE, folder), env=environment)


def go_build(folder, *flags):
    """The path of the folder's program."""
    program = os.path.join(OUT, folder)
    go(folder, "build", *GO_FLAGS, *flags, "-o", program, ".")
    return program


def gvisor():
    """The program's path."""
    version = re.search(r"go(\d+)\.(\d+)", go("gvisor", "version"))
    modules = [] if tuple(map(int, version.groups())) >= GO_OF_TODAY else ["-modfile=go119.mod"]
    return go_build("gvisor", *modules)


def http1():
    """Go's net/http: the program's path."""
    return go_build("http1")


def build(name):
    os.makedirs(OUT, exist_ok=True)
    return {"lwip": lwip, "gvisor": gvisor, "http1": http1}[name]()
