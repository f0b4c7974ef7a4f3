# SPDX-License-Identifier: Apache-2.0
"""Makes a disagreement small: takes away what it does not need, of the objects and of the request."""

import copy

from request import Request

ROUNDS_MAX = 20  # each takes something away; most need three


def places(value):
    """(container, key) of everything within that can go, the largest first."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    yield from ((value, key) for key, _ in reversed(items))
    for _, item in items:
        yield from places(item)


def places_of(objects):
    """Routes, Gateways, ListenerSets and listeners with what is in them; what they stand on is left alone."""
    parents = ("Gateway", "ListenerSet")
    shown = [(i, o) for i, o in enumerate(objects) if o["kind"].endswith("Route") or o["kind"] in parents]
    yield from ((objects, i) for i, _ in reversed(shown))
    for _, obj in shown:
        yield from places(obj["spec"]["listeners"] if obj["kind"] in parents else obj["spec"])


def without(objects, number):
    """A copy without the place of that number; None: there are not so many."""
    smaller = copy.deepcopy(objects)
    for i, (container, key) in enumerate(places_of(smaller)):
        if i == number:
            del container[key]
            return smaller
    return None


def shrink_objects(objects, is_still):
    number = 0
    while (smaller := without(objects, number)) is not None:
        if is_still(smaller):
            objects = smaller
        else:
            number += 1
    return objects


def smaller_requests(r):
    path, _, query = r.target.partition("?")
    params = query.split("&") if query else []
    fewer = [params[:i] + params[i + 1:] for i in range(len(params)) if len(params) > 1]
    for target in [path] + [path + "?" + "&".join(some) for some in fewer]:
        if target != r.target:
            yield Request(r.address, r.port, r.method, target, r.host, r.headers)
    for i in range(len(r.headers)):
        yield Request(r.address, r.port, r.method, r.target, r.host, r.headers[:i] + r.headers[i + 1:])
    if r.method != "GET":
        yield Request(r.address, r.port, "GET", r.target, r.host, r.headers)


def shrink_request(request, is_still):
    for _ in range(ROUNDS_MAX):
        request, before = next((r for r in smaller_requests(request) if is_still(r)), request), request
        if request is before:
            break
    return request


def shrink(objects, disagreement, find):
    """The smallest objects found, and the disagreement that they lead to. `find(objects, request)` gives the
    disagreements."""
    def same(objects_, request):
        try:
            found = find(objects_, request)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            return None  # no valid objects any more
        return next((d for d in found if d.kind == disagreement.kind), None)

    if disagreement.kind == "image":
        return objects, disagreement  # almost anything that is taken away leads to no image
    if isinstance(disagreement.request, Request):
        request = shrink_request(disagreement.request, lambda r: same(objects, r) is not None)
        disagreement = same(objects, request) or disagreement
    request = disagreement.request
    objects = shrink_objects(objects, lambda o: same(o, request) is not None)
    return objects, same(objects, request) or disagreement
