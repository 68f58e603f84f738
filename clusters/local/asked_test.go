package local

import (
	"testing"

	"github.com/storm-harness/storm/clusters"
)

// Only what the spec has something to ask about is asked, and got for that.
func TestAskedAreThoseWithFlagsOrGates(t *testing.T) {
	var spec clusters.Spec
	if got := Asked(spec); len(got) != 0 {
		t.Errorf("nothing is to be asked, and %v are", got)
	}
	spec.Kubernetes.Version = "v1.35"
	spec.Kubernetes.APIServer.FeatureGates = map[string]bool{"WatchList": true}
	spec.Kubernetes.Scheduler.Version = "v1.34"
	spec.Kubernetes.Scheduler.Flags = map[string]string{"v": "4"}
	spec.Kubernetes.ControllerManager.Flags = map[string]string{"v": "4"}
	none := 0
	spec.Kubernetes.ControllerManager.Replicas = &none
	got := Asked(spec)
	if len(got) != 2 || got[0].Name != "kube-apiserver" || got[0].Version != "v1.35" || got[1].Name != "kube-scheduler" || got[1].Version != "v1.34" {
		t.Errorf("asked are %v", got)
	}
}
