# SPDX-License-Identifier: Apache-2.0
"""What a lab needs for routing: the namespace of the exception path, a router at the front with BIRD and a client
behind it, captures that tshark reads.

    far ---- eth1 router eth0 ---- front (switch) ---- p0 appliance
                                                       p0 control (the exception path's TAP)
"""
import os
import signal
import subprocess

import namespace
import process
import suite

# A router that was away is tried again at once.
AGAIN = "connect delay time 1; connect retry time 2; error wait time 1, 4"
ROUTER4, ROUTER6 = "198.18.0.254", "2001:db8::254"
FAR4, FAR6 = "198.18.4", "2001:db8:4"  # behind the router
READY_S = 10


def add_namespace(l, name):
    """One more in the lab."""
    l.namespaces[name] = namespace.Namespace(l.prefix, name)
    l.undo.add(name, l.namespaces[name].remove)
    return l.namespaces[name]


def add_control(l, *ports):
    """The exception path: a namespace "control", and a TAP in it beside each of these ports of the appliance."""
    control = add_namespace(l, "control")
    l.appliance.options += ["--exception-netns", control.full, "--mem", "128", "--conns", "2048"]
    for port in ports:
        l.appliance.port_options[port] = f",tap={port}"
    return control


def add_bird_to_mgmtd(l):
    """mgmtd configures the BIRD "bird-box"."""
    l.bird_config = os.path.join(l.dir, "bird-box.conf")
    l.appliance.mgmtd_options += ["--bird-config", l.bird_config, "--bird-socket", os.path.join(l.dir, "bird-box.ctl")]


def add_keepalived_to_mgmtd(l):
    """mgmtd configures the keepalived "keepalived-box"."""
    l.keepalived_config, l.keepalived_pid = (os.path.join(l.dir, f"keepalived-box.{x}") for x in ("conf", "pid"))
    l.appliance.mgmtd_options += ["--keepalived-config", l.keepalived_config, "--keepalived-pid", l.keepalived_pid]


def sluice(kind, name, **spec):
    """An object of ours without a namespace."""
    return {"apiVersion": "sluice.internal/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def far_answer(l, host, vip):
    """Who answers the client behind the router."""
    where = f"[{vip}]" if ":" in vip else vip
    done = l["far"].run("curl", "-s", "-m", "2", "-H", f"Host: {host}", f"http://{where}/")
    return done.stdout.split(" ")[0]


def add_router(l):
    """A router at the front and a client "far" behind it."""
    router, far = add_namespace(l, "router"), add_namespace(l, "far")
    namespace.link(router, "eth0", l["switch"], "router")
    namespace.attach(l["switch"], "front", "router")
    router.address("eth0", f"{ROUTER4}/24", f"{ROUTER6}/64")
    namespace.link(far, "eth0", router, "eth1")
    router.address("eth1", f"{FAR4}.1/24", f"{FAR6}::1/64")
    far.address("eth0", f"{FAR4}.10/24", f"{FAR6}::10/64")
    router.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
    far.ip("route", "add", "default", "via", f"{FAR4}.1")
    far.ip("route", "add", "default", "via", f"{FAR6}::1")


class Bird(process.Process):
    """A BIRD in a namespace, from a configuration in a file."""

    def __init__(self, l, name, where, config=None, path=None):
        self.lab, self.where = l, where
        self.path = path or os.path.join(l.dir, f"{name}.conf")
        self.socket = os.path.join(l.dir, f"{name}.ctl")
        if config is not None:
            with open(self.path, "w") as f:
                f.write(config)
        super().__init__(name, l[where].argv("bird", "-f", "-c", self.path, "-s", self.socket),
                         os.path.join(l.logs, f"{name}.log"))
        l.undo.add(name, self.end)
        self.wait_ready(lambda: "up and running" in self.ask("show status"), "BIRD's socket", READY_S)

    def ask(self, *words):
        """What birdc says."""
        return subprocess.run(["birdc", "-s", self.socket, *words], capture_output=True, text=True, timeout=10).stdout

    def is_established(self, protocol):
        return "Established" in self.ask("show", "protocols", protocol)

    def wait_established(self, protocol, limit_s=20):
        suite.eventually(lambda: self.is_established(protocol), f"{self.name}: {protocol} is established", limit_s)

    def has_route(self, prefix):
        return prefix in self.ask("show", "route", prefix)


class Keepalived(process.Process):
    """A keepalived in a namespace, from a configuration in a file."""

    def __init__(self, l, name, where, config=None, path=None, pid=None):
        path = path or os.path.join(l.dir, f"{name}.conf")
        pid = pid or os.path.join(l.dir, f"{name}.pid")
        if config is not None:
            with open(path, "w") as f:
                f.write(config)
        super().__init__(name, l[where].argv("keepalived", "--dont-fork", "--log-console", "--log-detail", "--vrrp",
                                             "--use-file", path, "--pid", pid, "--vrrp_pid", f"{pid}.vrrp"),
                         os.path.join(l.logs, f"{name}.log"))
        self.child = f"{pid}.vrrp"
        l.undo.add(name, self.end)

    def kill(self):
        """With the process that speaks VRRP, which ends when its parent is gone."""
        with open(self.child) as f:
            child = f.read().strip()
        super().kill()
        suite.eventually(lambda: not os.path.exists(f"/proc/{child}"), f"{self.name}: its child ends", READY_S)


class Capture:
    """What passes an interface, from wait_ready() until end(); then tshark reads it."""

    def __init__(self, l, name, where, interface, *what):
        self.options = []  # of tshark
        self.path = os.path.join(l.logs, f"{name}.pcap")
        # at once: else what lies in a block that is not full yet is lost when it ends
        self.tcpdump = l.start(name, where, "tcpdump", "--immediate-mode", "-U", "-n", "-s", "0", "-i", interface, "-w",
                               self.path, *what)
        self.tcpdump.wait_ready(lambda: "listening on" in self.tcpdump.log_end(), "tcpdump", READY_S)

    def end(self):
        self.tcpdump.popen.send_signal(signal.SIGINT)
        self.tcpdump.popen.wait(process.END_WAIT_S)

    def fields(self, shown, *names):
        """The fields of the frames that the filter shows, a list a frame; may be asked while it captures."""
        argv = ["tshark", "-n", *self.options, "-r", self.path, "-Y", shown, "-T", "fields", "-E", "separator=|"]
        for name in names:
            argv += ["-e", name]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        return [line.split("|") for line in done.stdout.splitlines()]
