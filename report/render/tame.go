package render

import (
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/storm-harness/storm/report"
)

// maxText is the longest text that a renderer prints, in bytes: an error that
// carries half a log must not become the report. report.json has it whole.
const maxText = 1500

// tame returns a copy of the Result in which every text is one plain line of
// at most n bytes. The analysis does the like; a renderer does not rely on it,
// because a Result may also come from a file. Lists of numbers are shared.
func tame(r *report.Result, n int) *report.Result {
	out := *r
	tamer(n).walk(reflect.ValueOf(&out).Elem())
	return &out
}

// tamer is the longest text that it leaves, in bytes.
type tamer int

// walk tames the settable value v and gives it its own copies of what it
// refers to.
func (n tamer) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(plain(clip(v.String(), int(n))))
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				n.walk(f)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			own := reflect.New(v.Type().Elem())
			own.Elem().Set(v.Elem())
			n.walk(own.Elem())
			v.Set(own)
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); v.IsNil() || k >= reflect.Bool && k <= reflect.Float64 {
			return
		}
		own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(own, v)
		for i := range own.Len() {
			n.walk(own.Index(i))
		}
		v.Set(own)
	case reflect.Map:
		n.walkMap(v)
	}
}

func (n tamer) walkMap(v reflect.Value) {
	if v.IsNil() {
		return
	}
	own := reflect.MakeMapWithSize(v.Type(), v.Len())
	for key, value := range v.Seq2() {
		k, e := reflect.New(key.Type()).Elem(), reflect.New(value.Type()).Elem()
		k.Set(key)
		e.Set(value)
		n.walk(k)
		n.walk(e)
		own.SetMapIndex(k, e)
	}
	v.Set(own)
}

// plain replaces what could steer a terminal or disguise a text: control
// characters, and those that turn the direction of writing or are not seen.
// Line breaks and tabs become spaces.
func plain(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "�")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u200b', r == '\ufeff':
			return '�'
		}
		return r
	}, s)
}

// clip cuts a text after at most n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
