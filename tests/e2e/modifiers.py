# SPDX-License-Identifier: Apache-2.0
"""What the suite's tests of header modifiers send and expect."""
from exchange import Case

OTHER, ANOTHER = {"Some-Other-Header": "val"}, {"Another-Header": "another-header-val"}
SEVERAL = {"X-Header-Set-2": "set-val-2", "X-Header-Add-2": "add-val-2", "X-Header-Remove-2": "remove-val-2", **ANOTHER}
SEVERAL_DONE = {"X-Header-Set-1": "header-set-1", "X-Header-Set-2": "header-set-2", "X-Header-Add-1": "header-add-1",
                "X-Header-Add-2": "add-val-2,header-add-2", **ANOTHER}
THIRD_ADDED = {"X-Header-Add-3": "header-add-3"}
LOWER = {f"x-header-{verb}": f"original-val-{verb}" for verb in ("set", "add", "remove")}
REMOVED_TWO = ("X-Header-Remove-1", "X-Header-Remove-2")


def request_cases(backend, **more):
    """What requests have become when a backend whose name begins so gets them."""
    set_, added = {"X-Header-Set": "set-overwrites-values"}, {"X-Header-Add": "add-appends-values"}
    return [Case("/set", backend, headers=OTHER, seen={**OTHER, **set_}, **more),
            Case("/set", backend, headers={**OTHER, "X-Header-Set": "some-other-value"}, seen={**OTHER, **set_},
                 **more),
            Case("/add", backend, headers=OTHER, seen={**OTHER, **added}, **more),
            Case("/add", backend, headers={**OTHER, "X-Header-Add": "some-other-value"},
                 seen={**OTHER, "X-Header-Add": "some-other-value,add-appends-values"}, **more),
            Case("/remove", backend, headers={"X-Header-Remove": "val"}, seen={}, seen_absent=("X-Header-Remove",),
                 **more),
            Case("/multiple", backend, headers=SEVERAL, seen={**SEVERAL_DONE, **THIRD_ADDED},
                 seen_absent=REMOVED_TWO, **more),
            Case("/case-insensitivity", backend, headers={**LOWER, **ANOTHER}, seen_absent=("x-header-remove",),
                 seen={"X-Header-Set": "header-set", "X-Header-Add": "original-val-add,header-add", **ANOTHER}, **more)]
