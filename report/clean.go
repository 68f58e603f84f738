package report

import (
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean replaces what could act on a terminal, or make a text read as another,
// in every string of the result: names and messages come from a cluster and
// from files, and are hostile until shown otherwise. Line breaks and tabs
// become spaces. Markup stays, since only a renderer knows its own.
func clean(r *Result) { cleanText(r) }

// cleanText does that to whatever v points to.
func cleanText[T any](v *T) { walk(reflect.ValueOf(v).Elem()) }

func walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walk(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				walk(f)
			}
		}
	case reflect.Slice:
		if plainElem(v.Type().Elem().Kind()) {
			return
		}
		for i := range v.Len() {
			walk(v.Index(i))
		}
	case reflect.Map:
		walkMap(v)
	case reflect.String:
		if s := v.String(); !harmless(s) {
			v.SetString(cleaned(s))
		}
	}
}

// walkMap rebuilds a map whose keys or values need it.
func walkMap(v reflect.Value) {
	if v.Type().Key().Kind() != reflect.String || v.Len() == 0 {
		return
	}
	for _, k := range v.MapKeys() {
		elem := reflect.New(v.Type().Elem()).Elem()
		elem.Set(v.MapIndex(k))
		walk(elem)
		key := reflect.New(k.Type()).Elem()
		key.Set(k)
		walk(key)
		if key.String() != k.String() {
			v.SetMapIndex(k, reflect.Value{})
		}
		v.SetMapIndex(key, elem)
	}
}

func plainElem(k reflect.Kind) bool {
	return k >= reflect.Bool && k <= reflect.Complex128
}

// harmless is the fast way through: printable ASCII.
func harmless(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}

func cleaned(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "�")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Bidi_Control, r), r == '\u200b' || r == '\ufeff':
			return '�'
		}
		return r
	}, s)
}
