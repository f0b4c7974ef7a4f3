# SPDX-License-Identifier: Apache-2.0
"""Sessions with real backends: curl's cookie jar stays at its endpoint, whoever restarts, and moves without errors."""
import os

import lab as labs
import objects
import suite

NS, HOST = "sessions", "app.example.com"
N_BACKENDS = 3
HEADER = "X-Session"


def lab():
    return labs.Lab("persistence", backends=N_BACKENDS, workers=2)


def endpoints(l, *numbers):
    """Puts the Service's endpoints and waits until the dataplane has them."""
    l.appliance.api.put(objects.slice_of(NS, "app", *[labs.backend_address(n) for n in numbers]))
    wanted = {f"backend-{n}" for n in numbers}
    seen = []

    def are_in_use():
        seen.append(objects.answers(l, vip(l), HOST, "/plain"))
        return set(seen[-20:]) == wanted
    suite.eventually(are_in_use, f"{HOST} is answered by {wanted} and nobody else", 10)


def vip(l):
    return objects.gateway_address(l, NS, "gw")


def rule(path, **persistence):
    return {**objects.matching({"path": {"value": path}}, objects.to("app")), "sessionPersistence": persistence}


def prepare(l):
    l.start_backends()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw"))
    api.put(objects.service(NS, "app"))
    permanent = {"absoluteTimeout": "1h", "type": "Cookie", "cookieConfig": {"lifetimeType": "Permanent"}}
    api.put(objects.route(NS, "app", [f"{NS}/gw"], [
        rule("/session"), rule("/permanent", **permanent), rule("/header", sessionName=HEADER, type="Header"),
        objects.matching({"path": {"value": "/plain"}}, objects.to("app"))], HOST))
    endpoints(l, *range(1, N_BACKENDS + 1))


def jar(l, name):
    path = os.path.join(l.dir, f"jar-{name}")
    return "-b", path, "-c", path


def ask(l, path, *options):
    """Which backend answers, and the answer's fields."""
    status, headers, body = l.curl(f"http://{HOST}{path}", *options, address=vip(l))
    assert status == 200, (status, body)
    return body.split(b" ")[0].decode(), headers


def counted(l, name):
    return l.appliance.counters()[f"proxy_{name}"]


@suite.test("#4")
def a_cookie_jar_stays_at_its_endpoint_on_every_worker(l):
    begun, kept = counted(l, "sessions_begun"), counted(l, "sessions_kept")
    mine, headers = ask(l, "/session/first", *jar(l, "many"))
    cookie = headers["set-cookie"]
    assert "; Path=/session; HttpOnly; SameSite=Lax" in cookie and "Max-Age" not in cookie, cookie
    assert labs.backend_address(1) not in cookie and "backend" not in cookie, cookie
    for n in range(50):  # a connection each: both workers have their share
        who, headers = ask(l, f"/session/{n}", *jar(l, "many"))
        assert who == mine and "set-cookie" not in headers, (n, who, mine, headers)
    others = {ask(l, "/session")[0] for _ in range(40)}
    assert others == {f"backend-{n}" for n in range(1, N_BACKENDS + 1)}, others
    suite.eventually(lambda: counted(l, "sessions_kept") == kept + 50, "50 answers are counted as kept")
    assert counted(l, "sessions_begun") == begun + 41
    condition = objects.parent_condition(l, NS, "app", "Accepted")
    assert condition["status"] == "True", condition


@suite.test("#4")
def a_permanent_cookie_and_a_header_stay_too(l):
    mine, headers = ask(l, "/permanent", *jar(l, "permanent"))
    assert "; Max-Age=3600; " in headers["set-cookie"], headers
    at, headers = ask(l, "/header")
    session = headers[HEADER.lower()]
    for _ in range(20):
        assert ask(l, "/permanent", *jar(l, "permanent"))[0] == mine
        who, headers = ask(l, "/header", "-H", f"{HEADER}: {session}")
        assert who == at and headers[HEADER.lower()] == session, (who, at, headers)


@suite.test("#4")
def a_session_outlives_the_dataplane_and_mgmtd(l):
    sessions = {n: ask(l, "/session", *jar(l, f"old-{n}"))[0] for n in range(6)}
    l.appliance.dataplane.kill()
    l.appliance.start_dataplane()
    suite.eventually(lambda: objects.answers(l, vip(l), HOST, "/plain") != 0, "it serves again", 10)
    assert {n: ask(l, "/session", *jar(l, f"old-{n}"))[0] for n in sessions} == sessions
    l.appliance.mgmtd.kill()
    l.appliance.start_mgmtd()
    l.appliance.api.put(objects.service(NS, "another"))  # whatever makes it publish
    assert {n: ask(l, "/session", *jar(l, f"old-{n}"))[0] for n in sessions} == sessions


@suite.test("#4")
def a_session_whose_endpoint_is_gone_moves_without_an_error_and_stays_there(l):
    mine, _ = ask(l, "/session", *jar(l, "moving"))
    gone = int(mine.removeprefix("backend-"))
    left = [n for n in range(1, N_BACKENDS + 1) if n != gone]
    endpoints(l, *left)
    moved = counted(l, "sessions_moved")
    now_at, headers = ask(l, "/session", *jar(l, "moving"))
    assert now_at != mine and "set-cookie" in headers, (now_at, mine, headers)
    suite.eventually(lambda: counted(l, "sessions_moved") == moved + 1, "the move is counted")
    endpoints(l, *range(1, N_BACKENDS + 1))
    for _ in range(20):
        assert ask(l, "/session", *jar(l, "moving"))[0] == now_at


@suite.test("#4")
def a_session_whose_backend_died_moves_without_an_error(l):
    mine, _ = ask(l, "/session", *jar(l, "dying"))
    victim = l.backends[int(mine.removeprefix("backend-")) - 1]
    victim.process.kill()
    now_at, headers = ask(l, "/session", *jar(l, "dying"))
    assert now_at != mine and "set-cookie" in headers, (now_at, mine, headers)
    assert ask(l, "/session", *jar(l, "dying"))[0] == now_at
    victim.start()
    victim.wait_ready()


@suite.test("#4")
def a_forged_session_is_refused_and_answered(l):
    refused = counted(l, "session_values_refused")
    name = ask(l, "/session")[1]["set-cookie"].partition("=")[0]
    for value in ("", "0" * 48, labs.backend_address(1), "%00" * 16):
        _, headers = ask(l, "/session", "-H", f"Cookie: {name}={value}")
        assert headers["set-cookie"].startswith(f"{name}="), headers
    suite.eventually(lambda: counted(l, "session_values_refused") == refused + 4, "four values are refused")
