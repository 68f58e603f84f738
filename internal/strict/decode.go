package strict

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Decoder decodes nodes into structs by their tags. The zero Decoder knows no
// kinds.
type Decoder struct {
	Kinds map[string]Table // by the word of the kinds tag
}

// Decode fills the struct that into points to, and returns everything that is
// wrong with the document. Fields that are absent keep their value, except
// where a default tag gives one.
func (d Decoder) Decode(n *Node, into any) Problems {
	r := &reader{kinds: d.Kinds}
	r.value(n, reflect.ValueOf(into).Elem(), field{}, "")
	return r.problems
}

type reader struct {
	kinds    map[string]Table
	problems Problems
}

func (r *reader) problem(pos Pos, path, format string, args ...any) {
	r.problems = append(r.problems, Problem{Pos: pos, Path: path, Message: fmt.Sprintf(format, args...)})
}

// value decodes n into v; f is the field's tags.
func (r *reader) value(n *Node, v reflect.Value, f field, path string) {
	t := v.Type()
	switch {
	case n.Kind == Refused:
	case t == nodeType:
		v.Set(reflect.ValueOf(n))
	case reflect.PointerTo(t).Implements(patchType):
		r.patch(n, v, path)
	case n.Kind == Null:
		r.problem(n.Pos, path, "is empty: wanted %s; leave the field out for its default", wanted(t))
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		r.value(n, v.Elem(), f, path)
	case isText(t):
		r.text(n, v, f, path)
	case t.Kind() == reflect.Struct:
		r.structure(n, v, path)
	case t.Kind() == reflect.Slice:
		r.list(n, v, f, path)
	case t.Kind() == reflect.Map:
		r.entries(n, v, path)
	default:
		r.scalar(n, v, f, path)
	}
}

// patch keeps a patch as the node it is; what it holds is decoded when it has
// been merged. Only the names of its outermost fields are looked at here.
func (r *reader) patch(n *Node, v reflect.Value, path string) {
	p, _ := v.Addr().Interface().(patch)
	if n.Kind != Map {
		r.problem(n.Pos, path, "wanted a mapping, found %s", n.Found())
		return
	}
	names, _, _ := r.names(fields(p.patched()))
	for _, given := range n.Fields {
		if !slices.Contains(names, given.Name) {
			r.problem(given.Pos, under(path, given.Name), "cannot be patched here: %s", Suggest(given.Name, "patchable parts", names))
		}
	}
	p.patch(n)
}

// structure decodes a mapping into a struct.
func (r *reader) structure(n *Node, v reflect.Value, path string) {
	if n.Kind != Map {
		r.problem(n.Pos, path, "wanted %s, found %s", wanted(v.Type()), n.Found())
		return
	}
	known := fields(v.Type())
	names, table, unionField := r.names(known)
	var kinds []Field
	meant := map[string]bool{} // the right names of what was misspelt
	for _, given := range n.Fields {
		if make := table[given.Name]; make != nil {
			kinds = append(kinds, given)
			continue
		}
		f := find(known, given.Name)
		if f == nil {
			r.problem(given.Pos, under(path, given.Name), "unknown field: %s", Suggest(given.Name, "fields here", names))
			if near, ok := Nearest(given.Name, names); ok {
				meant[near] = true
				r.problems[len(r.problems)-1].meant = under(path, near)
			}
			continue
		}
		r.value(given.Value, v.FieldByIndex(f.index), *f, under(path, f.name))
	}
	explained := len(meant) > 0 || n.partial // what is missing was reported already
	if unionField != nil {
		r.union(n, kinds, v.FieldByIndex(unionField.index), table, path, explained)
	}
	r.oneof(n, known, path, explained)
	for _, f := range known {
		if f.name == "" || n.Get(f.name) != nil || meant[f.name] || f.required && n.partial {
			continue
		}
		if f.required {
			r.problem(n.Pos, under(path, f.name), "is missing: %s", orElse(f.doc, "it must be given"))
		} else if f.def != "" {
			r.value(&Node{Kind: scalarOf(f.typ), Text: f.def, Pos: n.Pos}, v.FieldByIndex(f.index), f, under(path, f.name))
		}
	}
}

// names lists every right key of a struct, and its union if it has one.
func (r *reader) names(known []field) (names []string, table Table, unionField *field) {
	for i, f := range known {
		if f.kinds != "" {
			unionField, table = &known[i], r.kinds[f.kinds]
			names = append(names, table.words()...)
			continue
		}
		names = append(names, f.name)
	}
	return names, table, unionField
}

func find(known []field, name string) *field {
	for i := range known {
		if known[i].name == name && known[i].kinds == "" {
			return &known[i]
		}
	}
	return nil
}

// union decodes the one kind that a struct must have.
func (r *reader) union(n *Node, given []Field, v reflect.Value, table Table, path string, explained bool) {
	switch {
	case len(given) == 0 && explained:
		return
	case len(given) == 0:
		r.problem(n.Pos, path, "names no kind: wanted one of %s", strings.Join(table.words(), ", "))
		return
	case len(given) > 1:
		r.problem(given[1].Pos, path, "names two kinds, %s and %s: wanted one", given[0].Name, given[1].Name)
	}
	word, value := given[0].Name, given[0].Value
	made := reflect.ValueOf(table[word]())
	target := made
	if made.Kind() != reflect.Pointer {
		target = reflect.New(made.Type())
		target.Elem().Set(made)
	}
	r.value(value, target.Elem(), field{}, under(path, word))
	if made.Kind() != reflect.Pointer {
		target = target.Elem()
	}
	if u, ok := v.Addr().Interface().(union); ok {
		u.take(word, target.Interface())
	}
}

// oneof checks the groups of fields of which exactly one must be there.
func (r *reader) oneof(n *Node, known []field, path string, explained bool) {
	groups, given := map[string][]string{}, map[string][]string{}
	var order []string
	for _, f := range known {
		if f.oneof == "" {
			continue
		}
		if groups[f.oneof] == nil {
			order = append(order, f.oneof)
		}
		groups[f.oneof] = append(groups[f.oneof], f.name)
		if n.Get(f.name) != nil {
			given[f.oneof] = append(given[f.oneof], f.name)
		}
	}
	for _, g := range order {
		switch got := given[g]; {
		case len(got) == 0 && !explained:
			r.problem(n.Pos, path, "wanted one of %s", strings.Join(groups[g], ", "))
		case len(got) > 1:
			r.problem(n.Pos, path, "has %s: wanted only one of them here", strings.Join(got, " and "))
		}
	}
}

// list decodes a list, and checks that its elements' keys differ.
func (r *reader) list(n *Node, v reflect.Value, f field, path string) {
	if n.Kind != List {
		r.problem(n.Pos, path, "wanted %s, found %s", wanted(v.Type()), n.Found())
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items)))
	key := ""
	if t := deref(v.Type().Elem()); t.Kind() == reflect.Struct {
		for _, f := range fields(t) {
			if f.key {
				key = f.name
			}
		}
	}
	first := map[string]Pos{}
	for i, item := range n.Items {
		r.value(item, v.Index(i), f, at(path, i, item.name()))
		k := item.Get(key)
		if key == "" || k == nil || !k.Scalar() {
			continue
		}
		if before, twice := first[k.Text]; twice {
			r.problem(k.Pos, under(at(path, i, k.Text), key), "%q is taken: the first of that %s is at %s", clip(k.Text), key, before)
			continue
		}
		first[k.Text] = k.Pos
	}
}

// entries decodes a mapping into a map. Its texts may be written without
// quotes whatever they look like, since a flag's value is often a number.
func (r *reader) entries(n *Node, v reflect.Value, path string) {
	if n.Kind != Map {
		r.problem(n.Pos, path, "wanted %s, found %s", wanted(v.Type()), n.Found())
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.Fields))
	for _, given := range n.Fields {
		e := reflect.New(v.Type().Elem()).Elem()
		switch {
		case e.Kind() == reflect.String && given.Value.Scalar():
			e.SetString(given.Value.Text)
		case e.Kind() == reflect.Interface: // free form: another program's own
			if v := given.Value.Value(); v != nil {
				e.Set(reflect.ValueOf(v))
			}
		default:
			r.value(given.Value, e, field{}, under(path, given.Name))
		}
		m.SetMapIndex(reflect.ValueOf(given.Name).Convert(v.Type().Key()), e)
	}
	v.Set(m)
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
