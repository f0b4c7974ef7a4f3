#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""All files of this folder: python3 tests/mgmt/run.py [BUILD]. Ends in "mgmt: N passed, N failed"."""
import sys

import api_test
import attack_test
import ctl_test
import mirror_test

FILES = (("mgmt/api", api_test), ("mgmt/attack", attack_test), ("mgmt/ctl", ctl_test),
         ("mgmt/mirror", mirror_test))


def main():
    passed = failed = 0
    for name, module in FILES:
        good, bad = api_test.run_all(module.TESTS, name)
        passed, failed = passed + good, failed + bad
    print(f"mgmt: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
