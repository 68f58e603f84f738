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
// the two.
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
			f.Value = betweenTwins(f.Value)
		}
		out.Fields = append(out.Fields, f)
	}
	out.Fields = append(out.Fields,
		strict.Field{Name: "profiles", Pos: spec.Pos, Value: twins},
		strict.Field{Name: "blocks", Pos: spec.Pos, Value: &strict.Node{Kind: strict.Int, Text: strconv.Itoa(blocks), Pos: spec.Pos}})
	if out.Get("warmupBlock") == nil {
		out.Fields = append(out.Fields, strict.Field{Name: "warmupBlock", Pos: spec.Pos, Value: &strict.Node{Kind: strict.Bool, Text: "true", Pos: spec.Pos}})
	}
	return fromNode(replace(s.source, "spec", out), s.kinds, nil)
}

// betweenTwins returns the gates, those that compare doing so with the first
// twin.
func betweenTwins(gates *strict.Node) *strict.Node {
	out := &strict.Node{Kind: gates.Kind, Pos: gates.Pos}
	for _, g := range gates.Items {
		if compare := g.Get("compare"); compare != nil {
			g = replace(g, "compare", &strict.Node{Kind: strict.Text, Text: FirstTwin, Pos: compare.Pos})
		}
		out.Items = append(out.Items, g)
	}
	return out
}
