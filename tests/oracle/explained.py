# SPDX-License-Identifier: Apache-2.0
"""What `sluicectl explain` must say of a request: who takes it, and of every other candidate what it lost by."""

from reference import holds_hostname, intersect

CANDIDATES_MAX = 100  # EXPLAIN_CANDIDATES_MAX


def lost_group(listener, hostname, loss):
    return {"listener": listener.name, "hostname": hostname, "lost": loss}


def lost_match(candidate, loss):
    return {"route": candidate.route.name, "rule": candidate.rule.index, "match": candidate.match.index,
            "hostname": candidate.hostname, "path": candidate.match.path, "lost": loss}


def lost_hostnames(listener, request):
    hostnames = {h for route in listener.routes for h in route.hostnames
                 if intersect(listener.hostname, h) and any(rule.matches for rule in route.rules)}
    return [lost_group(listener, h, "HOST") for h in hostnames if not holds_hostname(h, request.hostname)]


def expected(world, request):
    """(who takes it, those whose hostname and path hold in order of precedence, all others)"""
    listener = world.listener_of(request)
    others = [lost_group(l, l.hostname, "LISTENER") for l in world.listeners_at(request) if l is not listener]
    if listener is None:
        return None, [], others
    candidates = world.candidates(request, listener)
    taker = next((c for c in candidates if c.loss is None), None)
    near = [lost_match(c, c.loss or "PRECEDENCE") for c in candidates if c is not taker and c.loss != "PATH"]
    others += [lost_match(c, "PATH") for c in candidates if c.loss == "PATH"] + lost_hostnames(listener, request)
    return taker, near, others


def told_candidate(candidate):
    return {key: value for key, value in candidate.items() if key != "because"}


def is_near(candidate):
    return candidate["lost"] not in ("LISTENER", "HOST", "PATH")


def in_order(candidates):
    return sorted(candidates, key=lambda c: sorted(c.items(), key=str).__str__())


def check(world, request, status):
    """Sentences; none: explain says what the specification says."""
    if not world.listeners_at(request):
        return [] if status["outcome"] == "NO_BIND" else [f"nobody listens, explain says {status['outcome']}"]
    taker, near, others = expected(world, request)
    wanted = lost_match(taker, "") if taker is not None else {}
    got = {key: status[key] for key in ("route", "rule", "match", "hostname", "path") if key in status} | {"lost": ""}
    if wanted != (got if status["outcome"] == "RULE" else {}):
        return [f"{wanted} takes it, explain says {got}"]
    told = [told_candidate(c) for c in status["candidates"]]
    n = len(told) + status.get("candidatesOmitted", 0)
    if n != len(near) + len(others):
        return [f"{len(near) + len(others)} lost, explain knows {n}: {in_order(near + others)}, {in_order(told)}"]
    told_near = [c for c in told if is_near(c)]
    if told_near != near[:len(told_near)]:
        return [f"those that come near are {near}, explain says {told_near}"]
    if n <= CANDIDATES_MAX and in_order(c for c in told if not is_near(c)) != in_order(others):
        return [f"those that do not are {in_order(others)}, explain says {in_order(told)}"]
    return []
