package scenarios

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/storm-harness/storm/internal/strict"
)

// The names of a profile and itself, where it is compared with itself.
const (
	FirstTwin  = "a"
	SecondTwin = "b"
)

// Twice returns the scenario of an A/A run: one profile under two names, in so
// many blocks, without tours, so that every difference that is found is noise.
// The profile is the first unless it is named. Gates that compare do so between
// the two; those on what another profile alone has are left out.
func (s *Scenario) Twice(profile string, blocks int) (*Scenario, error) {
	var names []string
	for _, p := range s.Profiles {
		names = append(names, p.Name)
	}
	if profile == "" {
		profile = names[0]
	}
	if !slices.Contains(names, profile) {
		return nil, fmt.Errorf("there is no profile %q: %s", profile, strict.Suggest(profile, "profiles", names))
	}
	trial, err := s.Trial(profile, "")
	if err != nil {
		return nil, err
	}
	var shards []string
	for _, sh := range trial.Cluster.AllShards() {
		shards = append(shards, sh.Name)
	}
	spec := s.source.Get("spec")
	twins := &strict.Node{Kind: strict.List, Pos: spec.Pos}
	for _, name := range []string{FirstTwin, SecondTwin} {
		twin := wrap("name", &strict.Node{Kind: strict.Text, Text: name, Pos: spec.Pos})
		if patch := s.patches[profile]; patch != nil {
			twin.Fields = append(twin.Fields, strict.Field{Name: "patch", Pos: patch.Pos, Value: patch})
		}
		twins.Items = append(twins.Items, twin)
	}
	out := &strict.Node{Kind: strict.Map, Pos: spec.Pos}
	for _, f := range spec.Fields {
		switch f.Name {
		case "tours", "profiles", "blocks":
			continue
		case "gates":
			f.Value = betweenTwins(f.Value, profile, shards)
		}
		out.Fields = append(out.Fields, f)
	}
	out.Fields = append(out.Fields,
		strict.Field{Name: "profiles", Pos: spec.Pos, Value: twins},
		strict.Field{Name: "blocks", Pos: spec.Pos, Value: &strict.Node{Kind: strict.Int, Text: strconv.Itoa(blocks), Pos: spec.Pos}})
	if out.Get("warmupBlock") == nil {
		out.Fields = append(out.Fields, strict.Field{Name: "warmupBlock", Pos: spec.Pos, Value: &strict.Node{Kind: strict.Bool, Text: "true", Pos: spec.Pos}})
	}
	twice, err := fromNode(replace(s.source, "spec", out), s.kinds, nil)
	if err != nil {
		return nil, err
	}
	twice.comparisons, twice.breaks = s.Comparisons(), s.breaks
	return twice, nil
}

// betweenTwins returns the gates that mean something for a profile and its twin,
// each once: comparisons are with the first of them, and a bound that holds for the
// profile holds for both.
func betweenTwins(gates *strict.Node, profile string, shards []string) *strict.Node {
	out := &strict.Node{Kind: gates.Kind, Pos: gates.Pos}
	seen := map[string]bool{}
	for _, g := range gates.Items {
		of, compare, shard := g.Get("profile"), g.Get("compare"), g.Get("shard")
		switch {
		case compare == nil && of != nil && of.Text != profile, shard != nil && !slices.Contains(shards, shard.Text):
			continue
		case compare != nil:
			g = replace(g, "compare", &strict.Node{Kind: strict.Text, Text: FirstTwin, Pos: compare.Pos})
		}
		g = stripped(g, "profile")
		text, err := stripped(stripped(g, "margin"), "note").YAML()
		if err == nil && seen[string(text)] {
			continue // of the comparisons with several profiles
		}
		seen[string(text)] = true
		out.Items = append(out.Items, g)
	}
	return out
}

// stripped returns a copy of a map without one of its fields.
func stripped(n *strict.Node, name string) *strict.Node {
	out := &strict.Node{Kind: n.Kind, Pos: n.Pos}
	for _, f := range n.Fields {
		if f.Name != name {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}
