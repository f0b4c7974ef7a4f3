#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end tests that need a real cluster: all, or FILE or FILE:TEST (./dev test cluster runs all)."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", folder) for folder in ("e2e", "lab")]
import programs  # noqa: E402 (its folder is known only now)
import suite  # noqa: E402

programs.cluster()
sys.exit(suite.main(HERE, sys.argv[1:]))
