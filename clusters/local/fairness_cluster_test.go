//go:build cluster

package local

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	flowcontrol "k8s.io/api/flowcontrol/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apf "k8s.io/client-go/kubernetes/typed/flowcontrol/v1"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
)

// TestFairnessIsPartOfTheGoldenState: a spec's objects are in force when a
// cluster is up and after a reset, one of the server's own keeps what it was
// given, and a spec without them has none.
func TestFairnessIsPartOfTheGoldenState(t *testing.T) {
	shares, low := int32(7), int32(50)
	with := clusters.Spec{Kubernetes: clusters.Kubernetes{
		ControllerManager: clusters.Deployment{Replicas: replicas(0)}, Scheduler: clusters.Deployment{Replicas: replicas(0)},
		PriorityLevels: []clusters.PriorityLevel{
			{Name: "events", Spec: flowcontrol.PriorityLevelConfigurationSpec{
				Type: flowcontrol.PriorityLevelEnablementLimited,
				Limited: &flowcontrol.LimitedPriorityLevelConfiguration{
					NominalConcurrencyShares: &shares, LimitResponse: flowcontrol.LimitResponse{Type: flowcontrol.LimitResponseTypeReject},
				},
			}},
			{Name: "workload-low", Spec: flowcontrol.PriorityLevelConfigurationSpec{
				Type: flowcontrol.PriorityLevelEnablementLimited,
				Limited: &flowcontrol.LimitedPriorityLevelConfiguration{
					NominalConcurrencyShares: &low, LimitResponse: flowcontrol.LimitResponse{Type: flowcontrol.LimitResponseTypeReject},
				},
			}},
		},
		FlowSchemas: []clusters.FlowSchema{{Name: "events", Spec: flowcontrol.FlowSchemaSpec{
			PriorityLevelConfiguration: flowcontrol.PriorityLevelConfigurationReference{Name: "events"},
			MatchingPrecedence:         500,
			Rules: []flowcontrol.PolicyRulesWithSubjects{{
				Subjects:      []flowcontrol.Subject{{Kind: flowcontrol.SubjectKindGroup, Group: &flowcontrol.GroupSubject{Name: "system:serviceaccounts"}}},
				ResourceRules: []flowcontrol.ResourcePolicyRule{{Verbs: []string{"*"}, APIGroups: []string{""}, Resources: []string{"events"}, Namespaces: []string{"*"}}},
			}},
		}}},
	}}
	without := with
	without.Kubernetes.PriorityLevels, without.Kubernetes.FlowSchemas = nil, nil
	flowsOnly := without
	flowsOnly.Kubernetes.FlowSchemas = slices.Clone(with.Kubernetes.FlowSchemas)
	flowsOnly.Kubernetes.FlowSchemas[0].Spec.PriorityLevelConfiguration.Name = "global-default"

	o := options(t, with)
	var said []string
	o.Sink = func(e clusters.Event) {
		if strings.Contains(e.Text, "priority levels") {
			said = append(said, e.Text)
		}
	}
	c := up(t, o)
	api, err := apf.NewForConfig(c.Access().REST)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Reset(t.Context(), with); err != nil {
		t.Fatal(err)
	}
	// 600 seats in all over 5+20+30+10+40+40+50+7 = 202 shares.
	const both = "priority levels in force: events has 21 seats, workload-low has 149 seats"
	if !slices.Equal(said, []string{both, both}) {
		t.Errorf("said after two starts was %q", said)
	}
	if err := c.Reset(t.Context(), without); err != nil {
		t.Fatal(err)
	}
	if _, err := api.PriorityLevelConfigurations().Get(t.Context(), "events", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the level outlived a reset without it: %v", err)
	}
	there, err := api.PriorityLevelConfigurations().Get(t.Context(), "workload-low", metav1.GetOptions{})
	if err != nil || *there.Spec.Limited.NominalConcurrencyShares != 100 {
		t.Errorf("the server's own level was not put back: %v, %v", there, err)
	}

	// Flow schemas alone: over the usual 245 shares, and proven in each trial too.
	said = nil
	for range 2 {
		if err := c.Reset(t.Context(), flowsOnly); err != nil {
			t.Fatal(err)
		}
		flow, err := api.FlowSchemas().Get(t.Context(), "events", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if by := flowOf(t, c.Access().REST, "/api/v1/namespaces/default/events"); by != string(flow.UID) {
			t.Errorf("after the reset a request went by the flow schema %s, want %s", by, flow.UID)
		}
	}
	const one = "priority levels in force: global-default has 49 seats"
	if len(said) < 2 || !slices.Equal(slices.Compact(slices.Clone(said)), []string{one}) {
		t.Errorf("said was %q", said)
	}
}

// flowOf is the UID of the flow schema that a service account's request goes by.
func flowOf(t *testing.T, access *rest.Config, path string) string {
	t.Helper()
	config := rest.CopyConfig(access)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:default:default", Groups: []string{"system:serviceaccounts", "system:authenticated"}}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // its head says it
	return resp.Header.Get("X-Kubernetes-Pf-Flowschema-Uid")
}
