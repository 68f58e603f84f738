package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/internal/strict"
)

// ProfileValue is one --profile NAME=PATH:VALUE: a single value of a profile,
// which is made where there is none of the name.
type ProfileValue struct {
	Profile string
	Path    string // relative to the spec, within cluster or workloads
	Value   string
	Origin  string // as the user wrote it, for messages
}

// applyValues returns the document with the command line's profile values, and
// what surprises in that. Two new profiles or more are a comparison of their
// own: then those that the command line names are the scenario's profiles, and
// what compares, compares with the first of them.
func applyValues(root *strict.Node, values []ProfileValue) (out *strict.Node, problems, warnings strict.Problems) {
	spec := root.Get("spec")
	if len(values) == 0 || spec == nil || spec.Kind != strict.Map {
		return root, nil, nil
	}
	var known, asked, fresh []string
	if list := spec.Get("profiles"); list != nil && list.Kind == strict.List && named(list) {
		known = names(list)
	}
	for _, v := range values {
		if slices.Contains(asked, v.Profile) {
			continue
		}
		asked = append(asked, v.Profile)
		if !slices.Contains(known, v.Profile) {
			fresh = append(fresh, v.Profile)
		}
	}
	if len(fresh) > 1 && len(known) > 0 {
		root = instead(root, asked)
		if gone := without(known, asked); len(gone) > 0 {
			warnings = append(warnings, strict.Problem{Pos: strict.Pos{File: "--profile"}, Message: fmt.Sprintf(
				"%s take the place of the scenario's own %s: comparisons are with %s", strings.Join(asked, ", "), strings.Join(gone, ", "), asked[0])})
		}
	}
	for _, v := range values {
		root, problems = applyValue(root, v, problems)
	}
	return root, problems, warnings
}

func applyValue(root *strict.Node, v ProfileValue, problems strict.Problems) (*strict.Node, strict.Problems) {
	pos := strict.Pos{File: v.Origin}
	bad := func(format string, args ...any) (*strict.Node, strict.Problems) {
		return root, append(problems, strict.Problem{Pos: pos, Message: fmt.Sprintf(format, args...)})
	}
	path := segments(v.Path)
	parts := []string{"cluster", "workloads"}
	switch {
	case !slices.Contains(parts, path[0]):
		return bad("%s is not what a profile may change: %s", v.Path, strict.Suggest(path[0], "parts that it may", parts))
	case len(path) < 2:
		return bad("%s: name a field of it too", v.Path)
	}
	if v.Value == "" {
		return bad("wanted a value after %s:", v.Path)
	}
	value, found := strict.ParseValue(v.Origin, v.Value)
	if len(found) > 0 {
		return root, append(problems, found...)
	}
	patch, err := patchAt(root.Get("spec"), path, value)
	if err != nil {
		return bad("%s", err)
	}
	text := func(s string) *strict.Node { return &strict.Node{Kind: strict.Text, Text: s, Pos: pos} }
	profile := &strict.Node{Kind: strict.Map, Pos: pos, Fields: []strict.Field{
		{Name: "name", Pos: pos, Value: text(v.Profile)}, {Name: "patch", Pos: pos, Value: patch},
	}}
	list := &strict.Node{Kind: strict.List, Pos: pos, Items: []*strict.Node{profile}}
	out, found := mergeMaps(root, wrap("spec", wrap("profiles", list)), "")
	return out, append(problems, found...)
}

// patchAt is the patch that sets a value at a path of base: elements of lists
// are called by their names in it.
func patchAt(base *strict.Node, path []string, value *strict.Node) (*strict.Node, error) {
	if len(path) == 0 {
		return value, nil
	}
	if base == nil || base.Kind != strict.List {
		inner, err := patchAt(base.Get(path[0]), path[1:], value)
		if err != nil {
			return nil, err
		}
		return &strict.Node{Kind: strict.Map, Pos: value.Pos, Fields: []strict.Field{{Name: path[0], Pos: value.Pos, Value: inner}}}, nil
	}
	if !named(base) || len(base.Items) == 0 {
		return nil, fmt.Errorf("%s: its list has no names, so a profile gives it whole", path[0])
	}
	i := slices.Index(names(base), path[0])
	if k, err := strconv.Atoi(path[0]); i < 0 && err == nil && k >= 0 && k < len(base.Items) {
		i = k
	}
	if i < 0 {
		return nil, fmt.Errorf("%s: there is no element of that name: %s", path[0], strict.Suggest(path[0], "names", names(base)))
	}
	inner, err := patchAt(base.Items[i], path[1:], value)
	if err != nil {
		return nil, err
	}
	if inner.Kind != strict.Map {
		return nil, fmt.Errorf("%s: name a field of it too", path[0])
	}
	item := &strict.Node{Kind: strict.Map, Pos: value.Pos, Fields: []strict.Field{{Name: "name", Pos: value.Pos, Value: base.Items[i].Get("name")}}}
	item.Fields = append(item.Fields, inner.Fields...)
	return &strict.Node{Kind: strict.List, Pos: value.Pos, Items: []*strict.Node{item}}, nil
}

// instead returns the document with no other profiles than those named, in that
// order; what speaks of another one speaks of the first, or goes.
func instead(root *strict.Node, profiles []string) *strict.Node {
	spec := root.Get("spec")
	text := func(s string, pos strict.Pos) *strict.Node {
		return &strict.Node{Kind: strict.Text, Text: s, Pos: pos}
	}
	other := func(n *strict.Node) bool { return n != nil && n.Scalar() && !slices.Contains(profiles, n.Text) }
	kept := &strict.Node{Kind: strict.List, Pos: spec.Get("profiles").Pos}
	for _, name := range profiles {
		pos := strict.Pos{File: "--profile"}
		item := &strict.Node{Kind: strict.Map, Pos: pos, Fields: []strict.Field{{Name: "name", Pos: pos, Value: text(name, pos)}}}
		if i := slices.Index(names(spec.Get("profiles")), name); i >= 0 {
			item = spec.Get("profiles").Items[i]
		}
		kept.Items = append(kept.Items, item)
	}
	spec = replace(spec, "profiles", kept)
	if gates := spec.Get("gates"); gates != nil && gates.Kind == strict.List {
		list := &strict.Node{Kind: strict.List, Pos: gates.Pos}
		for _, g := range gates.Items {
			if other(g.Get("profile")) {
				continue // it holds a profile that is not run
			}
			if base := g.Get("compare"); other(base) {
				g = replace(g, "compare", text(profiles[0], base.Pos))
			}
			list.Items = append(list.Items, g)
		}
		spec = replace(spec, "gates", list)
	}
	if tours := spec.Get("tours"); tours != nil && tours.Kind == strict.List {
		list := &strict.Node{Kind: strict.List, Pos: tours.Pos}
		for _, t := range tours.Items {
			if p := t.Get("profile"); other(p) {
				t = replace(t, "profile", text(profiles[0], p.Pos))
			}
			list.Items = append(list.Items, t)
		}
		spec = replace(spec, "tours", list)
	}
	return replace(root, "spec", spec)
}

// without returns the words of a that b has not.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
