package render

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html/template"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/report"
)

// evil is what a cluster could call itself: it closes what it can, runs what it
// can, steers a terminal, turns the direction of writing, breaks tables and
// calls for people.
const evil = "\"'>]]></title></style></svg></td><script>alert(1)</script><img src=x onerror=alert(1)>" +
	"\x1b[2J\x1b]0;owned\x07\x9b31m\u009b\u202e\x00\xff|`@team #7 [a](https://evil.example)\r\n## Pass {{.}} \u200b"

// poison puts evil into every text of the value, verdicts and states included.
func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(evil)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				poison(f)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i))
		}
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String || v.Len() == 0 {
			return
		}
		keys := v.MapKeys()
		e := reflect.New(v.Type().Elem()).Elem()
		e.Set(v.MapIndex(keys[0]))
		poison(e)
		v.SetMapIndex(reflect.ValueOf(evil).Convert(v.Type().Key()), e)
	}
}

// hostile is the quickstart with all of its texts poisoned but for the words
// that choose what is drawn.
func hostile(everything bool) *report.Result {
	r := quickstart()
	keep := quickstart()
	poison(reflect.ValueOf(r).Elem())
	if everything {
		return r
	}
	r.Verdict = keep.Verdict
	for i := range r.Trials {
		r.Trials[i].State = keep.Trials[i].State
		r.Trials[i].Tour = keep.Trials[i].Tour
		for k := range r.Trials[i].Acts {
			r.Trials[i].Acts[k].Sort, r.Trials[i].Acts[k].Kind = keep.Trials[i].Acts[k].Sort, keep.Trials[i].Acts[k].Kind
		}
		for k := range r.Trials[i].Events {
			r.Trials[i].Events[k].Kind = keep.Trials[i].Events[k].Kind
		}
	}
	for i := range r.Charts {
		r.Charts[i].Tour = keep.Charts[i].Tour
		for k := range r.Charts[i].Bands {
			r.Charts[i].Bands[k].Sort = keep.Charts[i].Bands[k].Sort
		}
		for k := range r.Charts[i].Marks {
			r.Charts[i].Marks[k].Kind = keep.Charts[i].Marks[k].Kind
		}
	}
	for i := range r.Recovery {
		r.Recovery[i].Tour, r.Recovery[i].Layer, r.Recovery[i].Act = keep.Recovery[i].Tour, keep.Recovery[i].Layer, keep.Recovery[i].Act
	}
	return r
}

func render(t *testing.T, f func(io.Writer, *report.Result) error, r *report.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// steering is what no output may hold: control characters and those that turn
// the direction of writing.
var steering = regexp.MustCompile("[\x00-\x09\x0b-\x1f\x7f\u0080-\u009f\u202a-\u202e\u2066-\u2069\ufeff]")

// fence is a block of code in Markdown.
var fence = regexp.MustCompile("(?s)\n```+sh\n[^\n]*\n```+\n")

func TestHostileTexts(t *testing.T) {
	t.Parallel()
	for name, everything := range map[string]bool{"words kept": false, "everything": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := hostile(everything)
			page := bare(t, render(t, HTML, r))
			screen := func(w io.Writer, r *report.Result) error { return Terminal(w, r, Screen{Width: 80, Report: evil}) }
			for kind, text := range map[string]string{
				"html": page, "markdown": render(t, Markdown, r), "junit": render(t, JUnit, r), "terminal": render(t, screen, r),
			} {
				if at := steering.FindString(text); at != "" {
					t.Errorf("%s holds %q", kind, at)
				}
				text = fence.ReplaceAllString(text, "") // in there a text is shown as it is
				if strings.Contains(text, "<script") && kind != "terminal" {
					t.Errorf("%s holds a script", kind)
				}
			}
			elements(t, page)
		})
	}
}

// bare is a page without its two scripts, which are storm's own: what is left is
// to be looked at for what the run put there.
func bare(t *testing.T, page string) string {
	t.Helper()
	own, err := inlined()
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []template.JS{own.UPlot, own.Own} {
		before, after, ok := strings.Cut(page, "<script>"+string(script)+"</script>\n")
		if !ok {
			t.Fatal("a script of the page is not as it was embedded")
		}
		page = before + after
	}
	const data = `<script type="application/json" id="charts">`
	before, after, ok := strings.Cut(page, data)
	inside, after, closed := strings.Cut(after, "</script>")
	if !ok || !closed || !json.Valid([]byte(inside)) || strings.ContainsAny(inside, "<>&") {
		t.Errorf("the data of the charts is not JSON without markup: %.200s", inside)
	}
	return before + after
}

// elements checks that the page holds only elements and attributes of ours.
func elements(t *testing.T, page string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	seen := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page cannot be parsed: %v", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		seen[start.Name.Local]++
		for _, a := range start.Attr {
			if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style" {
				t.Errorf("<%s> has the attribute %s", start.Name.Local, a.Name.Local)
			}
			if a.Name.Local == "src" || a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#") && a.Value != "data:," {
				t.Errorf("<%s> refers to %q", start.Name.Local, a.Value)
			}
			if start.Name.Local == "use" && a.Value != "#ratios" && !strings.HasPrefix(a.Value, "#backdrop-") {
				t.Errorf("<use> draws %q again, which is not storm's own", a.Value)
			}
		}
	}
	for _, name := range []string{"script", "img", "iframe", "object", "embed", "form", "base", "foreignObject", "image"} {
		if seen[name] > 0 {
			t.Errorf("the page has %d <%s>", seen[name], name)
		}
	}
	if seen["svg"] < 20 || seen["style"] != 1 {
		t.Errorf("the page has %d drawings and %d style sheets", seen["svg"], seen["style"])
	}
}

// TestHostileMarkdown: a table's row has as many borders as its head, and
// nothing becomes a link, a mention, a heading or HTML.
func TestHostileMarkdown(t *testing.T) {
	t.Parallel()
	text := render(t, Markdown, hostile(false))
	border := regexp.MustCompile(`(^|[^\\])\|`)
	wide := 0
	for line := range strings.Lines(text) {
		n := len(border.FindAllString(line, -1))
		switch {
		case !strings.HasPrefix(line, "| "):
			wide = 0
		case wide == 0:
			wide = n
		case n != wide:
			t.Errorf("a row of %d borders in a table of %d: %s", n, wide, line)
		}
		if strings.HasPrefix(line, "#") && strings.Contains(line, "Pass") && !strings.HasPrefix(line, "## ▲") {
			t.Errorf("a heading came from a text: %s", line)
		}
	}
	outside := fence.ReplaceAllString(text, "")
	for _, bad := range []string{"https://", "@team", "#7", "<img", "](", "`"} {
		if i := strings.Index(outside, bad); i >= 0 && (i == 0 || outside[i-1] != '\\') {
			t.Errorf("the Markdown holds %q: …%q", bad, outside[max(0, i-40):min(len(outside), i+40)])
		}
	}
}

func TestHostileJSONAndXML(t *testing.T) {
	t.Parallel()
	r := hostile(true)
	text := render(t, JSON, r)
	if !json.Valid([]byte(text)) || strings.ContainsAny(text, "<>\x1b\x00") {
		t.Error("report.json is not valid, or holds markup or controls")
	}
	var suites junitSuites
	if err := xml.Unmarshal([]byte(render(t, JUnit, r)), &suites); err != nil {
		t.Errorf("junit.xml cannot be read: %v", err)
	}
}

func FuzzEscapeMarkdown(f *testing.F) {
	f.Add(evil)
	f.Add("a|b\\|c``")
	f.Fuzz(func(t *testing.T, s string) {
		out := escapeMarkdown(s)
		if strings.ContainsAny(out, "\n\r<>") {
			t.Errorf("%q became %q", s, out)
		}
		for i := range len(out) {
			if out[i] == '|' || out[i] == '`' {
				slashes := 0
				for k := i - 1; k >= 0 && out[k] == '\\'; k-- {
					slashes++
				}
				if slashes%2 == 0 {
					t.Errorf("%q has a bare %c", out, out[i])
				}
			}
		}
	})
}
