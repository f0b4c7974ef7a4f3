# SPDX-License-Identifier: Apache-2.0
"""The names that the conformance suite's tests share, and which of its tests do not run here yet.

NOT_YET: the test's ShortName and the feature that it waits for. A test that is written, but waits, runs as soon as its
line is gone; `test_conformance_complete.py` holds both sides together.
"""
INFRA, APP, WEB = "gateway-conformance-infra", "gateway-conformance-app-backend", "gateway-conformance-web-backend"
V1, V2, V3 = "infra-backend-v1", "infra-backend-v2", "infra-backend-v3"

NOT_YET = {
}

# Names of features of which the suite has no test. Ours stands behind each.
UNTESTED = {
    "HTTPRouteRetryBackendTimeout": "test_retries.py:a_backend_that_does_not_answer_in_time_is_asked_again",
    "HTTPRouteRetryConnectionError": "test_retries.py:connections_that_are_refused_or_lost_are_tried_again",
}
