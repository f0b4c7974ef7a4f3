# SPDX-License-Identifier: Apache-2.0
"""Requests of Gateway API's conformance suite and what its tests expect of the answers, as values (its utils/http: an
ExpectedResponse is a Case here, CompareRoundTrip is `fault`)."""
import concurrent.futures
import dataclasses
import http.client
import json
import urllib.parse

import suite
from conformance_names import INFRA

AT_ONCE = 8
ANSWER_S = 15
CONVERGE_S = 30  # the suite's MaxTimeToConsistency
WITH_LENGTH = ("POST", "PUT", "PATCH")
DEFAULT_PORTS = {"http": (None, 80), "https": (None, 443)}
TO_MODIFY = {"X-Header-Remove": "remove-val", "X-Header-Add-Append": "append-val-1"}
MODIFIED = {"X-Header-Add": "header-val-1", "X-Header-Add-Append": "append-val-1,header-val-2",
            "X-Header-Set": "set-overwrites-values"}


@dataclasses.dataclass
class Case:
    """A request, and what has to come of it. What is left out is not looked at, unless a comment says otherwise."""
    path: str
    backend: str = ""              # how the name of the pod that answers begins
    status: int | tuple = 200      # or any of these
    host: str = ""                 # left out: the Gateway's address
    server_name: str = ""          # in the TLS handshake; left out: `host`
    method: str = "GET"
    headers: dict = dataclasses.field(default_factory=dict)
    namespace: str = INFRA         # the pod's
    backend_sets: dict = dataclasses.field(default_factory=dict)  # fields that the backend's answer has
    seen_path: str = ""            # what the backend sees; left out: what was sent
    seen_host: str = ""
    seen: dict | None = None
    seen_absent: tuple = ()
    answer: dict = dataclasses.field(default_factory=dict)        # name: value, or the values that are allowed
    answer_absent: tuple = ()
    redirect: dict | None = None   # host, port, scheme, path; left out: as asked, the port as the scheme has it
    is_echoed: bool = True         # False: the appliance answers by itself, as to a preflight
    lists: bool = False            # blanks in the answer's values do not matter


def modified(path, backend, more=None, **expected):
    """A request whose fields the header modifier changes that several of the suite's manifests have."""
    return Case(path, backend, headers={**TO_MODIFY, **(more or {})}, seen=MODIFIED, seen_absent=("X-Header-Remove",),
                **expected)


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict  # names in lower case, the values of one name joined by commas
    body: bytes

    def echo(self):
        """What the echo server says that it was asked: names of header fields in lower case."""
        said = json.loads(self.body)
        said["headers"] = {name.lower(): ",".join(values) for name, values in said["headers"].items()}
        return said


def literal(address, port):
    return address if port == 80 else f"{address}:{port}"


def ask(l, address, case, port=80, tls=None):
    """One request on a connection of its own, by TLS with that context. AssertionError when no answer comes."""
    connection = http.client.HTTPConnection(address, timeout=ANSWER_S)
    try:
        connection.sock = l["client"].connect(address, port, timeout=ANSWER_S)
        if tls:
            connection.sock = tls.wrap_socket(connection.sock, server_hostname=case.server_name or case.host)
        connection.putrequest(case.method, case.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", case.host or literal(address, port))
        sets = ",".join(f"{name}:{value}" for name, value in case.backend_sets.items())
        length = {"Content-Length": "0"} if case.method in WITH_LENGTH else {}
        for name, value in {**case.headers, **length, "X-Echo-Set-Header": sets}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        headers = {}
        for name, value in answer.getheaders():
            headers.setdefault(name.lower(), []).append(value)
        return Answer(answer.status, {n: ",".join(v) for n, v in headers.items()}, answer.read())
    except (OSError, http.client.HTTPException) as e:
        raise AssertionError(f"{case.method} {case.path}: {e!r}") from None
    finally:
        connection.close()


def fault_of_headers(what, got, wanted, absent=(), lists=False):
    """Why these header fields are not as they should be, or None."""
    squeeze = (lambda v: v.replace(" ", "")) if lists else (lambda v: v)
    for name, values in wanted.items():
        allowed = {squeeze(v) for v in ([values] if isinstance(values, str) else values)}
        if name.lower() not in got or squeeze(got[name.lower()]) not in allowed:
            return f"{what} has {name}: {got.get(name.lower())!r}, not {values!r}"
    here = [name for name in absent if name.lower() in got]
    return f"{what} has {here}" if here else None


def fault_of_echo(case, said):
    """Why the backend did not see what it should have seen, or None."""
    if said["path"] != (case.seen_path or case.path) or said["method"] != case.method:
        return f"the backend saw {said['method']} {said['path']}"
    if (case.seen_host or case.host) not in ("", said["host"]):
        return f"the backend saw Host: {said['host']}"
    if said["namespace"] != case.namespace or not said["pod"].startswith(case.backend):
        return f"{said['namespace']}/{said['pod']} answers"
    seen = case.headers if case.seen is None else case.seen
    return fault_of_headers("the request", said["headers"], seen, case.seen_absent)


def fault_of_redirect(case, address, port, location, scheme):
    """Why the redirect does not lead where it should, or None."""
    asked = f"{scheme}://{case.host or literal(address, port)}{case.path}"
    to = urllib.parse.urlsplit(urllib.parse.urljoin(asked, location))
    wanted = {"scheme": scheme, "path": case.path, "host": to.hostname, **case.redirect}
    ports = (wanted["port"],) if "port" in wanted else DEFAULT_PORTS[to.scheme]
    is_right = to.port in ports and \
        (to.scheme, to.path, to.hostname) == (wanted["scheme"], wanted["path"], wanted["host"])
    return None if is_right else f"it leads to {location}"


def fault(l, address, case, port=80, tls=None):
    """Why the case is not answered as it should be, or None."""
    answer = ask(l, address, case, port, tls)
    statuses = case.status if isinstance(case.status, tuple) else (case.status,)
    if answer.status not in statuses:
        return f"{answer.status} {answer.body[:100]!r}"
    if case.redirect is not None:
        return fault_of_redirect(case, address, port, answer.headers.get("location", ""),
                                 "https" if tls else "http")
    found = fault_of_headers("the answer", answer.headers, case.answer, case.answer_absent, case.lists)
    if not case.is_echoed and b'"pod"' in answer.body:
        return "the backend answers"
    if found or answer.status != 200 or not case.is_echoed:
        return found
    return fault_of_echo(case, answer.echo())


def all_as_expected(l, address, cases, port=80, tls=None):
    """True, or AssertionError with each case that is answered otherwise."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        faults = pool.map(lambda case: fault(l, address, case, port, tls), cases)
        wrong = [f"{case.method} {case.host}{case.path} {case.headers or ''}: {found}"
                 for case, found in zip(cases, faults) if found]
    assert not wrong, "; ".join(wrong)
    return True


def expect(l, address, *cases, port=80, tls=None):
    """All are answered as they should be before long, and then stay so: a 404 that was right only because nothing was
    served yet does not pass."""
    suite.eventually(lambda: all_as_expected(l, address, cases, port, tls), "all are answered as they should be",
                     CONVERGE_S)
    all_as_expected(l, address, cases, port, tls)
