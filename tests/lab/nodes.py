# SPDX-License-Identifier: Apache-2.0
"""Nodes of a cluster, as far as the network goes: routers on the appliance's backend side, with pods behind them.

    appliance p1 ---- back (switch) ---- node-1 ---- backend-1 (pods 198.18.16.0/24, 2001:db8:f:1::/64)
                                    ---- node-2 ---- backend-2 (pods 198.18.32.0/24, 2001:db8:f:2::/64)

The backends are moved behind the nodes: nobody reaches them but by a node. Pods answer by their node, which is what
they have for a default route.
"""
import lab as labs
import namespace

NODE_PORT = 30080
POD_PORT = 8080


def pod_net(n, family=4):
    """The pods behind node-n."""
    return f"198.18.{16 * n}" if family == 4 else f"2001:db8:f:{n}:"


def pod_cidr(n, family=4):
    return f"{pod_net(n)}.0/24" if family == 4 else f"{pod_net(n, 6)}:/64"


def pod_address(n, family=4):
    """Of backend-n."""
    return f"{pod_net(n)}.10" if family == 4 else f"{pod_net(n, 6)}:10"


def node_address(n, family=4):
    """Of node-n."""
    return f"{labs.BACK4}.{100 + n}" if family == 4 else f"{labs.BACK6}::{100 + n}"


def add_nodes(l, n_nodes=2):
    """node-1.. with backend-1.. behind them; before the backends are started."""
    for n in range(1, n_nodes + 1):
        add_node(l, n)


def add_node(l, n):
    node = namespace.Namespace(l.prefix, f"node-{n}")
    l.namespaces[f"node-{n}"] = node
    l.undo.add(f"node-{n}", node.remove)
    pod, switch = l[f"backend-{n}"], l["switch"]
    switch.ip("link", "delete", f"b{n}")
    namespace.link(node, "eth0", switch, f"n{n}")
    namespace.attach(switch, "back", f"n{n}")
    namespace.link(pod, "eth0", node, "pods")
    node.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1, net__ipv4__conf__all__rp_filter=0,
                net__ipv4__conf__eth0__rp_filter=0, net__ipv4__conf__pods__rp_filter=0)
    node.address("eth0", f"{node_address(n)}/24", f"{node_address(n, 6)}/64")
    node.address("pods", f"{pod_net(n)}.1/24", f"{pod_net(n, 6)}:1/64")
    pod.address("eth0", f"{pod_address(n)}/24", f"{pod_address(n, 6)}/64")
    pod.ip("route", "add", "default", "via", f"{pod_net(n)}.1")
    pod.ip("-6", "route", "add", "default", "via", f"{pod_net(n, 6)}:1")


def open_node_port(l, n, to=None, protocol="tcp", node_port=NODE_PORT, port=POD_PORT):
    """What kube-proxy does for a Service: node-n's port leads to the pod of `to`, or its own, by DNAT; what the pod
    sees comes from the node, so that its answers do, too."""
    to = to or n
    rules = f"""
table inet nodeport {{
  chain pre {{ type nat hook prerouting priority dstnat;
    meta nfproto ipv4 {protocol} dport {node_port} dnat ip to {pod_address(to)}:{port}
    meta nfproto ipv6 {protocol} dport {node_port} dnat ip6 to [{pod_address(to, 6)}]:{port}
  }}
  chain post {{ type nat hook postrouting priority srcnat; oifname "pods" masquerade; }}
}}
"""
    l[f"node-{n}"].run("nft", "-f", "-", input=rules, check=True)


def close_node_port(l, n):
    """The node answers with a reset, as where nothing listens."""
    l[f"node-{n}"].run("nft", "delete", "table", "inet", "nodeport", check=True)


def node(n, ready="True", name=None, cordoned=False, families=(4, 6), labels=None):
    """The Node object of node-n."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name or f"node-{n}", "labels": labels or {}},
            "spec": {"podCIDR": pod_cidr(n), "podCIDRs": [pod_cidr(n, f) for f in families], "unschedulable": cordoned},
            "status": {"addresses": [{"type": "InternalIP", "address": node_address(n, f)} for f in families],
                       "conditions": [{"type": "Ready", "status": ready}]}}


def slices(ns, service, *numbers, families=(4, 6)):
    """An EndpointSlice a family with the pods of these nodes."""
    return [{"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
             "metadata": {"namespace": ns, "name": f"{service}-ipv{f}",
                          "labels": {"kubernetes.io/service-name": service}},
             "addressType": f"IPv{f}", "ports": [{"port": POD_PORT}],
             "endpoints": [{"addresses": [pod_address(n, f)], "nodeName": f"node-{n}", "conditions": {"ready": True}}
                           for n in numbers]} for f in families]
