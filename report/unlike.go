package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/storm-harness/storm/internal/rundir"
)

// mostUnlike is how many differences between two scenarios are told one by one.
const mostUnlike = 12

// unlike says in which fields the scenarios of two runs differ, beside the profiles'
// patches: the loads, the timeline and the tours, of which what is described must be
// the same but not every field is; the cluster, what storm measures by, and the gates.
func unlike(before, after *rundir.Dir) []string {
	old, err := fieldsOf(before)
	if err == nil {
		var now map[string]string
		if now, err = fieldsOf(after); err == nil {
			return unlikeFields(old, now)
		}
	}
	return []string{"whether the scenarios differ in their clusters, in fields of their loads or in what they measure by is not known: " + err.Error()}
}

func unlikeFields(old, now map[string]string) []string {
	var out []string
	all := maps.Clone(old)
	maps.Copy(all, now)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if a, b := old[path], now[path]; a != b {
			out = append(out, fmt.Sprintf("the scenario's %s: %s in the old run, %s in the new one", path, or(a, "not given"), or(b, "not given")))
		}
	}
	if more := len(out) - mostUnlike; more > 0 {
		out = append(out[:mostUnlike], fmt.Sprintf("%d more fields of the scenario differ: see scenario.yaml of both runs", more))
	}
	return out
}

// fieldsOf are the fields of a run's scenario that change what is measured, by
// path.
func fieldsOf(dir *rundir.Dir) (map[string]string, error) {
	text, err := dir.Scenario()
	if err != nil {
		return nil, err
	}
	if text == nil {
		return nil, fmt.Errorf("%s keeps no scenario", dir.Path())
	}
	var doc struct {
		Spec map[string]yaml.Node `yaml:"spec"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", rundir.ScenarioFile, err)
	}
	out := map[string]string{}
	for _, part := range []string{"workloads", "timeline", "tours", "cluster", "measure", "gates"} {
		if n, ok := doc.Spec[part]; ok {
			flatten(&n, part, out)
		}
	}
	return out, nil
}

// flatten writes every value of a YAML tree under its path.
func flatten(n *yaml.Node, path string, into map[string]string) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if name := n.Content[i].Value; name != "note" { // a word to the reader
				flatten(n.Content[i+1], path+"."+name, into)
			}
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			flatten(item, fmt.Sprintf("%s[%d]", path, i), into)
		}
	case yaml.AliasNode:
		flatten(n.Alias, path, into)
	default:
		into[path] = strings.TrimSpace(n.Value)
	}
}
