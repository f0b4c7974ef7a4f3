# SPDX-License-Identifier: Apache-2.0
"""The lab itself: what the other tests trust. Without the appliance."""
import os
import subprocess

import backend
import cleanup
import lab as labs
import suite

STRAIGHT = f"http://{labs.backend_address(1)}:8080"


def join_networks(l):
    """A plain router in the appliance's place, so that clients reach the backends."""
    box = l["appliance"]
    box.address("p0", f"{labs.FRONT4}.1/24")
    box.address("p1", f"{labs.BACK4}.1/24")
    box.sysctl(net__ipv4__ip_forward=1)
    l["client"].ip("route", "add", "default", "via", f"{labs.FRONT4}.1")
    for n in range(1, l.n_backends + 1):
        l[f"backend-{n}"].ip("route", "add", "default", "via", f"{labs.BACK4}.1")


@suite.test("-")
def clients_reach_backends_through_the_appliances_namespace():
    with labs.Lab("lab-routed") as l:
        join_networks(l)
        l.start_backends()
        assert l.curl(STRAIGHT + "/hello")[2] == b"backend-1 answers GET /hello for 198.18.1.11; My-Header: \n"
        assert l.curl(STRAIGHT.replace(".11:", ".12:") + "/")[1]["x-backend"] == "backend-2"


@suite.test("-")
def the_impairment_link_loses_what_its_seed_says_and_tcp_gets_through():
    with labs.Lab("lab-impaired", backends=1, impair=["--seed", "3", "--loss", "2", "--reorder", "2", "--corrupt",
                                                      "1", "--duplicate", "1"]) as l:
        join_networks(l)
        l.start_backends(backend.Origin)
        status, _, body = l.curl(f"{STRAIGHT}/bytes/3000000", timeout=30)
        assert (status, len(body)) == (200, 3000000), (status, len(body))
        l.impair.end()
        counts = l.impair.counts
        frames = counts["back_frames"]
        assert frames * 0.01 < counts["back_lost"] < frames * 0.04, counts
        assert all(counts[f"back_{what}"] for what in ("reordered", "corrupted", "duplicated")), counts


@suite.test("-")
def several_labs_run_at_once_and_leave_nothing_behind():
    with labs.Lab("lab-a", backends=1) as a, labs.Lab("lab-b", backends=1) as b:
        for l in (a, b):
            join_networks(l)
            l.start_backends()
        assert a.curl(STRAIGHT)[0] == b.curl(STRAIGHT)[0] == 200
        prefixes, folders, pids = (a.prefix, b.prefix), (a.dir, b.dir), [l.backends[0].process.pid for l in (a, b)]
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    assert not any(p + "-" in left for p in prefixes), left
    assert not any(os.path.exists(f) for f in folders)
    assert not any(cleanup.is_alive(p) for p in pids)


@suite.test("-")
def the_origin_misbehaves_as_its_url_says():
    with labs.Lab("lab-origin", backends=1) as l:
        join_networks(l)
        l.start_backends(backend.Origin)
        asked = backend.echoed(l.curl(STRAIGHT + "/echo?x=1", "-H", "A: b", "-d", "four")[2])
        assert asked["method"] == "POST" and asked["length"] == 4 and ["A", "b"] in asked["headers"], asked
        assert l.curl(STRAIGHT + "/chunked/100000")[1]["transfer-encoding"] == "chunked"
        assert l.curl(STRAIGHT + "/cut/1000")[0] == 0
        assert l.curl(STRAIGHT + "/reset")[0] == 0
        assert l.curl(STRAIGHT + "/status/204")[0] == 204
