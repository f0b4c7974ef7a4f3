# SPDX-License-Identifier: Apache-2.0
"""Conformance: routes that may not attach, and references that lead nowhere."""
import conformance
from conformance_names import APP, V1, WEB
from exchange import Case, expect

SAME = "same-namespace"


def lab():
    return conformance.lab("refusals")


def prepare(l):
    conformance.prepare(l)


def is_500(l, name, route, reason, *cases):
    """The route attaches, its backendRef is no good for that reason, and what would go there is answered 500."""
    with conformance.applied(l, name):
        address = conformance.accepted(l, SAME, route, are_resolved=False)
        conformance.has_condition(l, route, SAME, "ResolvedRefs", "False", reason)
        expect(l, address, *cases)


def is_taken_nowhere(l, name, route, gateway, reason, are_resolved=True):
    """The route is refused for that reason, and serves nothing."""
    with conformance.applied(l, name):
        if are_resolved:
            conformance.has_resolved_refs(l, route, gateway)
        conformance.is_refused(l, route, gateway, reason)
        if gateway in l.vips:
            expect(l, l.vips[gateway], Case("/", status=404))


@conformance.test("HTTPRouteInvalidBackendRefUnknownKind")
def httproute_invalid_backend_ref_unknown_kind(l):
    is_500(l, "invalid-backendref-unknown-kind", "invalid-backend-ref-unknown-kind", "InvalidKind",
           Case("/v2", status=500))


@conformance.test("HTTPRouteInvalidCrossNamespaceBackendRef")
def httproute_invalid_cross_namespace_backend_ref(l):
    is_500(l, "invalid-cross-namespace-backend-ref", "invalid-cross-namespace-backend-ref", "RefNotPermitted",
           Case("/", status=500))


@conformance.test("HTTPRouteInvalidNonExistentBackendRef")
def httproute_invalid_non_existent_backend_ref(l):
    is_500(l, "invalid-nonexistent-backendref", "invalid-nonexistent-backend-ref", "BackendNotFound",
           Case("/", status=500))


@conformance.test("HTTPRouteInvalidReferenceGrant")
def httproute_invalid_reference_grant(l):
    is_500(l, "invalid-reference-grant", "reference-grant", "RefNotPermitted", Case("/", status=500))


@conformance.test("HTTPRoutePartiallyInvalidViaInvalidReferenceGrant")
def httproute_partially_invalid_via_invalid_reference_grant(l):
    is_500(l, "partially-invalid-via-invalid-reference-grant", "invalid-reference-grant", "RefNotPermitted",
           Case("/v2", status=500), Case("/", "app-backend-v1", namespace=APP))


@conformance.test("HTTPRouteNoBackendRefs")
def httproute_no_backend_refs(l):
    with conformance.applied(l, "omitted-backendrefs"):
        expect(l, conformance.accepted(l, SAME, "omitted-backendrefs"), Case("/forward", V1),
               Case("/omitted-no-forward", status=500), Case("/empty-no-forward", status=500))


@conformance.test("HTTPRouteDisallowedKind")
def httproute_disallowed_kind(l):
    is_taken_nowhere(l, "disallowed-kind", "disallowed-kind", "tlsroutes-only", "NotAllowedByListeners")


@conformance.test("HTTPRouteInvalidCrossNamespaceParentRef")
def httproute_invalid_cross_namespace_parent_ref(l):
    is_taken_nowhere(l, "invalid-cross-namespace-parent-ref", f"{WEB}/invalid-cross-namespace-parent-ref", SAME,
                     "NotAllowedByListeners")


@conformance.test("HTTPRouteInvalidParentRefNotMatchingListenerPort")
def httproute_invalid_parent_ref_not_matching_listener_port(l):
    is_taken_nowhere(l, "invalid-parentref-not-matching-listener-port", "httproute-listener-not-matching-route-port",
                     SAME, "NoMatchingParent")


@conformance.test("HTTPRouteInvalidParentRefNotMatchingSectionName")
def httproute_invalid_parent_ref_not_matching_section_name(l):
    is_taken_nowhere(l, "invalid-parentref-not-matching-section-name", "httproute-listener-not-matching-section-name",
                     SAME, "NoMatchingParent", are_resolved=False)


@conformance.test("HTTPRouteInvalidParentRefSectionNameNotMatchingPort")
def httproute_invalid_parent_ref_section_name_not_matching_port(l):
    is_taken_nowhere(l, "invalid-parentref-section-name-not-matching-port",
                     "httproute-listener-section-name-not-matching-port",
                     "gateway-with-one-not-matching-port-and-section-name-route", "NoMatchingParent",
                     are_resolved=False)
