// SPDX-License-Identifier: Apache-2.0

// Gateway API's conformance suite, as it is: all options are its own flags. Beside it, -list-output writes which tests
// there are: the suite's own report takes a parallel test for passed when it has merely been started, so that whoever
// counts has to do it from the test's events.
package suite

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/tests"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

var listOutput = flag.String("list-output", "", "Where to write the tests, their features and profiles, as JSON")

var onlyProfiles = flag.Bool("only-profiles", false, "Whether to run only tests of the profiles that -conformance-profiles names")

var profiles = []suite.ConformanceProfile{
	suite.GatewayHTTPConformanceProfile, suite.GatewayGRPCConformanceProfile, suite.GatewayTLSConformanceProfile,
	suite.GatewayTCPConformanceProfile, suite.GatewayUDPConformanceProfile,
	suite.MeshHTTPConformanceProfile, suite.MeshGRPCConformanceProfile,
}

// Listed is what is told of a test.
type Listed struct {
	Name        string                 `json:"name"`
	Features    []features.FeatureName `json:"features"`
	Profiles    []string               `json:"profiles"`
	Core        []string               `json:"core"` // profiles of which it is a core test
	Provisional bool                   `json:"provisional"`
}

// Listing is what -list-output writes.
type Listing struct {
	Tests    []Listed                          `json:"tests"`
	Extended map[string][]features.FeatureName `json:"extended"` // of each profile
}

func list() Listing {
	listing := Listing{Extended: map[string][]features.FeatureName{}}
	for _, p := range profiles {
		extended := p.ExtendedFeatures.UnsortedList()
		slices.Sort(extended)
		listing.Extended[string(p.Name)] = extended
	}
	for _, test := range tests.ConformanceTests {
		listed := Listed{Name: test.ShortName, Features: test.Features, Provisional: test.Provisional}
		for _, p := range profiles {
			if p.CoreFeatures.HasAll(test.Features...) {
				listed.Core = append(listed.Core, string(p.Name))
			}
			if p.CoreFeatures.Union(p.ExtendedFeatures).HasAll(test.Features...) {
				listed.Profiles = append(listed.Profiles, string(p.Name))
			}
		}
		listing.Tests = append(listing.Tests, listed)
	}
	return listing
}

// withOwn has the features that are to be tested where that is not simply what the GatewayClass claims. For a test that
// is named: also what it needs, so that a feature can be tried before it is claimed. For profiles: what is theirs.
func withOwn(t *testing.T, options suite.ConformanceOptions) suite.ConformanceOptions {
	if options.RunTest == "" && !*onlyProfiles {
		return options
	}
	class := &gatewayv1.GatewayClass{}
	err := options.Client.Get(context.Background(), types.NamespacedName{Name: options.GatewayClassName}, class)
	if err != nil {
		t.Fatal(err)
	}
	for _, claimed := range class.Status.SupportedFeatures {
		name := features.FeatureName(claimed.Name)
		if options.RunTest != "" || isOf(name, options.ConformanceProfiles) || isOfNone(name) {
			options.SupportedFeatures = append(options.SupportedFeatures, name)
		}
	}
	for _, test := range tests.ConformanceTests {
		if test.ShortName == options.RunTest {
			options.SupportedFeatures = append(options.SupportedFeatures, test.Features...)
		}
	}
	if *onlyProfiles && !isOf(features.SupportGateway, options.ConformanceProfiles) {
		return withPodsOfGateways(options)
	}
	return options
}

// withPodsOfGateways has all set up for tests of Gateways, and none of these run: before it tests meshes, the suite waits
// for the pods of both.
func withPodsOfGateways(options suite.ConformanceOptions) suite.ConformanceOptions {
	options.SupportedFeatures = append(options.SupportedFeatures, features.SupportGateway)
	for _, test := range tests.ConformanceTests {
		if slices.Contains(test.Features, features.SupportGateway) {
			options.SkipTests = append(options.SkipTests, test.ShortName)
		}
	}
	return options
}

// isOfNone is true of GRPCRouteNamedRouteRule, which no profile lists.
func isOfNone(feature features.FeatureName) bool {
	return !slices.ContainsFunc(profiles, func(p suite.ConformanceProfile) bool {
		return p.CoreFeatures.Has(feature) || p.ExtendedFeatures.Has(feature)
	})
}

// isOf is true of a profile's features, and with profiles of meshes of those of their routes, which these do not list.
func isOf(feature features.FeatureName, wanted []suite.ConformanceProfileName) bool {
	if isOfMesh(wanted) && slices.ContainsFunc(tests.ConformanceTests, func(test suite.ConformanceTest) bool {
		return slices.Contains(test.Features, features.SupportMesh) && slices.Contains(test.Features, feature)
	}) {
		return true
	}
	return slices.ContainsFunc(profiles, func(p suite.ConformanceProfile) bool {
		return slices.Contains(wanted, p.Name) && (p.CoreFeatures.Has(feature) || p.ExtendedFeatures.Has(feature))
	})
}

func isOfMesh(wanted []suite.ConformanceProfileName) bool {
	return slices.Contains(wanted, suite.MeshHTTPConformanceProfileName) ||
		slices.Contains(wanted, suite.MeshGRPCConformanceProfileName)
}

func TestConformance(t *testing.T) {
	if *listOutput != "" {
		data, err := json.MarshalIndent(list(), "", " ")
		if err == nil {
			err = os.WriteFile(*listOutput, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	conformance.RunConformanceWithOptions(t, withOwn(t, conformance.DefaultOptions(t)))
}
