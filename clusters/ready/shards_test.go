package ready

import (
	"strings"
	"testing"

	"github.com/storm-harness/storm/clusters"
)

func TestUnserved(t *testing.T) {
	served := map[string]bool{"/events": true, "coordination.k8s.io/leases": true}
	of := func(resources ...string) []clusters.Shard {
		return []clusters.Shard{{Name: "a", Resources: []string{"/events"}}, {Name: "b", Resources: resources}}
	}
	if err := unserved(of("coordination.k8s.io/leases"), served); err != nil {
		t.Error(err)
	}
	for resource, want := range map[string]string{
		"/leases":              "etcd.shards[1].resources[0]: the API server keeps no built-in resource /leases by its overrides, so that the shard b would stay empty of it: did you mean coordination.k8s.io/leases?",
		"events.k8s.io/events": "did you mean /events?",
		"/podz":                "see `kubectl api-resources`",
		"x/event":              "see `kubectl api-resources`",
	} {
		if err := unserved(of(resource), served); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", resource, err, want)
		}
	}
}
