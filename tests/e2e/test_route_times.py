# SPDX-License-Identifier: Apache-2.0
"""What each route had: counted by itself, asked for by name, bounded; as OpenMetrics and by `sluicectl routes`."""
import json
import re

import backend
import lab as labs
import objects
import suite

NS = "times"
VIP4, VIP6 = "198.18.0.144", "2001:db8::144"
FAST, SLOW = "fast.example", "slow.example"
SLOW_S = 0.3  # what /slow/300 takes at least
SAMPLE = re.compile(r'^([a-z_]+)(?:\{([^}]*)\})? (\S+)$')
HISTOGRAMS = ("sluice_route_request_seconds", "sluice_route_backend_seconds")


def lab():
    return labs.Lab("route_times", backends=1, workers=2)


def prepare(l):
    l.start_backends(backend.Origin)
    objects.bring_up(l, "appliance.yaml")
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw", VIP4, VIP6))
    api.put(objects.service(NS, "one"))
    api.put(objects.slice_of(NS, "one", labs.backend_address(1)))
    for name, host in (("fast", FAST), ("slow", SLOW)):
        api.put(objects.route(NS, name, [f"{NS}/gw"], [objects.to("one")], host))
    objects.gateway_address(l, NS, "gw")
    for host in (FAST, SLOW):
        suite.eventually(lambda: ask(l, host, "/echo/ready") == 200, "it serves")


def ask(l, host, path):
    return l.curl(f"http://{host}{path}", address=VIP4)[0]


def scrape(l, match):
    """The series as {(name, labels): value}, checked by what OpenMetrics says of their order and form."""
    status, headers, text = l.appliance.api.raw("GET", f"/metrics/routes?match={match}")
    assert status == 200 and headers["Content-Type"].startswith("application/openmetrics-text"), (status, text)
    lines = (text.decode() if isinstance(text, bytes) else text).splitlines()
    assert lines[-1] == "# EOF"
    got, families, kind = {}, [], {}
    for line in lines[:-1]:
        if line.startswith("# TYPE "):
            _, _, name, kind[name] = line.split()
            assert name not in families, f"{name} is told in two places"
            families.append(name)
        elif line.startswith("#"):
            assert line.split()[2] == families[-1], line
        else:
            name, labels, value = SAMPLE.match(line).groups()
            suffixes = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}
            assert name in [families[-1] + s for s in suffixes[kind[families[-1]]]], line
            assert (name, labels) not in got, f"{line} is there twice"
            got[name, labels] = float(value)
    return got


def histogram(got, name, route):
    """[(bound, count up to it)], whose sums are right."""
    buckets = [(float(re.search(r'le="([^"]*)"', labels).group(1)), value) for (n, labels), value in got.items()
               if n == name + "_bucket" and f'route="{route}"' in labels]
    bounds, counts = zip(*buckets)
    assert list(bounds) == sorted(set(bounds)) and bounds[-1] == float("inf"), bounds
    assert list(counts) == sorted(counts) and counts[-1] == got[name + "_count", f'route="{route}"'], counts
    least = sum((b - a) * low for (low, a), (_, b) in zip([(0, 0), *buckets], buckets))
    assert got[name + "_sum", f'route="{route}"'] >= least, (name, route)
    return buckets


def requests(got, route):
    return {re.search(r'status="([^"]*)"', labels).group(1): int(value) for (n, labels), value in got.items()
            if n == "sluice_route_requests_total" and f'route="{route}"' in labels}


def above(buckets, seconds):
    """How many surely took longer: more than the least bound that is not below it."""
    return buckets[-1][1] - next(count for bound, count in reversed(buckets) if bound <= seconds)


@suite.test("#5")
def requests_show_in_the_counts_of_their_own_route_and_a_slow_backend_in_its_times(l):
    before = scrape(l, f"{NS}/*")
    for _ in range(8):
        assert ask(l, FAST, "/echo/a") == 200
    assert ask(l, FAST, "/status/404") == 404 and ask(l, FAST, "/status/503") == 503 and ask(l, FAST, "/reset") == 502
    for _ in range(3):
        assert ask(l, SLOW, f"/slow/{int(SLOW_S * 1000)}") == 200
    after = scrape(l, f"{NS}/*")
    def more(route):
        old = requests(before, route)
        return {k: v - old[k] for k, v in requests(after, route).items()}
    assert more(f"{NS}/fast") == {"none": 0, "1xx": 0, "2xx": 8, "3xx": 0, "4xx": 1, "5xx": 2}, more(f"{NS}/fast")
    assert more(f"{NS}/slow") == {"none": 0, "1xx": 0, "2xx": 3, "3xx": 0, "4xx": 0, "5xx": 0}, more(f"{NS}/slow")
    for name in HISTOGRAMS:
        slow, fast = histogram(after, name, f"{NS}/slow"), histogram(after, name, f"{NS}/fast")
        assert above(slow, SLOW_S) - above(histogram(before, name, f"{NS}/slow"), SLOW_S) == 3, (name, slow)
        without_answer = 1 if name == "sluice_route_backend_seconds" else 0
        assert fast[-1][1] == sum(requests(after, f"{NS}/fast").values()) - without_answer, (name, fast)


@suite.test("#5")
def only_the_routes_that_are_asked_for_are_told_and_metrics_has_none(l):
    assert {labels for (n, labels) in scrape(l, f"{NS}/fast") if n.endswith("_count")} == {f'route="{NS}/fast"'}
    assert set(scrape(l, "times/none,other/*")) == {("sluice_routes_left_out", None)}
    assert requests(scrape(l, f"{NS}/slow,{NS}/fast"), f"{NS}/slow")["2xx"] > 0
    status, _, text = l.appliance.api.raw("GET", "/metrics")
    assert status == 200 and "sluice_route_" not in str(text)
    for path in ("/metrics/routes", "/metrics/routes?match="):
        status, _, text = l.appliance.api.raw("GET", path)
        assert status == 400 and "match:" in str(text), (path, status, text)


@suite.test("#5")
def more_routes_than_a_scrape_has_are_left_out_and_told(l):
    api, rules = l.appliance.api, [objects.to("one")]
    names = [f"many-{i:03}" for i in range(104)]
    for name in names:
        api.put(objects.route(NS, name, [f"{NS}/gw"], rules, f"{name}.example"))
    suite.eventually(lambda: ask(l, f"{names[-1]}.example", "/echo/x") == 200, "the last serves", 20)
    for name in names[:-1]:
        assert ask(l, f"{name}.example", "/echo/x") == 200
    got = scrape(l, f"{NS}/many-*")
    told = {labels for (n, labels) in got if n == "sluice_route_request_seconds_count"}
    left_out = got["sluice_routes_left_out", None]
    assert (len(told), left_out) == (100, 4), (len(told), left_out)
    for name in names:
        api.delete("HTTPRoute", name, NS)


def table(l, *args):
    lines = l.appliance.ctl("routes", *args, "--json").stdout.splitlines()
    return {r["route"]: r for r in map(json.loads, lines)}


@suite.test("#5")
def sluicectl_prints_the_same_and_p99_has_the_slow_backend(l):
    for _ in range(2):
        ask(l, SLOW, f"/slow/{int(SLOW_S * 1000)}")
    rows, got = table(l), scrape(l, f"{NS}/fast,{NS}/slow")
    for name in ("fast", "slow"):
        assert rows[f"{NS}/{name}"]["requests"] == requests(got, f"{NS}/{name}"), rows[f"{NS}/{name}"]
    slow = table(l, f"{NS}/slow")
    assert list(slow) == [f"{NS}/slow"], slow
    # What took 300 ms lies between two bounds, the lower of which is 262 ms.
    assert slow[f"{NS}/slow"]["total"]["p99"] > 262144 and slow[f"{NS}/slow"]["backend"]["p99"] > 262144, slow
    text = l.appliance.ctl("routes").stdout
    assert text.startswith("ROUTE ") and f"\n{NS}/slow " in text, text


@suite.test("#5")
def counts_outlive_images_and_begin_again_with_the_dataplane(l):
    api = l.appliance.api
    before = requests(scrape(l, f"{NS}/fast"), f"{NS}/fast")["2xx"]
    generation = l.appliance.generation()
    more = objects.matching({"path": {"type": "PathPrefix", "value": "/moved"}}, objects.to("one"))
    api.put(objects.route(NS, "fast", [f"{NS}/gw"], [more, objects.to("one")], FAST))
    suite.eventually(lambda: l.appliance.generation() > generation, "another image")
    assert ask(l, FAST, "/moved") in (200, 404)
    assert ask(l, FAST, "/echo/again") == 200
    assert requests(scrape(l, f"{NS}/fast"), f"{NS}/fast")["2xx"] > before
    assert l.appliance.dataplane.end() == 0
    l.appliance.start_dataplane()
    suite.eventually(lambda: ask(l, FAST, "/echo/back") == 200, "it serves again")
    got = suite.eventually(lambda: requests(scrape(l, f"{NS}/fast"), f"{NS}/fast"), "its telemetry is read again")
    assert got["2xx"] < before, (got, before)
