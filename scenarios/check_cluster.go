package scenarios

import "fmt"

// cluster checks the wanted cluster, by what every cluster is refused for and
// by what its provider says.
func (c *check) cluster() {
	spec := c.doc.Spec.Cluster.Defaulted()
	wrong := spec.Check()
	if len(wrong) == 0 && c.kinds.Cluster != nil {
		wrong = c.kinds.Cluster(spec)
	}
	c.own("spec.cluster", wrong)
	for i, sh := range spec.AllShards() {
		key := "spec.cluster.etcd"
		if i > 0 {
			key = fmt.Sprintf("%s.shards[%d]", key, i-1)
		}
		if sh.Members%2 == 0 {
			c.warn(key+".members", "%d members bear as many failures as %d members do, no more, and every write waits for one more of them", sh.Members, sh.Members-1)
		}
	}
}
