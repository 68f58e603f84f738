//go:build cluster

package local

import (
	"strings"
	"testing"

	flowcontrol "k8s.io/api/flowcontrol/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apf "k8s.io/client-go/kubernetes/typed/flowcontrol/v1"

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

	o := options(t, with)
	said := 0
	o.Sink = func(e clusters.Event) {
		// 600 seats in all over 5+20+30+10+40+40+50+7 = 202 shares.
		if e.Text == "priority levels in force: events has 21 seats, workload-low has 149 seats" {
			said++
		} else if strings.Contains(e.Text, "priority levels") {
			t.Errorf("%s says %q", e.Component, e.Text)
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
	if said != 2 {
		t.Errorf("the levels were seen in force %d times, want once after each start", said)
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
}
