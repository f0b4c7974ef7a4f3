# SPDX-License-Identifier: Apache-2.0
"""Requests that two parsers might read differently (smuggling.py), raw on the wire; the backend records its bytes.

What is asked of every case: no backend sees a request that the client did not send as one, nor anything that is not a
request to the letter; what is refused is answered with an error, and its connection ends.
"""
import base64
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

import backend
import lab as labs
import objects
import smuggling
import suite

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "peers"))
import build  # noqa: E402 (its folder is known only now)

NS, VIP = "smuggling", "198.18.0.141"
AT_ONCE = 8
ANSWER_S = 10
STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) [A-Z]")
PARSER_S = 60
PARSERS = {"net/http": lambda: [build.build("http1")],
           "h11": lambda: ["/usr/bin/python3", os.path.join(os.path.dirname(build.__file__), "http1", "h11_reader.py")]}
MAY_BE_REFUSED = {"one empty line before (2.2)": "RFC 9112, 2.2: a server should ignore it",
                  "trailer Transfer-Encoding": "RFC 9110, 6.5.1: a trailer may be dropped unread, and this one is"}
REFUSALS = (400, 405, 411, 413, 414, 417, 421, 431, 501, 505)


def lab():
    return labs.Lab("smuggling", backends=1)


def prepare(l):
    l.start_backends(backend.Recorder)
    objects.bring_up(l, "appliance.yaml")
    objects.serve_one(l, NS, smuggling.HOST, VIP, wanted="ok")


def path_of(number):
    return f"/case-{number}"


def say(l, raw):
    """(what came back, did the connection end)."""
    received, until = b"", time.monotonic() + ANSWER_S
    with l["client"].connect(VIP, 80) as sock:
        sock.settimeout(ANSWER_S)
        try:
            sock.sendall(raw)
            while time.monotonic() < until:
                got = sock.recv(65536)
                if not got:
                    return received, True
                received += got
        except TimeoutError:
            return received, False
        except ConnectionError:
            return received, True
    return received, False


def fault_of_answer(case, received, is_over):
    """Why the client was not answered as it should be, or None."""
    statuses = [int(s) for s in STATUS.findall(received) if s != b"100"]
    if not is_over:
        return f"the connection goes on after {statuses}"
    if case.want == smuggling.PASSED:
        return None if statuses == [200] * case.sent else f"answered {statuses}, not {case.sent} times 200"
    is_right = statuses[:-1] == [200] * case.sent and statuses[-1:] and statuses[-1] in REFUSALS
    return None if is_right else f"answered {statuses}, not {case.sent} times 200 and a refusal"


def fault_of_records(case, seen):
    """Why a backend should not have seen this; `seen` is what it recorded of the case."""
    whole = [s for s in seen if "target" in s]
    if len(whole) != case.sent:
        return f"a backend saw {len(whole)} requests, not {case.sent}"
    upgrades = sum(any(name.lower() == "upgrade" for name, _ in s["fields"]) for s in whole)
    if upgrades != case.upgrades:
        return f"a backend saw {upgrades} times Upgrade, not {case.upgrades}"
    return None


def is_of(record, path):
    text = record.get("target") or record["bytes"]
    return re.search(re.escape(path) + r"(?![0-9])", text) is not None


def converse(l, cases):
    """All cases, some at a time: [(what came back, did the connection end)], [what was recorded] of each, all of it."""
    before = len(l.backends[0].recorded())
    raws = [case.raw.replace(b"/case", path_of(n).encode()) for n, case in enumerate(cases)]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda raw: say(l, raw), raws))
    sent = sum(case.sent for case in cases)

    def records():
        return l.backends[0].recorded()[before:]
    suite.eventually(lambda: sum("target" in r for r in records()) >= sent, f"{sent} requests reach the backend")
    every = records()
    return answers, [[r for r in every if is_of(r, path_of(n))] for n in range(len(cases))], every


def run(l, cases):
    """AssertionError with what went wrong in each case."""
    answers, seen, every = converse(l, cases)
    faults = []
    for record in every:
        target = record.get("target") or (record["bytes"].split(" ") + [""])[1]
        if "fault" in record or target == smuggling.SMUGGLED:
            faults.append(f"a backend saw {record}")
    for case, (received, is_over), records in zip(cases, answers, seen):
        fault = fault_of_answer(case, received, is_over) or fault_of_records(case, records)
        if fault:
            faults.append(f"{case.name}: {case.want}, but {fault}; sent {case.raw[:300]!r}, got {received[:200]!r}")
    assert not faults, f"{len(faults)} of {len(cases)}:\n" + "\n".join(faults)


def verdicts(argv, cases):
    """What another parser makes of the cases (tests/peers/http1)."""
    lines = "".join(base64.b64encode(case.raw).decode() + "\n" for case in cases)
    done = subprocess.run(argv, input=lines, capture_output=True, text=True, timeout=PARSER_S, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(cases), done.stderr
    return found


@suite.test("S19")
def a_length_and_a_coding_in_one_request_are_refused(l):
    run(l, list(smuggling.length_and_coding()))


@suite.test("S19")
def a_transfer_coding_is_chunked_or_refused(l):
    run(l, list(smuggling.codings()))


@suite.test("S19")
def a_length_is_digits_and_there_is_one(l):
    run(l, list(smuggling.lengths()))


@suite.test("S19")
def content_belongs_to_its_request_whatever_the_method(l):
    run(l, list(smuggling.without_a_body()))


@suite.test("S19")
def a_chunk_s_frame_is_right_in_every_byte(l):
    run(l, list(smuggling.chunks()))


@suite.test("S19")
def lines_end_in_cr_lf(l):
    run(l, list(smuggling.line_ends()))


@suite.test("S19")
def a_request_line_is_method_target_and_version(l):
    run(l, list(smuggling.request_lines()))


@suite.test("S19")
def there_is_one_host_and_it_is_that_of_the_target(l):
    run(l, list(smuggling.hosts()))


@suite.test("S19")
def names_are_tokens_and_values_have_no_controls(l):
    run(l, list(smuggling.fields()))


@suite.test("S19")
def connection_cannot_take_off_what_frames_the_message(l):
    run(l, list(smuggling.hop_by_hop()))


@suite.test("S19")
def a_bad_request_behind_good_ones_is_not_taken(l):
    run(l, list(smuggling.pipelines()))


@suite.test("S19")
def where_other_parsers_disagree_we_are_the_strict_one(l):
    every = smuggling.cases()
    passing = [case for case in every if case.want == smuggling.PASSED]
    _, seen, _ = converse(l, passing)
    ours = {case.name: [(r["method"], r["body"].encode("latin-1")) for r in records]
            for case, records in zip(passing, seen)}
    faults = []
    for parser, argv in PARSERS.items():
        found = dict(zip((case.name for case in every), verdicts(argv(), every)))
        for name, mine in ours.items():
            its = [(r["method"], base64.b64decode(r["body"] or "")) for r in found[name]["requests"]]
            if found[name]["refused"] and name not in MAY_BE_REFUSED:
                faults.append(f"{name}: {parser} refuses it")
            elif not found[name]["refused"] and sorted(its) != sorted(mine):
                faults.append(f"{name}: {parser} reads {its}, we {mine}")
        lenient = [case.name for case in every if case.want == smuggling.REFUSED and not found[case.name]["refused"]]
        print(f"    of {len(every)} cases {parser} takes {len(lenient)} that we refuse, and refuses "
              f"{sum(found[name]['refused'] for name in ours)} that we take", flush=True)
    assert not faults, "\n".join(faults)


@suite.test("S19")
def at_least_three_hundred_cases_were_tried(l):
    assert len(smuggling.cases()) >= 300
