package strict

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Section is the reference of one mapping's fields, for the documentation.
type Section struct {
	Path   string // where it stands: spec.workloads[]; of a kind "workload: nodes"
	Fields []FieldReference
}

// FieldReference is the reference of one field.
type FieldReference struct {
	Name     string
	Type     string // "duration such as 10s", "whole number, 1 to 9", "list of spec.gates[]"
	Required bool
	Default  string
	Doc      string
}

// Reference returns the reference of root's type and of every kind, each
// mapping once, in the order in which a reader meets them.
func (d Decoder) Reference(root any) []Section {
	r := &referrer{kinds: d.Kinds, at: map[reflect.Type]string{}}
	r.structure(reflect.TypeOf(root).Elem(), reflect.ValueOf(root).Elem(), "", "")
	return r.sections
}

type referrer struct {
	kinds    map[string]Table
	at       map[reflect.Type]string // where a struct is described
	sections []Section
	next     []func() // the sections of what the present struct holds
}

// structure adds the section of a struct, and then those of what it holds.
func (r *referrer) structure(t reflect.Type, given reflect.Value, path, title string) {
	r.at[t] = title
	section := Section{Path: title}
	before := r.next
	r.next = nil
	for _, f := range fields(t) {
		if f.kinds != "" {
			words := r.kinds[f.kinds].words()
			section.Fields = append(section.Fields, FieldReference{Name: strings.Join(words, " | "), Type: "mapping", Required: true, Doc: "one of these names the kind: see below"})
			r.union(f.kinds)
			continue
		}
		ref := FieldReference{Name: f.name, Type: r.typ(f, under(path, f.name)), Required: f.required || f.key, Default: f.def, Doc: f.doc}
		if f.def == "" && given.IsValid() {
			ref.Default = defaultText(given.FieldByIndex(f.index))
		}
		section.Fields = append(section.Fields, ref)
	}
	r.sections = append(r.sections, section)
	held := r.next
	r.next = before
	for _, do := range held {
		do()
	}
}

func (r *referrer) union(kind string) {
	for _, word := range r.kinds[kind].words() {
		v := reflect.Indirect(reflect.ValueOf(r.kinds[kind][word]()))
		if _, described := r.at[v.Type()]; !described {
			title := kind + ": " + word
			r.at[v.Type()] = title
			r.next = append(r.next, func() { r.structure(v.Type(), v, kind+"."+word, title) })
		}
	}
}

func (r *referrer) typ(f field, path string) string {
	t := deref(f.typ)
	switch {
	case len(f.enum) > 0:
		words := slices.Clone(f.enum)
		for i, w := range words {
			words[i] = orElse(w, `""`)
		}
		return strings.Join(words, " | ")
	case t == nodeType.Elem():
		return "anything"
	case reflect.PointerTo(t).Implements(patchType):
		return "mapping, in part: cluster, workloads"
	case isText(t):
		return strings.TrimPrefix(strings.TrimPrefix(wanted(t), "an "), "a ") + bounds(f)
	}
	switch t.Kind() {
	case reflect.Interface:
		return "anything"
	case reflect.Struct:
		if foreign(t) {
			return t.Name() + " of the Kubernetes API"
		}
		if _, described := r.at[t]; !described {
			r.at[t] = path
			r.next = append(r.next, func() { r.structure(t, reflect.Value{}, path, path) })
		}
		return "mapping: " + r.at[t]
	case reflect.Slice:
		f.typ = t.Elem()
		return "list of " + strings.TrimPrefix(r.typ(f, path+"[]"), "mapping: ")
	case reflect.Map:
		f.typ = t.Elem()
		return "mapping of " + r.typ(f, path)
	}
	return strings.TrimPrefix(wanted(t), "a ") + bounds(f)
}

func bounds(f field) string {
	switch {
	case f.min != "" && f.max != "":
		return fmt.Sprintf(", %s to %s", f.min, f.max)
	case f.min != "":
		return ", at least " + f.min
	case f.max != "":
		return ", at most " + f.max
	}
	return ""
}

// defaultText writes the value that a kind's constructor gave.
func defaultText(v reflect.Value) string {
	v = reflect.Indirect(v)
	if !v.IsValid() || v.IsZero() || v.Kind() == reflect.Struct || v.Kind() == reflect.Slice {
		return ""
	}
	return fmt.Sprint(v.Interface())
}

// Undocumented lists the exported fields, of root and of every kind, that have
// no yaml tag, which nobody could set, or no description.
func (d Decoder) Undocumented(root any) []string {
	u := &undocumented{kinds: d.Kinds, seen: map[reflect.Type]bool{}}
	u.walk(reflect.TypeOf(root))
	return u.found
}

type undocumented struct {
	kinds map[string]Table
	seen  map[reflect.Type]bool
	found []string
}

func (u *undocumented) walk(t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == nodeType.Elem() || u.seen[t] || isText(t) || foreign(t) || reflect.PointerTo(t).Implements(patchType) {
		return
	}
	u.seen[t] = true
	for i := range t.NumField() {
		sf := t.Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		table := u.kinds[sf.Tag.Get("kinds")]
		switch {
		case !sf.IsExported():
			continue
		case table != nil:
			for _, word := range table.words() {
				u.walk(reflect.TypeOf(table[word]()))
			}
			continue
		case sf.Anonymous:
		case name == "":
			u.found = append(u.found, fmt.Sprintf("%s.%s has no yaml tag", t, sf.Name))
		case sf.Tag.Get("doc") == "":
			u.found = append(u.found, fmt.Sprintf("%s.%s has no doc tag", t, sf.Name))
		}
		u.walk(sf.Type)
	}
}
