package strict

import (
	"encoding"
	"reflect"
	"slices"
	"strings"
)

// The struct tags that this package reads:
//
//	yaml:"name"       the field's name; without it a field is none of the YAML's
//	yaml:",inline"    the fields of an embedded struct are fields of this one
//	doc:"…"           what it means, for the schema and the documentation
//	required:"true"   must be there
//	default:"50ms"    what an absent field is decoded from
//	enum:"a,b"        the only right texts
//	min:"1" max:"9"   bounds of a number or a quantity, inclusive
//	key:"true"        the name of a list's element: no two may be equal
//	oneof:"step"      exactly one of the fields with this word must be there
//	kinds:"fault"     on an OneOf: the Table to take its kinds from
//
// Types of the Kubernetes API have json tags, which are read in the place of a
// yaml tag that is not there.

// field is one field of a struct as its tags describe it.
type field struct {
	name     string
	index    []int
	typ      reflect.Type
	doc      string
	def      string
	enum     []string
	min, max string
	required bool
	key      bool
	oneof    string
	kinds    string
}

// fields lists the YAML fields of a struct type.
func fields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, tagged := sf.Tag.Lookup("yaml")
		if !tagged {
			tag, tagged = sf.Tag.Lookup("json")
		}
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case sf.Anonymous && (!tagged || options == "inline") && deref(sf.Type).Kind() == reflect.Struct:
			for _, f := range fields(deref(sf.Type)) {
				f.index = append([]int{i}, f.index...)
				out = append(out, f)
			}
			continue
		case !sf.IsExported() || name == "-":
			continue
		case name == "" && sf.Tag.Get("kinds") == "":
			continue
		}
		f := field{
			name: name, index: []int{i}, typ: sf.Type,
			doc: sf.Tag.Get("doc"), def: sf.Tag.Get("default"), min: sf.Tag.Get("min"), max: sf.Tag.Get("max"),
			required: sf.Tag.Get("required") == "true", key: sf.Tag.Get("key") == "true",
			oneof: sf.Tag.Get("oneof"), kinds: sf.Tag.Get("kinds"),
		}
		if e := sf.Tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, ",")
		} else if w, ok := reflect.New(deref(sf.Type)).Interface().(Words); ok {
			f.enum = w.Words()
		}
		out = append(out, f)
	}
	return out
}

// Words is a text type that knows its right values; an enum tag without the tag.
type Words interface{ Words() []string }

// Quantity is a text with a form of its own, such as a duration.
type Quantity interface {
	encoding.TextUnmarshaler
	Pattern() string // the regular expression of its text
	Example() string
}

// Table holds the kinds of a union: the word in the YAML and what makes a new
// value with that kind's defaults.
type Table map[string]func() any

// TableOf turns a table of kinds of one interface into a Table.
func TableOf[T any](kinds map[string]func() T) Table {
	t := make(Table, len(kinds))
	for word, make := range kinds {
		t[word] = func() any { return make() }
	}
	return t
}

// words returns the table's words in order.
func (t Table) words() []string {
	words := make([]string, 0, len(t))
	for w := range t {
		words = append(words, w)
	}
	slices.Sort(words)
	return words
}

// OneOf is a value whose kind is named by a key of the struct around it:
// {name: churn, eventChurn: {rate: 200/s}}.
type OneOf[T any] struct {
	Kind  string
	Value T
}

// take sets the decoded kind.
func (o *OneOf[T]) take(kind string, value any) {
	o.Kind = kind
	o.Value, _ = value.(T)
}

type union interface{ take(kind string, value any) }

var (
	nodeType     = reflect.TypeFor[*Node]()
	textType     = reflect.TypeFor[encoding.TextUnmarshaler]()
	quantityType = reflect.TypeFor[Quantity]()
)

func deref(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// foreign says whether a type is of the Kubernetes API, whose documentation has
// its fields.
func foreign(t reflect.Type) bool { return strings.HasPrefix(t.PkgPath(), "k8s.io/") }

// isText says whether values of the type decode themselves from a text.
func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

// Lookup returns the value of the field that has this name in the YAML of a
// struct, or of a pointer to one; a nil pointer is no value.
func Lookup(value any, name string) (any, bool) {
	v := reflect.Indirect(reflect.ValueOf(value))
	if v.Kind() != reflect.Struct {
		return nil, false
	}
	f := find(fields(v.Type()), name)
	if f == nil {
		return nil, false
	}
	got := v.FieldByIndex(f.index)
	if got.Kind() == reflect.Pointer {
		if got.IsNil() {
			return nil, false
		}
		got = got.Elem()
	}
	return got.Interface(), true
}
