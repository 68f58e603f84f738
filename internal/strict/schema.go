package strict

import (
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"strconv"
)

// Patch is a part of a T: any of its fields at any depth, none required, with
// null to take a field away. It stays a node until it is merged.
type Patch[T any] struct{ *Node }

func (p *Patch[T]) patch(n *Node)       { p.Node = n }
func (*Patch[T]) patched() reflect.Type { return reflect.TypeFor[T]() }

type patch interface {
	patch(n *Node)
	patched() reflect.Type
}

var patchType = reflect.TypeFor[patch]()

// Schema returns the JSON Schema (draft-07) of the documents that Decode
// accepts into a value of root's type. What only a check on the whole document
// can tell, such as two elements of one name, is not in it.
func (d Decoder) Schema(root any, id, title string) ([]byte, error) {
	s := schemer{kinds: d.Kinds, definitions: map[string]any{}}
	top := s.structure(reflect.TypeOf(root).Elem(), reflect.ValueOf(root).Elem(), false)
	top["$schema"] = "http://json-schema.org/draft-07/schema#"
	top["$id"] = id
	top["title"] = title
	top["definitions"] = s.definitions
	out, err := json.MarshalIndent(top, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write JSON Schema: %w", err)
	}
	return append(out, '\n'), nil
}

type schemer struct {
	kinds       map[string]Table
	definitions map[string]any
}

type object = map[string]any

// typ returns the schema of a type. Within a patch nothing is required and
// everything but a key may be null.
func (s schemer) typ(t reflect.Type, f field, partial bool) object {
	t = deref(t)
	switch {
	case reflect.PointerTo(t) == nodeType:
		return object{}
	case reflect.PointerTo(t).Implements(patchType):
		p, _ := reflect.New(t).Interface().(patch)
		return s.reference(p.patched(), true)
	case isText(t):
		return s.text(t, f)
	}
	switch t.Kind() {
	case reflect.String:
		return withEnum(object{"type": []string{"string", "integer"}}, f)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return withBounds(object{"type": "number"}, f)
	case reflect.Slice:
		return object{"type": "array", "items": s.typ(t.Elem(), f, partial)}
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return object{"type": "object"}
		}
		values := s.typ(t.Elem(), field{}, partial)
		if t.Elem().Kind() == reflect.String {
			values = object{"type": []string{"string", "number", "boolean"}}
		}
		if partial {
			values = orNull(values)
		}
		return object{"type": "object", "additionalProperties": values}
	case reflect.Struct:
		return s.reference(t, partial)
	}
	return withBounds(object{"type": "integer"}, f)
}

func (s schemer) text(t reflect.Type, f field) object {
	schema := object{"type": "string"}
	if q, ok := reflect.New(t).Interface().(Quantity); ok {
		schema["pattern"] = q.Pattern()
		schema["examples"] = []string{q.Example()}
	}
	if l, ok := reflect.New(t).Interface().(interface{ Loose() bool }); ok && l.Loose() {
		schema["type"] = []string{"string", "number"}
	}
	return withEnum(schema, f)
}

func withEnum(schema object, f field) object {
	if len(f.enum) == 0 {
		return schema
	}
	words := make([]any, 0, len(f.enum))
	for _, w := range f.enum {
		words = append(words, w)
		if n, err := strconv.Atoi(w); err == nil {
			words = append(words, n) // a whole number may be written without quotes
		}
	}
	schema["enum"] = words
	return schema
}

func withBounds(schema object, f field) object {
	if low, err := strconv.ParseFloat(f.min, 64); err == nil {
		schema["minimum"] = low
	}
	if high, err := strconv.ParseFloat(f.max, 64); err == nil {
		schema["maximum"] = high
	}
	return schema
}

func orNull(schema object) object {
	return object{"anyOf": []object{schema, {"type": "null"}}}
}

// reference makes a definition of a struct once, and returns a reference to it.
func (s schemer) reference(t reflect.Type, partial bool) object {
	name := path.Base(t.PkgPath()) + "." + t.Name()
	if partial {
		name += ".patch"
	}
	if _, made := s.definitions[name]; !made {
		s.definitions[name] = nil // so that a type that holds itself comes to an end
		s.definitions[name] = s.structure(t, reflect.Value{}, partial)
	}
	return object{"$ref": "#/definitions/" + name}
}

// structure returns the schema of a struct. given, where valid, holds the
// values that absent fields keep.
func (s schemer) structure(t reflect.Type, given reflect.Value, partial bool) object {
	properties, required := object{}, []string{}
	var all []object
	groups := map[string][]object{}
	var order []string
	for _, f := range fields(t) {
		if f.kinds != "" {
			all = append(all, s.union(properties, s.kinds[f.kinds], partial)...)
			continue
		}
		property := s.typ(f.typ, f, partial)
		if partial && !f.key {
			property = orNull(property)
		}
		if len(property) == 1 && property["$ref"] != nil {
			property = object{"allOf": []object{property}} // draft-07 ignores what stands beside a $ref
		}
		property["description"] = f.doc
		if f.def != "" {
			property["default"] = f.def
		} else if given.IsValid() {
			withDefault(property, given.FieldByIndex(f.index))
		}
		properties[f.name] = property
		if partial && f.key {
			properties["$delete"] = object{"const": true, "description": "takes the element of this name away"}
		}
		if f.key || f.required && !partial {
			required = append(required, f.name)
		}
		if f.oneof != "" {
			if groups[f.oneof] == nil {
				order = append(order, f.oneof)
			}
			groups[f.oneof] = append(groups[f.oneof], object{"required": []string{f.name}})
		}
	}
	for _, g := range order {
		all = append(all, object{"oneOf": groups[g]})
	}
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	if len(all) > 0 && !partial {
		schema["allOf"] = all
	}
	return schema
}

// union adds a property for each kind, and returns the rule that exactly one
// of them must be there.
func (s schemer) union(properties object, table Table, partial bool) []object {
	var one []object
	for _, word := range table.words() {
		v := reflect.ValueOf(table[word]())
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		property := s.structure(v.Type(), v, partial)
		if d, ok := v.Interface().(interface{ Doc() string }); ok {
			property["description"] = d.Doc()
		}
		if partial {
			property = orNull(property)
		}
		properties[word] = property
		one = append(one, object{"required": []string{word}})
	}
	return []object{{"oneOf": one}}
}

// withDefault adds the value that a kind's constructor gave, if any.
func withDefault(property object, v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if !v.IsValid() || v.IsZero() || v.Kind() == reflect.Struct {
		return
	}
	property["default"] = v.Interface()
}
