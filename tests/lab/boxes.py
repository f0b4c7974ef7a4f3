# SPDX-License-Identifier: Apache-2.0
"""A lab of several appliances that are active at once: a router between them and the client has the VIPs by BGP from
each, and deals flows out by ECMP. They share no link but those that any machine would have, and no state.

    client == eth1 router eth0 ---- front (switch) ---- p0 box-n p1 ---- back (switch) ---- backend-1, ...
                                                   p0 control-n (BIRD)           admin ---- mgmt0 box-n

VIPs are routed: no link has them. The router knows two ways to spread flows, as routers do: one VIP lies at the
kernel's route that BIRD writes (hash-threshold, RFC 2992: who comes or goes moves flows of others, too), another at a
group of next hops with resilient hashing, which this file keeps as BIRD's table says.
"""
import os
import re
import secrets

import appliance
import lab as labs
import namespace
import routing
import suite

VIP, STEADY_VIP = "203.0.113.10", "203.0.113.11"  # by hash-threshold, by resilient hashing
VIP6 = "2001:db8:ff::10"  # by hash-threshold
CLIENT, CLIENT6 = f"{routing.FAR4}.10", f"{routing.FAR6}::10"
GROUP, BUCKETS = 100, 512
ROUTER_AS, BOX_AS = 65000, 65001
BFD_MS, BFD_MULTIPLIER = 200, 8
READY_S = 30
VIA = re.compile(r"via (?:198\.18\.0\.|2001:db8::)(\d+)")


class Box(appliance.Appliance):
    """One of them, `number` from 1, with the exception path and a BIRD of its own."""

    def __init__(self, l, number):
        os.makedirs(os.path.join(l.dir, f"box-{number}"), mode=0o700)
        super().__init__(l, l.workers, f"box-{number}", f"{labs.ADMIN4}.{number}")
        self.number = number
        self.front, self.back = f"{labs.FRONT4}.{number}", f"{labs.BACK4}.{number}"
        self.front6 = f"{labs.FRONT6}::{number}"
        self.bird_config = os.path.join(self.dir, "bird.conf")
        self.options = ["--exception-netns", l[f"control-{number}"].full, "--mem", "160", "--conns", "3072",
                        "--probe", "own"]
        self.port_options = {"p0": ",tap=p0"}
        self.mgmtd_options = ["--bird-config", self.bird_config,
                              "--bird-socket", os.path.join(l.dir, f"bird-{self.where}.ctl")]

    def start(self):
        super().start()
        if os.path.exists(self.bird_config):
            self.start_bird()

    def start_bird(self):
        self.bird = routing.Bird(self.lab, f"bird-{self.where}", f"control-{self.number}", path=self.bird_config)

    def kill(self):
        """As a power cut would."""
        for program in (self.dataplane, self.mgmtd, self.bird):
            program.kill()

    def describe(self):
        """What only this box is: addresses, ways, the router as a peer."""
        for made in (
                routing.sluice("Interface", "front", port="p0", addresses=[f"{self.front}/24", f"{self.front6}/64"]),
                routing.sluice("Interface", "back", port="p1", addresses=[f"{self.back}/24"]),
                routing.sluice("StaticRoute", "far", destination=f"{routing.FAR4}.0/24", gateway=routing.ROUTER4),
                routing.sluice("StaticRoute", "far6", destination=f"{routing.FAR6}::/64", gateway=routing.ROUTER6),
                routing.sluice("AddressPool", "routed", addresses=[f"{VIP}-{STEADY_VIP}", VIP6], interface="front"),
                self.peer("router", routing.ROUTER4), self.peer("router6", routing.ROUTER6)):
            self.api.put(made)

    @staticmethod
    def peer(name, address):
        return routing.sluice("BgpPeer", name, address=address, peerASN=ROUTER_AS, localASN=BOX_AS,
                              connectRetrySeconds=1,
                              bfd={"intervalMilliseconds": BFD_MS, "multiplier": BFD_MULTIPLIER})


class BoxesLab(labs.Lab):
    """`boxes` of them; `client` is behind the router."""

    def __init__(self, name, boxes=3, **kw):
        self.numbers = range(1, boxes + 1)
        super().__init__(name, **kw)

    def namespace_names(self):
        own = [f"{kind}-{n}" for n in self.numbers for kind in ("box", "control")]
        return ["client", "router", "switch", "admin", *own] + [f"backend-{n + 1}" for n in range(self.n_backends)]

    def add_appliances(self):
        self.boxes = [Box(self, n) for n in self.numbers]
        self.appliance = self.boxes[0]

    def wire(self):
        router, client, switch, admin = (self[n] for n in ("router", "client", "switch", "admin"))
        namespace.link(router, "eth0", switch, "router")
        namespace.link(client, "eth0", switch, "client")
        namespace.link(switch, "client-in", router, "eth1")
        for near in ("client", "client-in"):
            switch.sysctl(**{f"net__ipv6__conf__{near}__disable_ipv6": 1})
        # Over a program that carries bytes: a veth would carry the hash, too, that the client's socket has drawn (and
        # draws anew when it sends again), and the router would take that for the flow's.
        self.start_link("client")
        router.address("eth0", f"{routing.ROUTER4}/24", f"{routing.ROUTER6}/64")
        router.address("eth1", f"{routing.FAR4}.1/24", f"{routing.FAR6}::1/64")
        router.sysctl(net__ipv4__ip_forward=1, net__ipv4__fib_multipath_hash_policy=1,
                      net__ipv6__conf__all__forwarding=1, net__ipv6__fib_multipath_hash_policy=1)
        client.address("eth0", f"{CLIENT}/24", f"{CLIENT6}/64")
        client.ip("route", "add", "default", "via", f"{routing.FAR4}.1")
        client.ip("route", "add", "default", "via", f"{routing.FAR6}::1")
        front, back, offices = ["router"], [], []
        for n in self.numbers:
            box = self[f"box-{n}"]
            for port, switched in (("p0", front), ("p1", back)):
                namespace.link(box, port, switch, f"{port}-{n}")
                box.sysctl(**{f"net__ipv6__conf__{port}__disable_ipv6": 1})
                switched.append(f"{port}-{n}")
            namespace.link(box, "mgmt0", admin, f"box-{n}")
            box.address("mgmt0", f"{labs.ADMIN4}.{n}/24")
            offices.append(f"box-{n}")
        for n in range(1, self.n_backends + 1):
            pod = self[f"backend-{n}"]
            namespace.link(pod, "eth0", switch, f"b{n}")
            namespace.link(pod, "eth1", switch, f"f{n}")  # by which it answers clients itself
            pod.address("eth0", f"{labs.backend_address(n)}/24")
            pod.address("eth1", f"{labs.FRONT4}.{200 + n}/24", f"{labs.FRONT6}::{200 + n}/64")
            pod.ip("route", "add", "default", "via", routing.ROUTER4)
            pod.ip("route", "add", "default", "via", routing.ROUTER6)
            back.append(f"b{n}")
            front.append(f"f{n}")
        namespace.bridge(switch, "front", *front)
        namespace.bridge(switch, "back", *back)
        namespace.bridge(admin, "offices", *offices)
        admin.address("offices", f"{labs.ADMIN4}.100/24")

    # ---- configuration: the same on each box

    def put(self, *objects):
        for box in self.boxes:
            for made in objects:
                box.api.put(made)

    def start_boxes(self):
        """All of them, announced to the router."""
        secret = secrets.token_bytes(32)
        for box in self.boxes:
            os.makedirs(os.path.join(box.state_dir, "tls"), mode=0o700, exist_ok=True)
            path = os.path.join(box.state_dir, "tls", "tickets.secret")
            with open(path, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
                f.write(secret)
            box.start_dataplane(wait=False)
        for box in self.boxes:
            box.start_mgmtd()
            box.describe()
            suite.eventually(lambda box=box: os.path.exists(box.bird_config), "BIRD's file is written", READY_S)
            box.start_bird()
        self.router = routing.Bird(self, "bird-router", "router", self.router_config())

    def router_config(self):
        head = f"""
router id {routing.ROUTER4};
log stderr all;
debug protocols {{ states, routes, events }};
protocol device {{ scan time 1; }}
protocol bfd {{ }}
protocol kernel {{
    merge paths on;
    ipv4 {{ export where net != {STEADY_VIP}/32; }};
}}
protocol kernel {{
    merge paths on;
    ipv6 {{ export all; }};
}}
template bgp box {{
    local as {ROUTER_AS}; {routing.AGAIN}; hold time 90;
    bfd {{ interval {BFD_MS} ms; multiplier {BFD_MULTIPLIER}; }};
}}
"""
        return head + "".join(f"""
protocol bgp box{n} from box {{ neighbor {labs.FRONT4}.{n} as {BOX_AS}; ipv4 {{ import all; export none; }}; }}
protocol bgp box{n}v6 from box {{
    neighbor {labs.FRONT6}::{n} as {BOX_AS};
    ipv6 {{ import all; export none; next hop prefer global; }};
}}
""" for n in self.numbers)

    # ---- the router

    def ways(self, vip):
        """The boxes that its route of the VIP leads to."""
        said = self["router"].ip("-6" if ":" in vip else "-4", "route", "show", vip)
        return {int(n) for n in VIA.findall(said)}

    def wait_ways(self, *numbers):
        """Until flows are dealt out to just these boxes."""
        for vip in (VIP, VIP6):
            suite.eventually(lambda vip=vip: self.ways(vip) == set(numbers), f"{vip} leads to {numbers}", READY_S)
        self.keep_steady(numbers)

    def keep_steady(self, numbers):
        """Resilient hashing: only the buckets of who has gone get another next hop, and those that rested a while."""
        router = self["router"]
        hops = router.ip("nexthop", "show")
        for n in numbers:
            if f"id {n} via" not in hops:
                router.ip("nexthop", "add", "id", str(n), "via", f"{labs.FRONT4}.{n}", "dev", "eth0")
        is_new = f"id {GROUP} group" not in hops
        router.ip("nexthop", "add" if is_new else "replace", "id", str(GROUP), "group",
                  "/".join(map(str, numbers)), "type", "resilient", "buckets", str(BUCKETS), "idle_timer", "120")
        if is_new:
            router.ip("route", "add", f"{STEADY_VIP}/32", "nhid", str(GROUP))

    def boxes_of(self, ends):
        """Which box the router sends a flow to, for each of `ends`: (VIP, protocol, client's port, VIP's port)."""
        asked = "".join(f"route get {vip} from {CLIENT6 if ':' in vip else CLIENT} iif eth1 ipproto {protocol} "
                        f"sport {source} dport {port}\n" for vip, protocol, source, port in ends)
        done = self["router"].run("ip", "-batch", "-", input=asked, timeout=60)
        found = [int(n) for n in VIA.findall(done.stdout)]
        assert len(found) == len(ends), (len(found), len(ends), done.stdout[:500], done.stderr[:500])
        return found
