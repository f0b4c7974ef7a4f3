# SPDX-License-Identifier: Apache-2.0
"""A lab with many bad links: clients in front and backends behind the appliance, each on a lane of its own.

    client-0.. ---- [impair] ---- front ---- p0 appliance p1 ---- back ---- backend-1 (clean)
                                                                   +------ [impair] ---- backend-2..

One Gateway with an address of each family; a host a backend and family: b1-v4.example.com, b2-v6.example.com, ...
"""
import lab as labs
import namespace
import objects

LANES = 8
CLEAN = 1  # backend-1
NS, GATEWAY = "lanes", "lanes"


def backend_of(lane):
    """The number of the backend at the end of a lane behind the appliance."""
    return CLEAN + 1 + lane


def host(backend, family):
    return f"b{backend}-v{family}.example.com"


def patient(host):
    """Linux asks three times who has an address: over a link that loses one frame in ten all are lost in one of 150
    tries, and that is not what is tested here."""
    host.sysctl(net__ipv4__neigh__eth0__mcast_solicit=10, net__ipv6__neigh__eth0__mcast_solicit=10)


class LinkLab(labs.Lab):
    """Links are cut, not yet carried over, when it is made."""

    def __init__(self, name, **kw):
        super().__init__(name, backends=backend_of(LANES - 1), **kw)

    def namespace_names(self):
        return super().namespace_names() + [f"client-{i}" for i in range(LANES)]

    def wire(self):
        super().wire()
        for i in range(LANES):
            name, client = f"client-{i}", self[f"client-{i}"]
            namespace.link(client, "eth0", self["switch"], name)
            client.address("eth0", f"{labs.FRONT4}.{20 + i}/24", f"{labs.FRONT6}::{20 + i:x}/64")
            patient(client)
            patient(self[f"backend-{backend_of(i)}"])
            self.insert_link(name, "front")
            self.insert_link(f"b{backend_of(i)}", "back")

    def apply_lanes(self):
        """The objects that give each backend its hosts. Returns the Gateway's addresses by family."""
        made = [objects.namespace(NS), objects.gateway(NS, GATEWAY)]
        for n in range(1, self.n_backends + 1):
            for family in (4, 6):
                name = f"b{n}-v{family}"
                made += [objects.service(NS, name), objects.slice_of(NS, name, labs.backend_address(n, family)),
                         objects.route(NS, name, [f"{NS}/{GATEWAY}"], [objects.to(name)], host(n, family))]
        self.appliance.apply(objects.example("appliance.yaml"))
        for o in made:
            self.appliance.api.create(o)
        return {family: objects.gateway_address(self, NS, GATEWAY, family) for family in (4, 6)}
