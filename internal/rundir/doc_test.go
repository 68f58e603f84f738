package rundir

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The sections of docs/run-directory.md, and the types that each describes.
var documented = map[string][]reflect.Type{
	"run.json": {
		reflect.TypeFor[Run](), reflect.TypeFor[Profile](), reflect.TypeFor[Planned](), reflect.TypeFor[Topology](),
		reflect.TypeFor[ShardSummary](), reflect.TypeFor[Described](), reflect.TypeFor[Host](), reflect.TypeFor[Gate](),
	},
	"components.json": {reflect.TypeFor[Provenance]()},
	"trial.json":      {reflect.TypeFor[Trial](), reflect.TypeFor[Planned](), reflect.TypeFor[Phase]()},
	"Acts":            {reflect.TypeFor[Act](), reflect.TypeFor[Recovery]()},
	"Accounts":        {reflect.TypeFor[Audit]()},
	"Generator":       {reflect.TypeFor[Generator]()},
	"Clock":           {reflect.TypeFor[Clock]()},
	"events.jsonl":    {reflect.TypeFor[Event]()},
	"windows.jsonl":   {reflect.TypeFor[Window](), reflect.TypeFor[Key]()},
	"probes.jsonl":    {reflect.TypeFor[Probe]()},
	"scrapes.jsonl":   {reflect.TypeFor[Scrape]()},
	"process.jsonl":   {reflect.TypeFor[Process]()},
	"journal.jsonl":   {reflect.TypeFor[Write]()},
}

var (
	heading = regexp.MustCompile(`(?m)^#{2,3} (.+)$`)
	quoted  = regexp.MustCompile("`([^`]+)`")
	// The first cell of a table's row names fields and nothing else.
	firstCell = regexp.MustCompile("(?m)^\\| (`[^|]*) \\|")
)

// TestEveryFieldIsDocumented keeps docs/run-directory.md in step with the
// types: each field is named in its section, and each name in the first
// column of a section's tables is a field.
func TestEveryFieldIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/run-directory.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	places := heading.FindAllSubmatchIndex(text, -1)
	for i, p := range places {
		end := len(text)
		if i+1 < len(places) {
			end = places[i+1][0]
		}
		sections[string(text[p[2]:p[3]])] = string(text[p[1]:end])
	}
	for name, types := range documented {
		body, ok := sections[name]
		if !ok {
			t.Errorf("no section %q", name)
			continue
		}
		var fields []string
		for _, typ := range types {
			fields = append(fields, tags(t, typ)...)
		}
		words := names(body)
		for _, f := range fields {
			if !slices.Contains(words, f) {
				t.Errorf("section %q does not name the field %q", name, f)
			}
		}
		for _, cell := range firstCell.FindAllStringSubmatch(body, -1) {
			for _, w := range names(cell[1]) {
				if !slices.Contains(fields, w) {
					t.Errorf("section %q names %q, which is no field", name, w)
				}
			}
		}
	}
}

func names(text string) []string {
	var out []string
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// tags lists the JSON names of a struct's own fields.
func tags(t *testing.T, typ reflect.Type) []string {
	t.Helper()
	var out []string
	for f := range typ.Fields() {
		if f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			t.Errorf("%s.%s has no JSON name", typ.Name(), f.Name)
			continue
		}
		out = append(out, name)
	}
	return out
}

// TestEveryKindOfEventIsDocumented reads the constants' source, since Go
// cannot list them.
func TestEveryKindOfEventIsDocumented(t *testing.T) {
	source, err := os.ReadFile("types.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/run-directory.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`(?m)^\tEvent[A-Z]\w* += "([^"]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(kinds) < 15 {
		t.Fatalf("only %d kinds of event were found in types.go", len(kinds))
	}
	for _, k := range kinds {
		if !strings.Contains(string(doc), "`"+k[1]+"`") {
			t.Errorf("the kind of event %q is not documented", k[1])
		}
	}
}
