# SPDX-License-Identifier: Apache-2.0
"""One set of objects and some requests: where product and specification disagree."""

from collections import namedtuple

import explained
import roundtrip
from image import Crashed
from reference import World
from request import Connection, Request

# `kind`: match, connection, explain, round trip, image, crash. `request` None: it is about the objects alone.
Disagreement = namedtuple("Disagreement", "kind request text")


def check_matches(image, world, requests):
    found = []
    for request, answer in zip(requests, image.answers(requests), strict=True):
        wanted = world.answer(request)
        if answer != wanted:
            found.append(Disagreement("match", request, f"specification: {wanted}\nimage:         {answer}"))
    return found


def check_connections(image, world, connections):
    found = []
    for connection, answer in zip(connections, image.ways(connections), strict=True):
        wanted = world.where_to(connection)
        if answer != wanted:
            found.append(Disagreement("connection", connection, f"specification: {wanted}\nimage:         {answer}"))
    return found


def explainable(requests):
    """As explain would be asked for them: what it can be asked for."""
    requests = [r for r in requests if r.target.startswith("/") and not r.is_refused]
    return [r.towards(r.port) for r in requests]


def check_explanations(image, world, requests):
    found = []
    for request, status in zip(requests, image.explanations(requests), strict=True):
        is_answer = isinstance(status, dict)
        texts = explained.check(world, request, status) if is_answer else [f"explain refuses it: {status}"]
        found += [Disagreement("explain", request, text) for text in texts]
    return found


def check_all(image, objects, asked, n_explained):
    """`asked`: requests and connections. `n_explained`: how many of the requests explain is asked for, too."""
    requests = [r for r in asked if isinstance(r, Request)]
    connections = [c for c in asked if isinstance(c, Connection)]
    try:
        error = image.open(objects)
        if error is not None:
            return [Disagreement("image", None, error)]
        world = World(objects)
        texts = roundtrip.check(objects, world, image.told())
        found = [Disagreement("round trip", None, "\n".join(texts))] if texts else []
        found += check_connections(image, world, connections)
        explain = explainable(requests[:n_explained])
        return found + check_matches(image, world, requests + explain) + check_explanations(image, world, explain)
    except Crashed as crashed:
        return [Disagreement("crash", None, str(crashed))]
