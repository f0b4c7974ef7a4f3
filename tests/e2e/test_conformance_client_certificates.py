# SPDX-License-Identifier: Apache-2.0
"""Conformance: client certificates that a Gateway asks for."""
import ssl

import certs
import conformance
import objects
import suite
from conformance_names import INFRA, V1, V2
from exchange import Case, ask, expect

ORG, SECOND = "example.org", "second-example.org"
DEFAULT, PER_PORT = 443, 8443


def lab():
    return conformance.lab("client-certificates")


def prepare(l):
    """Two CAs as the suite makes them, with a client each."""
    conformance.prepare(l)
    l.server = conformance.server_context(l)
    for name in ("tls-validity-checks", "tls-validity-checks-per-port"):
        authority = certs.Authority(l.dir, f"{name}-ca")
        l.appliance.api.put(objects.config_map(INFRA, f"{name}-ca-certificate", ca_crt=authority.text()))
        authority.client(name)
    l.first, l.second = client(l, "tls-validity-checks"), client(l, "tls-validity-checks-per-port")


def client(l, name):
    """What a client trusts, and shows."""
    context = ssl.create_default_context(cafile=f"{l.dir}/suite.crt")
    context.check_hostname = False
    context.load_cert_chain(f"{l.dir}/{name}.crt", f"{l.dir}/{name}.key")
    return context


def applied(l, name):
    return conformance.applied(l, name, kind="gateway-")


def is_refused(l, address, host, port, tls):
    try:
        ask(l, address, Case("/", host=host), port=port, tls=tls)
    except AssertionError:
        return
    raise AssertionError(f"{host}:{port} answers a client that it should refuse")


def has_conditions(l, gateway, listener, **wanted):
    """Waits until the listener has them: (status, reason), or a status."""
    def found():
        status = l.appliance.api.get("Gateway", gateway, INFRA)["status"]
        got = {c["type"]: c for x in status["listeners"] if x["name"] == listener for c in x["conditions"]}
        return all((got[t]["status"], got[t]["reason"])[:len(w)] == w for t, w in wanted.items())
    suite.eventually(found, f"listener {listener} of {gateway} has {wanted}", conformance.STATUS_S)


@conformance.test("GatewayFrontendClientCertificateValidation")
def gateway_frontend_client_certificate_validation(l):
    with applied(l, "with-clientcertificate-validation"):
        routes = [f"client-certificate-validation-https-test{n}" for n in ("", "-no-hostname")]
        address = conformance.accepted(l, "client-validation-default", *routes)
        expect(l, address, Case("/", V1, host=ORG), port=DEFAULT, tls=l.first)
        is_refused(l, address, ORG, DEFAULT, l.second)
        expect(l, address, Case("/", V2, host=SECOND), port=PER_PORT, tls=l.second)
        is_refused(l, address, SECOND, PER_PORT, l.first)


@conformance.test("GatewayFrontendClientCertificateValidationInsecureFallback")
def gateway_frontend_client_certificate_validation_insecure_fallback(l):
    gateway = "client-validation-insecure-fallback"
    with applied(l, "with-clientcertificate-validation-insecure-fallback"):
        routes = [f"client-cert-validation-insecure-fallback-test{n}" for n in ("", "-no-hostname")]
        address = conformance.accepted(l, gateway, *routes)
        found = l.appliance.api.get("Gateway", gateway, INFRA)["status"]["conditions"]
        assert ("InsecureFrontendValidationMode", "True", "ConfigurationChanged") in \
            [(c["type"], c["status"], c["reason"]) for c in found], found
        for tls in (l.first, l.second, l.server):
            expect(l, address, Case("/", V1, host=ORG), port=DEFAULT, tls=tls)
            expect(l, address, Case("/", V2, host=SECOND), port=PER_PORT, tls=tls)


@conformance.test("GatewayFrontendInvalidDefaultClientCertificateValidation")
def gateway_frontend_invalid_default_client_certificate_validation(l):
    gateway = "invalid-default-client-validation-config"
    with applied(l, "invalid-default-frontend-client-certificate-validation"):
        address = objects.gateway_address(l, INFRA, gateway)
        has_conditions(l, gateway, "http", ResolvedRefs=("True",), Accepted=("True",), Programmed=("True",))
        expect(l, address, Case("/", V1, host=ORG))
        has_conditions(l, gateway, "https", ResolvedRefs=("False", "InvalidCACertificateRef"),
                       Accepted=("False", "NoValidCACertificate"), Programmed=("False",))
        is_refused(l, address, ORG, DEFAULT, l.server)


@conformance.test("GatewayInvalidFrontendClientCertificateValidation")
def gateway_invalid_frontend_client_certificate_validation(l):
    gateway = "gateway-with-invalid-client-cert-validation"
    with applied(l, "with-invalid-clientcertificate-validation"):
        has_conditions(l, gateway, "https", ResolvedRefs=("True",), Accepted=("True",), Programmed=("True",))
        for listener, reason in (("https-unresolved", "InvalidCACertificateRef"),
                                 ("https-invalid-kind", "InvalidCACertificateKind"),
                                 ("https-grant-missing", "RefNotPermitted")):
            has_conditions(l, gateway, listener, ResolvedRefs=("False", reason),
                           Accepted=("False", "NoValidCACertificate"), Programmed=("False",))
