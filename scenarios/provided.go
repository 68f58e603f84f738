package scenarios

import (
	"fmt"
	"strings"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/strict"
	"github.com/storm-harness/storm/workloads"
)

// applyProvider returns the document with the command line's provider, and what
// surprises in that. A cluster that is taken as it is takes the place of the one
// that the scenario wants; what its profiles and tours change in it stays, and
// is refused where it is checked: they would not be what they are called.
func applyProvider(root *strict.Node, provider string) (*strict.Node, strict.Problems) {
	spec := root.Get("spec")
	if provider == "" || spec == nil || spec.Kind != strict.Map {
		return root, nil
	}
	pos := strict.Pos{File: "--provider " + provider}
	wanted := &strict.Node{Kind: strict.Map, Pos: pos, Fields: []strict.Field{
		{Name: "provider", Pos: pos, Value: &strict.Node{Kind: strict.Text, Text: provider, Pos: pos}},
	}}
	cluster := spec.Get("cluster")
	switch {
	case cluster == nil:
		spec = &strict.Node{Kind: strict.Map, Pos: spec.Pos, Fields: append(spec.Fields[:len(spec.Fields):len(spec.Fields)],
			strict.Field{Name: "cluster", Pos: pos, Value: wanted})}
		return replace(root, "spec", spec), nil
	case provider != clusters.Existing:
		out, problems := mergeMaps(cluster, wanted, "spec.cluster")
		return replace(root, "spec", replace(spec, "cluster", out)), problems
	}
	var dropped []string
	for _, text := range flatten(nil, cluster, "cluster", false) {
		if !strings.HasPrefix(text, "cluster.provider=") && text != "cluster={}" {
			dropped = append(dropped, text)
		}
	}
	root = replace(root, "spec", replace(spec, "cluster", wanted))
	if len(dropped) == 0 {
		return root, nil
	}
	return root, strict.Problems{{Pos: cluster.Pos, Path: "spec.cluster", Message: fmt.Sprintf(
		"the cluster is taken as it is, and what the scenario wants of one is not applied: %s", strings.Join(dropped, ", "))}}
}

// missingLoads adds the loads that need what the cluster lacks.
func (s *Scenario) missingLoads(absent map[clusters.Capability]string) strict.Problems {
	var problems strict.Problems
	for _, v := range s.variants() {
		root, merged := s.patched(v.profile, v.tour)
		c := newCheck(s.kinds, root, merged)
		for i, w := range c.doc.Spec.Workloads {
			needy, needs := w.Load.Value.(workloads.Needy)
			if !needs {
				continue
			}
			for _, need := range needy.Needs() {
				if reason, lacks := absent[need]; lacks {
					c.add(fmt.Sprintf("spec.workloads[%d].%s", i, w.Load.Kind), "cannot be put on this cluster, which lacks the capability %q: %s", need, reason)
				}
			}
		}
		problems = addNew(problems, c.problems, v.suffix())
	}
	return problems
}

// Unmeasured returns, as an error with the places, the gates that the cluster
// leaves undecided: a run that can only end as invalid is not begun. why says it
// of one gate, and is empty where it can be measured.
func (s *Scenario) Unmeasured(why func(rundir.Gate) string) error {
	c := newCheck(s.kinds, s.source, nil)
	var keys []string // in the order in which the gates were resolved
	for i := range c.doc.Spec.Gates {
		keys = append(keys, fmt.Sprintf("spec.gates[%d]", i))
	}
	for i, t := range c.doc.Spec.Tours {
		for j := range t.Gates {
			keys = append(keys, fmt.Sprintf("spec.tours[%d].gates[%d]", i, j))
		}
	}
	for i, g := range s.Gates {
		if reason := why(g); reason != "" && i < len(keys) {
			c.add(keys[i]+".metric", "%s cannot be measured on this cluster, so the gate would decide nothing: %s: leave it out", g.Metric, reason)
		}
	}
	return c.problems.Err()
}
