#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the end-to-end tests: all, or FILE or FILE:TEST (./dev test e2e runs all)."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lab")]

import suite  # noqa: E402 (its folder is known only now)

sys.exit(suite.main(HERE, sys.argv[1:]))
