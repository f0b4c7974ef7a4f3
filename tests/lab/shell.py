#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev lab: the demo's network with both programs running and nothing applied, and the prompt."""
import argparse
import sys

import cleanup
import lab as labs
import process
import prompt


def main():
    parser = argparse.ArgumentParser(prog="./dev lab")
    parser.add_argument("--backends", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--impair", default=None, help="options of tests/lab/impair, e.g. '--loss 1 --delay_ms 5'")
    arguments = parser.parse_args()
    cleanup.end_on_signals()
    impair = arguments.impair.split() if arguments.impair is not None else None
    try:
        with labs.Lab("shell", arguments.backends, arguments.workers, impair) as l:
            l.start_backends()
            l.appliance.start()
            print("ready; docs/examples holds manifests: sluicectl apply -f docs/examples/appliance.yaml")
            prompt.stay(l)
        return 0
    except cleanup.Ended:
        print("\n== everything is taken down")
        return 130
    except process.Failed as e:
        print(e, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
