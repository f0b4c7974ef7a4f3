#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev demo: the appliance in namespaces, the overview's objects, and real requests at each of the six steps.

--once ends by itself; the exit status is 0 only if every answer was right. Otherwise a prompt stays up (prompt.py).
"""
import argparse
import collections
import os
import sys
import textwrap
import time

import cleanup
import lab as labs
import process
import prompt
import suite

NS1, NS2 = "gateway-api-example-ns1", "gateway-api-example-ns2"
HOST = "foo.example.com"
MANIFESTS = ["appliance.yaml", "foo-svc.yaml", "overview-foo-gateway.yaml", "overview-my-route.yaml", "foo-route.yaml"]


def show(text):
    print(textwrap.indent(text.rstrip("\n"), "    "), flush=True)


class Demo:
    """The six steps. Each is a method that shows and checks; a wrong answer is told and counted."""

    def __init__(self, l):
        self.l = l
        self.wrong = []
        self.vip = None

    def check(self, is_right, sentence):
        print(f"    {'right' if is_right else 'WRONG'}: {sentence}", flush=True)
        if not is_right:
            self.wrong.append(sentence)

    def ask(self, path="/", host=HOST, *options):
        """One curl from the client; shows the command, the status and the answer."""
        shown = " ".join(f"'{o}'" if " " in o else o for o in options)
        print(f"    client$ curl {shown}{' ' if shown else ''}http://{host}{path}", flush=True)
        status, headers, body = self.l.curl(f"http://{host}{path}", *options, address=self.vip)
        show(f"  {status or 'no answer:'} {body.decode(errors='replace').strip()}")
        return status, headers, body.decode(errors="replace")

    def run(self):
        for number, step in enumerate((self.sends, self.resolves, self.finds_the_route, self.matches, self.filters,
                                       self.forwards), 1):
            print(f"\n{number}. {step.__doc__}", flush=True)
            step()

    def sends(self):
        """The client sends a request to http://foo.example.com."""
        gateway = self.l.appliance.api.get("Gateway", "foo-gateway", NS1)
        self.vip = gateway["status"]["addresses"][0]["value"]
        status, _, body = self.ask()
        self.check(status == 200 and body.startswith("backend-"), "a backend answered through the appliance")

    def resolves(self):
        """DNS resolves the name to the Gateway's address."""
        print("    There is no DNS server here: curl's --resolve says the same; it is in the Gateway's status.")
        show(f"  admin$ sluicectl get gateway foo-gateway -n {NS1}   ->   status.addresses: {self.vip}")
        said = self.l["client"].run("curl", "-sS", "-o", "/dev/null", "-w", "%{remote_ip}", "--resolve",
                                    f"{HOST}:80:{self.vip}", f"http://{HOST}/", timeout=20).stdout
        self.check(said == self.vip, f"curl spoke to {said}, the address that the appliance gave the Gateway")

    def finds_the_route(self):
        """The proxy receives it on a listener and matches the Host header to an HTTPRoute."""
        explained = self.l.appliance.ctl("explain", "GET", f"http://{HOST}/").stdout
        show(f"  admin$ sluicectl explain GET http://{HOST}/\n{textwrap.indent(explained, '  ')}")
        self.check("foo-route" in explained, "explain names foo-route for the host foo.example.com")
        named = self.ask()[1].get("x-route")
        other = self.ask("/", "other.example.com")
        self.check(named == "foo-route", "foo.example.com was answered by foo-route (its filter signs the answer)")
        self.check(other[0] == 200 and "x-route" not in other[1], "another host falls to my-route, which names none")

    def matches(self):
        """Optionally, rules of the route match the path and the headers."""
        login, canary = self.ask("/login/form"), self.ask("/", HOST, "-H", "env: canary")
        self.check(login[2].startswith("backend-1 answers GET /login/form"), "/login goes to foo-login: backend-1")
        self.check(canary[2].startswith("backend-2"), "the header env: canary goes to foo-canary: backend-2")
        plain = self.ask("/loginless")
        self.check(plain[1].get("x-route") == "foo-route", "/loginless is no /login: the last rule took it")

    def filters(self):
        """Optionally, filters change the request and the answer."""
        _, headers, body = self.ask("/", HOST, "-H", "My-Header: from-the-client")
        self.check("My-Header: set-by-the-route" in body, "the backend saw the header that the route sets")
        self.check(headers.get("x-route") == "foo-route", f"the answer carries X-Route: {headers.get('x-route')}")

    def forwards(self):
        """The request goes to the backends that backendRefs names."""
        seen = collections.Counter(self.l.curl(f"http://{HOST}/{n}", address=self.vip)[2].split(b" ")[0].decode()
                                   for n in range(20))
        show("  20 requests: " + ", ".join(f"{name} {n}" for name, n in sorted(seen.items())))
        self.check(set(seen) == {"backend-1", "backend-2"}, "both endpoints of foo-svc answered, and nobody else")


def bring_up(l):
    """Programs, objects, and the wait until the Gateway is served."""
    print(f"   namespaces {', '.join(n.full for n in l.namespaces.values())}")
    print("   backends: nginx in backend-1 and backend-2")
    l.start_backends()
    print(f"   sluice-dataplane on p0 and p1 (AF_XDP over veth), {l.workers} worker(s); then sluice-mgmtd")
    l.appliance.start()
    for name in MANIFESTS:
        print(f"   admin$ sluicectl apply -f docs/examples/{name}", flush=True)
        l.appliance.apply(os.path.join(labs.EXAMPLES, name))
    started = time.monotonic()
    suite.eventually(lambda: is_programmed(l), "foo-gateway is Programmed", 15)
    print(f"   foo-gateway is Programmed after {(time.monotonic() - started) * 1000:.0f} ms: every worker serves it")


def is_programmed(l):
    status = l.appliance.api.get("Gateway", "foo-gateway", NS1).get("status", {})
    return any(c["type"] == "Programmed" and c["status"] == "True" for c in status.get("conditions", []))


def main():
    parser = argparse.ArgumentParser(prog="./dev demo")
    parser.add_argument("--once", action="store_true", help="end by itself; 0 only if every answer was right")
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    cleanup.end_on_signals()
    started = time.monotonic()
    try:
        with labs.Lab("demo", workers=arguments.workers) as l:
            print("== the lab", flush=True)
            bring_up(l)
            demo = Demo(l)
            demo.run()
            print(f"\n== {'every answer was right' if not demo.wrong else f'{len(demo.wrong)} WRONG'}, "
                  f"{time.monotonic() - started:.1f} s", flush=True)
            if not arguments.once:
                prompt.stay(l, demo.vip)
            return 1 if demo.wrong else 0
    except cleanup.Ended as e:
        print(f"\n== ended by {e}; everything is taken down", flush=True)
        return 130
    except (process.Failed, AssertionError) as e:
        print(f"== the demo failed: {e}\n   logs: out/lab/demo/", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
