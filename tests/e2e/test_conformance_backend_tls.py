# SPDX-License-Identifier: Apache-2.0
"""Conformance: BackendTLSPolicy, and the Gateway's client certificate."""
import certs
import conformance
import lab as labs
import objects
import pods
import suite
from conformance_names import INFRA
from exchange import Case, ask, expect

HOST, OTHER, URI = "abc.example.com", "other.example.com", "spiffe://abc.example.com/test-identity"
SERVER, ASKING = "tls-backend", "tls-backend-with-client-cert-validation"
GATEWAY = "same-namespace"
ACCEPTED = {"Accepted": ("True", "Accepted")}
RESOLVED = {**ACCEPTED, "ResolvedRefs": ("True", "ResolvedRefs")}


class SecurePods(pods.Pods):
    """The suite's echo servers that speak TLS: one, and one that asks clients for certificates."""

    def __init__(self, l, program, authority):
        self.lab = l
        self.addresses = {(INFRA, SERVER): [1], (INFRA, ASKING): [2]}
        certificate, key = (authority.path(f"tls-checks.{end}") for end in ("crt", "key"))
        tls = {"TLS_SERVER_CERT": certificate, "TLS_SERVER_PRIVKEY": key}
        for name, number, more in ((SERVER, 1, {}), (ASKING, 2, {"TLS_CLIENT_CACERTS": authority.ca})):
            process = l.start(name, f"backend-{number}", program,
                              environment={"POD_NAME": f"{name}-lab-1", "NAMESPACE": INFRA, **tls, **more})
            process.wait_ready(lambda n=number: self.is_listening(n), "the echo server", pods.READY_S)


def lab():
    return labs.Lab("conformance-backend-tls", backends=2)


def prepare(l):
    authority = certs.Authority(l.dir, "tls-checks-ca")
    server = authority.server("tls-checks", HOST, URI, OTHER)
    l.pods = SecurePods(l, conformance.build.build("conformance"), authority)
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    base = pods.documents(conformance.text_of("base/manifests.yaml"))
    conformance.apply(l, "base", [d for d in base if pods.kind_of(d) != "Deployment"])
    l.vips = {GATEWAY: objects.gateway_address(l, INFRA, GATEWAY)}
    api = l.appliance.api
    api.put(objects.tls_secret(INFRA, "tls-checks-certificate", *server))
    api.put(objects.tls_secret(INFRA, "tls-checks-client-certificate", *authority.server("client", "client.example")))
    with open(authority.path("client.crt"), encoding="ascii") as f:
        l.client_certificate = f.read()
    l.ca = authority.text()
    api.put(objects.config_map(INFRA, "tls-checks-ca-certificate", ca_crt=l.ca))
    api.put(objects.config_map(INFRA, "mismatch-ca-certificate", ca_crt=certs.Authority(l.dir, "mismatch").text()))


def applied(l, name):
    return conformance.applied(l, name, kind="")


def conditions(l, policy, gateway=GATEWAY):
    found = l.appliance.api.get("BackendTLSPolicy", policy, INFRA)
    for ancestor in found.get("status", {}).get("ancestors", []):
        conformance.are_current(found, ancestor["conditions"])
        ref = ancestor["ancestorRef"]
        if (ref["namespace"], ref["name"]) == (INFRA, gateway):
            return {c["type"]: (c["status"], c["reason"]) for c in ancestor["conditions"]}
    return {}


def has(l, policy, wanted, gateway=GATEWAY):
    """Waits until the policy has these conditions at the Gateway."""
    suite.eventually(lambda: wanted.items() <= conditions(l, policy, gateway).items(), f"{policy} has {wanted}",
                     conformance.STATUS_S)


def change(l, name, **validation):
    """Has the policy say this in its validation; its generation afterwards."""
    change = {"spec": {"validation": validation}}
    return l.appliance.api.patch("BackendTLSPolicy", name, change, INFRA)["metadata"]["generation"]


def case(path, status=200, host=HOST):
    return Case(f"/backendtlspolicy{path}", SERVER if status == 200 else "", status=status, host=host)


def asked_for(l, address, path):
    """The server name that the backend was asked for."""
    return ask(l, address, case(path)).echo()["tls"]["serverName"]


@conformance.test("BackendTLSPolicy")
def backend_tls_policy(l):
    api = l.appliance.api
    with applied(l, "backendtlspolicy"):
        address, tls = conformance.https(l, "backendtlspolicy-reencrypt")
        has(l, "normative-test", RESOLVED, conformance.HTTPS_GATEWAY)
        expect(l, address, case("", host="https-listener.org"), port=443, tls=tls)
        address = conformance.accepted(l, GATEWAY, "backendtlspolicy")
        for policy in ("normative-test", "host-mismatch", "cert-mismatch", "reconcile-test"):
            has(l, policy, RESOLVED)
        expect(l, address, case(""), case("-host-mismatch", 502), case("-cert-mismatch", 502))
        assert asked_for(l, address, "") == HOST
        name = "tls-checks-ca-certificate-reconcile-test"
        change(l, "reconcile-test", caCertificateRefs=[{"group": "", "kind": "ConfigMap", "name": name}])
        refused = {"Accepted": ("False", "NoValidCACertificate"), "ResolvedRefs": ("False", "InvalidCACertificateRef")}
        has(l, "reconcile-test", refused)
        for text, wanted in ((l.ca, RESOLVED), ("", refused), (l.ca, RESOLVED)):
            api.put(objects.config_map(INFRA, name, ca_crt=text))
            has(l, "reconcile-test", wanted)


@suite.test("S9")
def h2_by_tls_is_offered_where_the_port_says_so(l):
    """Not one of the suite's: its echo server speaks HTTP/2 by TLS, too."""
    api, name = l.appliance.api, "h2-by-tls"
    service = objects.service(INFRA, name, port=443)
    service["spec"]["ports"][0] |= {"targetPort": 8443, "appProtocol": "kubernetes.io/h2c"}
    cas = {"group": "", "kind": "ConfigMap", "name": "tls-checks-ca-certificate"}
    policy = {"apiVersion": objects.GATEWAY_V1, "kind": "BackendTLSPolicy",
              "metadata": {"namespace": INFRA, "name": name},
              "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": name}],
                       "validation": {"hostname": HOST, "caCertificateRefs": [cas]}}}
    for made in (service, objects.slice_of(INFRA, name, labs.backend_address(1), port=8443), policy,
                 objects.route(INFRA, name, [f"{INFRA}/{GATEWAY}"], [objects.to(name, port=443)], "h2.example.com")):
        api.put(made)
    expect(l, l.vips[GATEWAY], Case("/h2", SERVER, host="h2.example.com"))
    asked = Case("/h2", SERVER, host="h2.example.com")
    for _ in range(5):
        seen = ask(l, l.vips[GATEWAY], asked).echo()
        assert (seen["tls"]["negotiatedProtocol"], seen["tls"]["serverName"]) == ("h2", HOST), seen
    api.patch("BackendTLSPolicy", name, {"spec": {"validation": {"hostname": "wrong.example.com"}}}, INFRA)
    expect(l, l.vips[GATEWAY], Case("/h2", status=502, host="h2.example.com"))
    for kind in ("HTTPRoute", "BackendTLSPolicy", "Service"):
        api.delete(kind, name, INFRA)


@conformance.test("BackendTLSPolicyConflictResolution")
def backend_tls_policy_conflict_resolution(l):
    with applied(l, "backendtlspolicy-conflict-resolution"):
        address = conformance.accepted(l, GATEWAY, "backendtlspolicy-conflict-resolution")
        for kind in ("without", "with"):
            has(l, f"conflicted-{kind}-section-name-1", ACCEPTED)
            has(l, f"conflicted-{kind}-section-name-2", {"Accepted": ("False", "Conflicted")})
            has(l, f"not-conflicted-{kind}-section-name", ACCEPTED)
        for path, name in (("-conflicted-without-section-name", OTHER), ("-conflicted-with-section-name", OTHER),
                           ("-not-conflicted-with-section-name", OTHER),
                           ("-not-conflicted-without-section-name", HOST)):
            expect(l, address, case(path))
            assert asked_for(l, address, path) == name, path


@conformance.test("BackendTLSPolicyInvalidCACertificateRef")
def backend_tls_policy_invalid_ca_certificate_ref(l):
    with applied(l, "backendtlspolicy-invalid-ca-certificate-ref"):
        address = conformance.accepted(l, GATEWAY, "backendtlspolicy-invalid-ca-certificate-ref", are_resolved=False)
        for name in ("nonexistent-ca-certificate-ref", "malformed-ca-certificate-ref"):
            has(l, name, {"Accepted": ("False", "NoValidCACertificate"),
                          "ResolvedRefs": ("False", "InvalidCACertificateRef")})
            expect(l, address, case(f"-{name}", (500, 502, 503)))


@conformance.test("BackendTLSPolicyInvalidKind")
def backend_tls_policy_invalid_kind(l):
    with applied(l, "backendtlspolicy-invalid-kind"):
        address = conformance.accepted(l, GATEWAY, "backendtlspolicy-invalid-kind-test", are_resolved=False)
        has(l, "invalid-kind", {"Accepted": ("False", "NoValidCACertificate"),
                                "ResolvedRefs": ("False", "InvalidKind")})
        expect(l, address, case("-invalid-kind", (500, 502, 503)))


@conformance.test("BackendTLSPolicyObservedGenerationBump")
def backend_tls_policy_observed_generation_bump(l):
    with applied(l, "backendtlspolicy-observed-generation-bump"):
        has(l, "observed-generation-bump", ACCEPTED)
        before = l.appliance.api.get("BackendTLSPolicy", "observed-generation-bump", INFRA)["metadata"]["generation"]
        generation = change(l, "observed-generation-bump", hostname="foo.example.com")
        has(l, "observed-generation-bump", ACCEPTED)
        assert generation != before, generation


@conformance.test("BackendTLSPolicySANValidation")
def backend_tls_policy_san_validation(l):
    with applied(l, "backendtlspolicy-san"):
        address = conformance.accepted(l, GATEWAY, "backendtlspolicy-san-test")
        paths = {"san-dns": 200, "san-dns-mismatch": 502, "san-uri": 200, "san-uri-mismatch": 502, "multiple-sans": 200,
                 "multiple-mismatch-sans": 502}
        for name in paths:
            has(l, name, ACCEPTED)
        expect(l, address, *[case(f"-{name}", status) for name, status in paths.items()])


@conformance.test("GatewayTLSBackendClientCertificate")
def gateway_tls_backend_client_certificate(l):
    name = "gateway-tls-backend-client-certificate"
    with applied(l, name):
        address = conformance.accepted(l, name, name)
        has(l, f"{name}-test", ACCEPTED, name)
        found = l.appliance.api.get("Gateway", name, INFRA)["status"]
        assert objects.condition(found, "ResolvedRefs")["status"] == "True", found
        expect(l, address, Case("/", ASKING, host=HOST))
        shown = ask(l, address, Case("/", host=HOST)).echo()["tls"]["peerCertificates"]
        assert [c.strip() for c in shown] == [l.client_certificate.strip()], shown


@conformance.test("GatewayInvalidTLSBackendConfiguration")
def gateway_invalid_tls_backend_configuration(l):
    def has_conditions(gateway, reason):
        found = l.appliance.api.get("Gateway", gateway, INFRA)
        conformance.are_current(found, found["status"]["conditions"])
        got = {c["type"]: (c["status"], c["reason"]) for c in found["status"]["conditions"]}
        return got["ResolvedRefs"] == ("False", reason) and got["Accepted"] == ("True", "Accepted")
    with applied(l, "gateway-invalid-tls-backend-configuration"):
        for name, reason in (("nonexistent-secret", "InvalidClientCertificateRef"),
                             ("unsupported-group", "InvalidClientCertificateRef"),
                             ("unsupported-kind", "InvalidClientCertificateRef"),
                             ("malformed-secret", "InvalidClientCertificateRef"),
                             ("missing-reference-grant", "RefNotPermitted")):
            suite.eventually(lambda n=name, r=reason: has_conditions(f"gateway-client-certificate-{n}", r),
                             f"{name} is told", conformance.STATUS_S)
