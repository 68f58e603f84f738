package report

import (
	"fmt"
	"maps"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
)

// unseen is a component that should have told of what a gate looks at, beside those
// that did (true) and those that were heard of and told nothing in the gate's phases
// (false): a sum, or a peak, over the others would be too small, and a bound on it
// kept for that reason. Of each kind that told anything there are as many as the
// cluster was to have. A component that an act took down, or that ended meanwhile,
// has nothing to tell. Empty where there is none.
func (t *trial) unseen(g rundir.Gate, looked map[string]bool) string {
	kinds, all := map[string]bool{}, map[string]bool{}
	for component := range looked {
		kinds[kindOf(component)], all[component] = true, true
	}
	for _, component := range t.planned {
		if kinds[kindOf(component)] && ofComponent(g, component) {
			all[component] = true
		}
	}
	for _, component := range slices.Sorted(maps.Keys(all)) {
		if !looked[component] && !t.down(component) {
			return component
		}
	}
	return ""
}

// down says whether a component was out of service in the trial, for a time at
// least, by what was done to it.
func (t *trial) down(component string) bool {
	for _, a := range t.done.Acts {
		if a.Target == component || slices.Contains(a.Down, component) {
			return true
		}
	}
	return slices.ContainsFunc(t.events, func(e rundir.Event) bool { return e.Kind == rundir.EventExit && e.Subject == component })
}

// componentsOf are the names of the components that a profile's trials were to have.
func componentsOf(run rundir.Run, profile string) []string {
	i := slices.IndexFunc(run.Topology, func(t rundir.Topology) bool { return t.Profile == profile })
	if i < 0 {
		return nil
	}
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(run.Topology[i].Parts)) {
		for n := range run.Topology[i].Parts[kind] {
			out = append(out, fmt.Sprintf("%s-%d", kind, n))
		}
	}
	for _, s := range run.Topology[i].Shards {
		for n := range s.Members {
			out = append(out, fmt.Sprintf("etcd-%s-%d", s.Name, n))
		}
	}
	return out
}
