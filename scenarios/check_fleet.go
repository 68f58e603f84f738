package scenarios

import (
	"slices"
	"strings"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/internal/strict"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads"
)

// fleet checks the fleet that an act is to reach: a load of simulated nodes of
// this scenario, which may go unnamed where it is the only one, and is to be as
// large as the act needs.
func (c *check) fleet(a placedAct) {
	value, has := strict.Lookup(a.act, "fleet")
	name, ok := value.(string)
	if !has || !ok {
		return
	}
	fleets := map[string]acts.Fleet{}
	var names, others []string
	for _, w := range c.doc.Spec.Workloads {
		if f, ok := w.Load.Value.(acts.Fleet); ok {
			fleets[string(w.Name)] = f
			names = append(names, string(w.Name))
		} else {
			others = append(others, string(w.Name))
		}
	}
	switch {
	case len(names) == 0:
		c.add(a.key, "needs simulated nodes, and this scenario has none: add a workload such as {name: fleet, nodes: {count: 100}}")
		return
	case name == "" && len(names) > 1:
		c.add(a.key+".fleet", "is missing, and this scenario has several: one of %s", strings.Join(names, ", "))
		return
	case name == "":
		name = names[0]
	case slices.Contains(others, name):
		c.add(a.key+".fleet", "the workload %s has no nodes: %s", name, strict.Suggest(name, "fleets", names))
		return
	case !c.known(a.key+".fleet", name, "fleet", names):
		return
	}
	c.fleetSize(a, name, fleets[name])
}

// longestHeartbeat leaves room for a heartbeat and a quarter, over which a rack
// must be silent, within the time that a proof is waited for.
const longestHeartbeat = 20 * time.Second

// fleetSize checks that the nodes can do what the act needs of them.
func (c *check) fleetSize(a placedAct, name string, f acts.Fleet) {
	n, ok := f.(*workloads.Nodes)
	if !ok {
		return
	}
	switch a.kind {
	case kindRestartKubelets:
		if len(n.Watches) == 0 {
			c.add(a.key, "drops watches and begins them anew, but the nodes of %s watch nothing", name)
		}
	case kindSilence:
		value, _ := strict.Lookup(a.act, "rack")
		if rack, ok := value.(int); ok && n.Count > 0 && rack > n.Count {
			c.add(a.key+".rack", "is a rack of %d nodes, but %s has %d", rack, name, n.Count)
		}
		if n.Heartbeat.D() > longestHeartbeat {
			c.add(a.key, "shows in the leases after a heartbeat and a quarter, and the nodes of %s have one of %s: take %s at most", name, n.Heartbeat, unit.Duration(longestHeartbeat))
		}
	case kindDrain:
		if n.Pods.Off || !slices.Contains(n.Watches, "pods") {
			c.add(a.key, "waits until pods are gone, but nobody takes care of the pods on the nodes of %s", name)
		}
	}
}
