package fairness

import (
	"maps"
	"testing"

	flowcontrol "k8s.io/api/flowcontrol/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/clusters"
)

func level(name string, shares int32) flowcontrol.PriorityLevelConfiguration {
	return flowcontrol.PriorityLevelConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: flowcontrol.PriorityLevelConfigurationSpec{
		Type:    flowcontrol.PriorityLevelEnablementLimited,
		Limited: &flowcontrol.LimitedPriorityLevelConfiguration{NominalConcurrencyShares: &shares},
	}}
}

// TestSeatsOf: 600 seats over the shares of the levels of a server that has
// just started, which its metrics show as 13, 49, 74, 25, 98, 245 and 98.
func TestSeatsOf(t *testing.T) {
	levels := []flowcontrol.PriorityLevelConfiguration{
		level("catch-all", 5), level("global-default", 20), level("system", 30), level("leader-election", 10),
		level("node-high", 40), level("workload-high", 40), level("workload-low", 100),
		{ObjectMeta: metav1.ObjectMeta{Name: "exempt"}, Spec: flowcontrol.PriorityLevelConfigurationSpec{Type: flowcontrol.PriorityLevelEnablementExempt}},
	}
	want := map[string]int{
		"catch-all": 13, "global-default": 49, "system": 74, "leader-election": 25,
		"node-high": 98, "workload-high": 98, "workload-low": 245, "exempt": 0,
	}
	if got := seatsOf(levels, 600); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := seatsOf(nil, 600); len(got) != 0 {
		t.Errorf("got %v of nothing", got)
	}
	if got := seatsInAll(clusters.Deployment{Flags: map[string]string{"max-requests-inflight": "40"}}); got != 240 {
		t.Errorf("%d seats in all, want 240", got)
	}
}
