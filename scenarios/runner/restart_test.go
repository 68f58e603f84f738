package runner

import (
	"testing"

	"github.com/storm-harness/storm/clusters"
)

// A component that lost its lease ends with status 1; whatever else ends one is no
// consequence of a fault at etcd.
func TestEndedItself(t *testing.T) {
	for how, want := range map[string]bool{
		"exit status 1": true, "exit status 1: leaderelection lost": true,
		"exit status 2": false, "exit status 2: panic: runtime error": false, "exit status 137": false, "signal: killed": false, "signal: segmentation fault": false, "": false,
	} {
		for _, kind := range []clusters.Kind{clusters.KindControllerManager, clusters.KindScheduler, clusters.KindAPIServer, clusters.KindEtcd} {
			elected := kind == clusters.KindControllerManager || kind == clusters.KindScheduler
			if got := endedItself(clusters.ID{Kind: kind}, how); got != (want && elected) {
				t.Errorf("%s, %q: %v", kind, how, got)
			}
		}
	}
}
