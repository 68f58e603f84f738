package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/internal/strict"
)

// deleteKey marks a named element that a patch takes away.
const deleteKey = "$delete"

// merge returns base with the patch applied; neither is changed. Maps merge
// field by field, null takes a field away, lists whose elements all have names
// merge by name ($delete: true takes an element away, a new name is appended),
// and everything else is replaced. Nodes keep the place that they came from; path
// is for messages.
func merge(base, patch *strict.Node, path string) (*strict.Node, strict.Problems) {
	switch {
	case patch.Kind == strict.Map:
		return mergeMaps(base, patch, path)
	case patch.Kind == strict.List && base != nil && base.Kind == strict.List && named(base) && named(patch):
		return mergeNamed(base, patch, path)
	}
	return patch, nil
}

func mergeMaps(base, patch *strict.Node, path string) (*strict.Node, strict.Problems) {
	out := &strict.Node{Kind: strict.Map, Pos: patch.Pos}
	if base != nil && base.Kind == strict.Map {
		out.Pos = base.Pos
		out.Fields = slices.Clone(base.Fields)
	}
	var problems strict.Problems
	for _, f := range patch.Fields {
		i := slices.IndexFunc(out.Fields, func(b strict.Field) bool { return b.Name == f.Name })
		switch {
		case f.Value.Kind == strict.Null && i >= 0:
			out.Fields = slices.Delete(out.Fields, i, i+1)
		case f.Value.Kind == strict.Null:
		case i >= 0:
			v, p := merge(out.Fields[i].Value, f.Value, path+"."+f.Name)
			out.Fields[i] = strict.Field{Name: f.Name, Pos: f.Pos, Value: v}
			problems = append(problems, p...)
		default:
			v, p := merge(nil, f.Value, path+"."+f.Name)
			out.Fields = append(out.Fields, strict.Field{Name: f.Name, Pos: f.Pos, Value: v})
			problems = append(problems, p...)
		}
	}
	return out, problems
}

func mergeNamed(base, patch *strict.Node, path string) (*strict.Node, strict.Problems) {
	out := &strict.Node{Kind: strict.List, Pos: base.Pos, Items: slices.Clone(base.Items)}
	var problems strict.Problems
	for _, item := range patch.Items {
		name := item.Get("name").Text
		i := slices.IndexFunc(out.Items, func(b *strict.Node) bool { return b.Get("name").Text == name })
		gone, at := item.Get(deleteKey), path+"["+name+"]"
		switch {
		case gone != nil && (gone.Kind != strict.Bool || !strings.EqualFold(gone.Text, "true")):
			problems = append(problems, strict.Problem{Pos: gone.Pos, Path: at + "." + deleteKey, Message: "wanted true, found " + gone.Found()})
		case gone != nil && i < 0:
			problems = append(problems, strict.Problem{Pos: item.Pos, Path: at,
				Message: fmt.Sprintf("there is no %q to take away: %s", name, strict.Suggest(name, "names", names(out)))})
		case gone != nil:
			out.Items = slices.Delete(out.Items, i, i+1)
		case i >= 0:
			v, p := merge(out.Items[i], item, at)
			out.Items[i] = v
			problems = append(problems, p...)
		default:
			out.Items = append(out.Items, item)
		}
	}
	return out, problems
}

// named says whether a list's elements all have names.
func named(list *strict.Node) bool {
	return !slices.ContainsFunc(list.Items, func(item *strict.Node) bool {
		n := item.Get("name")
		return item.Kind != strict.Map || n == nil || !n.Scalar()
	})
}

func names(list *strict.Node) []string {
	out := make([]string, len(list.Items))
	for i, item := range list.Items {
		out[i] = item.Get("name").Text
	}
	return out
}

// set returns the spec with one --set path=value applied. The path is relative
// to the spec; its segments are fields, or names or numbers of list elements.
func set(spec *strict.Node, arg string) (*strict.Node, strict.Problems) {
	origin := "--set " + arg
	path, text, ok := strings.Cut(arg, "=")
	if !ok || path == "" {
		return spec, strict.Problems{{Pos: strict.Pos{File: origin}, Message: "wanted path=value, such as cluster.etcd.members=5"}}
	}
	if short, rooted := strings.CutPrefix(path, "spec."); rooted {
		return spec, strict.Problems{{Pos: strict.Pos{File: origin}, Message: "paths are relative to the spec: write " + short + "=" + text}}
	}
	value, problems := strict.ParseValue(origin, text)
	if len(problems) > 0 {
		return spec, problems
	}
	out, err := setAt(spec, segments(path), value)
	if err != nil {
		return spec, strict.Problems{{Pos: strict.Pos{File: origin}, Message: err.Error()}}
	}
	return out, nil
}

// segments splits a path at its dots; a backslash keeps the next one.
func segments(path string) []string {
	var out []string
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		switch {
		case path[i] == '\\' && i+1 < len(path):
			i++
			b.WriteByte(path[i])
		case path[i] == '.':
			out = append(out, b.String())
			b.Reset()
		default:
			b.WriteByte(path[i])
		}
	}
	return append(out, b.String())
}

// setAt returns n with the value merged in at the path; null takes away what
// is there.
func setAt(n *strict.Node, path []string, value *strict.Node) (*strict.Node, error) {
	if len(path) == 0 {
		out, problems := merge(n, value, "")
		return out, problems.Err()
	}
	here := path[0]
	switch {
	case n == nil || n.Kind == strict.Null:
		n = &strict.Node{Kind: strict.Map, Pos: value.Pos}
	case n.Kind == strict.List:
		return setInList(n, path, value)
	case n.Kind != strict.Map:
		return nil, fmt.Errorf("%s: there is no such field in %s", here, n.Found())
	}
	out := &strict.Node{Kind: strict.Map, Pos: n.Pos, Fields: slices.Clone(n.Fields)}
	i := slices.IndexFunc(n.Fields, func(f strict.Field) bool { return f.Name == here })
	if len(path) == 1 && value.Kind == strict.Null {
		if i >= 0 {
			out.Fields = slices.Delete(out.Fields, i, i+1)
		}
		return out, nil
	}
	var before *strict.Node
	if i >= 0 {
		before = n.Fields[i].Value
	}
	after, err := setAt(before, path[1:], value)
	if err != nil {
		return nil, err
	}
	if f := (strict.Field{Name: here, Pos: value.Pos, Value: after}); i >= 0 {
		out.Fields[i] = f
	} else {
		out.Fields = append(out.Fields, f)
	}
	return out, nil
}

// setInList sets within the element of that name, or of that number from 0.
func setInList(n *strict.Node, path []string, value *strict.Node) (*strict.Node, error) {
	i := -1
	if named(n) {
		i = slices.Index(names(n), path[0])
	}
	if k, err := strconv.Atoi(path[0]); i < 0 && err == nil && k >= 0 && k < len(n.Items) {
		i = k
	}
	if i < 0 {
		if named(n) && len(n.Items) > 0 {
			return nil, fmt.Errorf("%s: there is no element of that name: %s", path[0], strict.Suggest(path[0], "names", names(n)))
		}
		return nil, fmt.Errorf("%s: there is no such element: the list has %d, numbered from 0", path[0], len(n.Items))
	}
	out := &strict.Node{Kind: strict.List, Pos: n.Pos, Items: slices.Clone(n.Items)}
	if len(path) == 1 && value.Kind == strict.Null {
		out.Items = slices.Delete(out.Items, i, i+1)
		return out, nil
	}
	item, err := setAt(n.Items[i], path[1:], value)
	if err != nil {
		return nil, err
	}
	out.Items[i] = item
	return out, nil
}

// changesOf lists what a patch sets: cluster.etcd.heartbeatInterval=50ms.
func changesOf(patch *strict.Node) []string {
	if patch == nil {
		return []string{}
	}
	return flatten([]string{}, patch, "", false)
}

func flatten(out []string, n *strict.Node, path string, element bool) []string {
	switch {
	case n.Kind == strict.Map && len(n.Fields) > 0:
		for _, f := range n.Fields {
			if element && f.Name == "name" {
				continue // it is in the path
			}
			out = flatten(out, f.Value, strings.TrimPrefix(path+"."+f.Name, "."), false)
		}
		return out
	case n.Kind == strict.List && len(n.Items) > 0 && named(n):
		for _, item := range n.Items {
			name := path + "." + item.Get("name").Text
			if item.Get(deleteKey) != nil {
				out = append(out, name+" taken away")
				continue
			}
			out = flatten(out, item, name, true)
		}
		return out
	}
	return append(out, path+"="+brief(n))
}

// brief writes a value on one line.
func brief(n *strict.Node) string {
	var parts []string
	switch n.Kind {
	case strict.Null:
		return "default"
	case strict.Map:
		for _, f := range n.Fields {
			parts = append(parts, f.Name+": "+brief(f.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case strict.List:
		for _, item := range n.Items {
			parts = append(parts, brief(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return n.Text
}
