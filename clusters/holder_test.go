package clusters

import "testing"

func TestHolder(t *testing.T) {
	s := Spec{Etcd: Etcd{Shards: []Shard{{Name: "busy", Resources: []string{"/events", "coordination.k8s.io/leases"}}}}}
	for resource, want := range map[string]string{"/events": "busy", "coordination.k8s.io/leases": "busy", "/pods": MainShard, "/leases": MainShard} {
		if got := s.Holder(resource); got != want {
			t.Errorf("%s is in %s, want %s", resource, got, want)
		}
	}
}
