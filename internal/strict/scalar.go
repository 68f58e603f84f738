package strict

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// wanted describes a type for a message.
func wanted(t reflect.Type) string {
	t = deref(t)
	switch {
	case reflect.PointerTo(t).Implements(quantityType):
		q, _ := reflect.New(t).Interface().(Quantity)
		return article(strings.ToLower(t.Name())) + " such as " + q.Example()
	case isText(t):
		return article(strings.ToLower(t.Name()))
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping"
	}
	return "a whole number"
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// scalarOf returns the kind of node that a type decodes from.
func scalarOf(t reflect.Type) Kind {
	t = deref(t)
	if isText(t) {
		return Text
	}
	switch t.Kind() {
	case reflect.String:
		return Text
	case reflect.Bool:
		return Bool
	case reflect.Float32, reflect.Float64:
		return Float
	}
	return Int
}

// text decodes a value that reads itself from a text.
func (r *reader) text(n *Node, v reflect.Value, f field, path string) {
	if !n.Scalar() {
		r.problem(n.Pos, path, "wanted %s, found %s", wanted(v.Type()), n.Found())
		return
	}
	u, _ := v.Addr().Interface().(encoding.TextUnmarshaler)
	if err := u.UnmarshalText([]byte(n.Text)); err != nil {
		r.problem(n.Pos, path, "%s", err)
		return
	}
	limit := func(text string) (float64, bool) {
		b := reflect.New(v.Type())
		u, _ := b.Interface().(encoding.TextUnmarshaler)
		if text == "" || u.UnmarshalText([]byte(text)) != nil {
			return 0, false
		}
		return number(b.Elem())
	}
	got, ok := number(v)
	if low, has := limit(f.min); ok && has && got < low {
		r.problem(n.Pos, path, "must be at least %s, found %s", f.min, n.Text)
	}
	if high, has := limit(f.max); ok && has && got > high {
		r.problem(n.Pos, path, "must be at most %s, found %s", f.max, n.Text)
	}
	r.enum(n, f, path)
}

// number returns a numeric value as a float.
func number(v reflect.Value) (float64, bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}

// scalar decodes a text, a number or a bool.
func (r *reader) scalar(n *Node, v reflect.Value, f field, path string) {
	mismatch := func() {
		hint := ""
		if v.Kind() == reflect.String && n.Scalar() {
			hint = fmt.Sprintf(": put it in quotes, %q", clip(n.Text))
		}
		r.problem(n.Pos, path, "wanted %s, found %s%s", wanted(v.Type()), n.Found(), hint)
	}
	switch {
	case v.Kind() == reflect.String:
		if n.Kind != Text && n.Kind != Int { // a whole number is kept as it was written
			mismatch()
			return
		}
		v.SetString(n.Text)
		r.enum(n, f, path)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(strings.ToLower(n.Text))
		if n.Kind != Bool || err != nil {
			mismatch()
			return
		}
		v.SetBool(b)
	case v.CanInt(), v.CanUint(), v.CanFloat():
		if !r.number(n, v) {
			mismatch()
			return
		}
		r.bounds(n, v, f, path)
	default:
		panic("strict: a field of type " + v.Type().String() + " cannot be decoded")
	}
}

// number sets v from a decimal number that fits it.
func (r *reader) number(n *Node, v reflect.Value) bool {
	if n.Kind != Int && (n.Kind != Float || !v.CanFloat()) {
		return false
	}
	switch {
	case v.CanInt():
		i, err := strconv.ParseInt(n.Text, 10, 64)
		if err != nil || v.OverflowInt(i) {
			return false
		}
		v.SetInt(i)
	case v.CanUint():
		u, err := strconv.ParseUint(n.Text, 10, 64)
		if err != nil || v.OverflowUint(u) {
			return false
		}
		v.SetUint(u)
	default:
		x, err := strconv.ParseFloat(n.Text, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || v.OverflowFloat(x) {
			return false
		}
		v.SetFloat(x)
	}
	return true
}

func (r *reader) bounds(n *Node, v reflect.Value, f field, path string) {
	got, _ := number(v)
	if low, err := strconv.ParseFloat(f.min, 64); err == nil && got < low {
		r.problem(n.Pos, path, "must be at least %s, found %s", f.min, n.Text)
	}
	if high, err := strconv.ParseFloat(f.max, 64); err == nil && got > high {
		r.problem(n.Pos, path, "must be at most %s, found %s", f.max, n.Text)
	}
}

func (r *reader) enum(n *Node, f field, path string) {
	if len(f.enum) > 0 && !slices.Contains(f.enum, n.Text) {
		r.problem(n.Pos, path, "%q is not known here: %s", clip(n.Text), Suggest(n.Text, "right words", f.enum))
	}
}
