# SPDX-License-Identifier: Apache-2.0
"""Which tests of the suite do not run, and why: a part of the result. The suite skips a test when a feature that it
needs is not claimed (mgmt/attach/features.def). A test that is skipped for another feature than these is a failure; so
is one that runs in spite of one of these."""

NOT_CLAIMED = {}  # feature: reason


def reason_of(test):
    """Why a test (as counts.py's listing has it) does not run; None: it has to."""
    return next((NOT_CLAIMED[f] for f in test["features"] if f in NOT_CLAIMED), None)
