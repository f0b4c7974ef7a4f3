#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The include graph: docs/rules.md, rule 1, as a table. A quoted include of another module that the table
does not allow is a breach. Tests may include what they test."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lint"))
import tree  # noqa: E402 (its folder is known only now)

LAYERS = ["base", "abi", "core", "net", "tcp", "tls", "proxy_protocol", "dns", "http", "route", "upstream", "health",
          "proxy", "l4", "gate"]
STREAM_ONLY = {"http", "tls"}  # of core they know core/stream.h only
MGMT_MAY = {"base", "abi", "tls", "http", "route"}
DRIVERS_MAY = {"base", "core/port.h", "core/port_setup.h", "core/spread.h"}  # base and the port contract
COMPOSITION_ROOTS = ("dataplane/main.c", "dataplane/worker", "dataplane/boot")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def dataplane_fault(module, target):
    """Why dataplane/<module> may not include `target`, or None."""
    other = target.split("/")[0]
    if other not in LAYERS or other == module or module == "obs":
        return None
    if module in STREAM_ONLY and other in ("core", "net", "tcp") and target != "core/stream.h":
        return f"{module} knows core/stream.h only"
    if module in LAYERS and LAYERS.index(other) > LAYERS.index(module):
        return f"{module} lies below {other}"
    return None


def mgmt_fault(module, target):
    """Why mgmt/<module> may not include `target`, or None."""
    other = target.split("/")[0]
    if other in LAYERS and other not in MGMT_MAY and target != "core/stream.h":
        return f"mgmt may not know {other}"
    return None


def drivers_fault(module, target):
    """Why drivers/<module> may not include `target`, or None."""
    other = target.split("/")[0]
    if other in LAYERS and other not in DRIVERS_MAY and target not in DRIVERS_MAY:
        return "drivers know base and the port contract only"
    return None


FAULTS = {"dataplane": dataplane_fault, "mgmt": mgmt_fault, "drivers": drivers_fault}


def layers_point_one_way():
    """Every breach of the table as `file:line: why`."""
    bad = []
    for path in tree.c_files():
        side, _, rest = path.partition("/")
        if side not in FAULTS or "/" not in rest or path.startswith(COMPOSITION_ROOTS):
            continue
        module = rest.split("/")[0]
        for n, line in enumerate(tree.lines(path), 1):
            found = INCLUDE.match(line)
            why = found and FAULTS[side](module, found[1])
            if why:
                bad.append(f'{path}:{n}: "{found[1]}": {why}')
    return bad


if __name__ == "__main__":
    breaches = layers_point_one_way()
    print("\n".join(breaches))
    print(f"include_graph: {0 if breaches else 1} passed, {1 if breaches else 0} failed")
    sys.exit(bool(breaches))
