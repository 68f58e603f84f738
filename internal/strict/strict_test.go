package strict

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/storm-harness/storm/internal/golden"

	"github.com/storm-harness/storm/internal/unit"
)

// A small format with everything that the tags can say.
type garden struct {
	Name  string            `yaml:"name" required:"true" doc:"what it is called"`
	Size  int               `yaml:"size" min:"1" max:"9" doc:"how large"`
	Share *float64          `yaml:"share" max:"1" doc:"of the whole"`
	Open  *bool             `yaml:"open"`
	Water unit.Rate         `yaml:"water" default:"2/m" min:"1/m" max:"5/s"`
	Soil  string            `yaml:"soil" enum:"clay,loam"`
	Flags map[string]string `yaml:"flags"`
	Gates map[string]bool   `yaml:"gates"`
	Beds  []bed             `yaml:"beds"`
	Grow  Patch[bed]        `yaml:"grow"`
	Raw   *Node             `yaml:"raw"`
	Local int
	note
}

type note struct {
	Note uint8 `yaml:"note"`
}

type bed struct {
	Name  string       `yaml:"name" key:"true" required:"true"`
	Plant OneOf[plant] `kinds:"plant"`
	Dug   *int         `yaml:"dug" oneof:"way"`
	Sown  *int         `yaml:"sown" oneof:"way"`
}

type plant interface{ Blooms() string }

type rose struct {
	Thorns int `yaml:"thorns" min:"0"`
}

func (r *rose) Blooms() string { return "in June" }

type moss struct{}

func (moss) Blooms() string { return "never" }

func decoder() Decoder {
	return Decoder{Kinds: map[string]Table{"plant": TableOf(map[string]func() plant{
		"rose": func() plant { return &rose{Thorns: 3} },
		"moss": func() plant { return moss{} },
	})}}
}

func TestDecode(t *testing.T) {
	n, problems := Parse("g.yaml", []byte(`
name: "7"
size: 9
share: 1
open: false
soil: loam
flags: {port: 2379, on: true, path: /x, ratio: 1.50}
gates: {A: true}
note: 255
beds:
- {name: front, rose: {}, dug: 1}
- {name: back, moss: {}, sown: 2}
grow: {rose: {thorns: 5}}
raw: [1, {a: b}]
`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var g garden
	if problems := decoder().Decode(n, &g); len(problems) > 0 {
		t.Fatal(problems)
	}
	if g.Name != "7" || g.Size != 9 || *g.Share != 1 || *g.Open || g.Soil != "loam" || g.Note != 255 || g.Water.String() != "2/m" {
		t.Errorf("scalars: %+v", g)
	}
	if diff := cmp.Diff(map[string]string{"port": "2379", "on": "true", "path": "/x", "ratio": "1.50"}, g.Flags); diff != "" || !g.Gates["A"] {
		t.Errorf("maps: %s", diff)
	}
	front, back := g.Beds[0], g.Beds[1]
	if r, ok := front.Plant.Value.(*rose); !ok || r.Thorns != 3 || front.Plant.Kind != "rose" || *front.Dug != 1 {
		t.Errorf("front: %+v", front)
	}
	if _, ok := back.Plant.Value.(moss); !ok || back.Plant.Kind != "moss" {
		t.Errorf("back: %+v", back)
	}
	if g.Grow.Get("rose").Get("thorns").Text != "5" || len(g.Raw.Items) != 2 {
		t.Errorf("nodes: %+v %+v", g.Grow, g.Raw)
	}
}

// invalid are documents with what is wrong with them. Those that begin with a
// dash cannot be told from right ones by a JSON Schema.
var invalid = []struct{ name, text, want string }{
	{"missing", `{}`, "g.yaml:1:1: name: is missing: what it is called"},
	{"unknown", `{name: a, saze: 3}`, "g.yaml:1:11: saze: unknown field: did you mean size?"},
	{"unknown and far", `{name: a, wallpaper: 3}`, "g.yaml:1:11: wallpaper: unknown field: the fields here are name, size, share, open, water, soil, flags, gates, beds, grow, raw, note"},
	{"meant the required one", `{naem: a}`, "g.yaml:1:2: naem: unknown field: did you mean name?"},
	{"untagged field", `{name: a, local: 3}`, "g.yaml:1:11: local: unknown field: the fields here are name, size, share, open, water, soil, flags, gates, beds, grow, raw, note"},
	{"int of text", `{name: a, size: x}`, `g.yaml:1:17: size: wanted a whole number, found the text "x"`},
	{"int of bool", `{name: a, size: true}`, "g.yaml:1:17: size: wanted a whole number, found true"},
	{"int of fraction", `{name: a, size: 1.5}`, "g.yaml:1:17: size: wanted a whole number, found the number 1.5"},
	{"-hexadecimal", `{name: a, size: 0x3}`, "g.yaml:1:17: size: wanted a whole number, found the number 0x3"},
	{"int of list", `{name: a, size: [1]}`, "g.yaml:1:17: size: wanted a whole number, found a list"},
	{"-overflow", `{name: a, note: 256}`, "g.yaml:1:17: note: wanted a whole number, found the number 256"},
	{"-below zero", `{name: a, note: -1}`, "g.yaml:1:17: note: wanted a whole number, found the number -1"},
	{"too small", `{name: a, size: 0}`, "g.yaml:1:17: size: must be at least 1, found 0"},
	{"too large", `{name: a, share: 1.5}`, "g.yaml:1:18: share: must be at most 1, found 1.5"},
	{"-not a number", `{name: a, share: .nan}`, "g.yaml:1:18: share: wanted a number, found the number .nan"},
	{"bool of text", `{name: a, open: "true"}`, `g.yaml:1:17: open: wanted true or false, found the text "true"`},
	{"text of fraction", `{name: 1.30}`, `g.yaml:1:8: name: wanted a text, found the number 1.30: put it in quotes, "1.30"`},
	{"text of bool", `{name: true}`, `g.yaml:1:8: name: wanted a text, found true: put it in quotes, "true"`},
	{"text of mapping", `{name: {}}`, "g.yaml:1:8: name: wanted a text, found a mapping"},
	{"empty", `{name: }`, "g.yaml:1:8: name: is empty: wanted a text; leave the field out for its default"},
	{"empty list", `{name: a, beds: }`, "g.yaml:1:17: beds: is empty: wanted a list; leave the field out for its default"},
	{"enum", `{name: a, soil: clya}`, `g.yaml:1:17: soil: "clya" is not known here: did you mean clay?`},
	{"enum, far", `{name: a, soil: sand}`, `g.yaml:1:17: soil: "sand" is not known here: the right words are clay, loam`},
	{"unit missing", `{name: a, water: 3}`, `g.yaml:1:18: water: "3" is not a rate: write one such as 200/s or 30/m`},
	{"unit of list", `{name: a, water: [3/s]}`, "g.yaml:1:18: water: wanted a rate such as 200/s, found a list"},
	{"-unit too small", `{name: a, water: 1/h}`, "g.yaml:1:18: water: must be at least 1/m, found 1/h"},
	{"-unit too large", `{name: a, water: 6/s}`, "g.yaml:1:18: water: must be at most 5/s, found 6/s"},
	{"map of texts", `{name: a, flags: {x: []}}`, "g.yaml:1:22: flags.x: wanted a text, found a list"},
	{"map of bools", `{name: a, gates: {X: on-off}}`, `g.yaml:1:22: gates.X: wanted true or false, found the text "on-off"`},
	{"no map", `{name: a, flags: [x]}`, "g.yaml:1:18: flags: wanted a mapping, found a list"},
	{"no list", `{name: a, beds: {}}`, "g.yaml:1:17: beds: wanted a list, found a mapping"},
	{"no struct", `[]`, "g.yaml:1:1: wanted a mapping, found a list"},
	{"no kind", `{name: a, beds: [{name: b, dug: 1}]}`, "g.yaml:1:18: beds[b]: names no kind: wanted one of moss, rose"},
	{"unknown kind", `{name: a, beds: [{name: b, rsoe: {}, dug: 1}]}`, "g.yaml:1:28: beds[b].rsoe: unknown field: did you mean rose?"},
	{"two kinds", `{name: a, beds: [{name: b, rose: {}, moss: {}, dug: 1}]}`, "g.yaml:1:38: beds[b]: names two kinds, rose and moss: wanted one"},
	{"within a kind", `{name: a, beds: [{name: b, rose: {thorns: -1}, dug: 1}]}`, "g.yaml:1:43: beds[b].rose.thorns: must be at least 0, found -1"},
	{"unknown within a kind", `{name: a, beds: [{name: b, rose: {thrones: 1}, dug: 1}]}`, "g.yaml:1:35: beds[b].rose.thrones: unknown field: did you mean thorns?"},
	{"empty kind", `{name: a, beds: [{name: b, moss: , dug: 1}]}`, "g.yaml:1:34: beds[b].moss: is empty: wanted a mapping; leave the field out for its default"},
	{"neither way", `{name: a, beds: [{name: b, moss: {}}]}`, "g.yaml:1:18: beds[b]: wanted one of dug, sown"},
	{"both ways", `{name: a, beds: [{name: b, moss: {}, dug: 1, sown: 2}]}`, "g.yaml:1:18: beds[b]: has dug and sown: wanted only one of them here"},
	{"-same name", `{name: a, beds: [{name: b, moss: {}, dug: 1}, {name: b, moss: {}, dug: 1}]}`, `g.yaml:1:54: beds[b].name: "b" is taken: the first of that name is at g.yaml:1:25`},
	{"patch of a list", `{name: a, grow: []}`, "g.yaml:1:17: grow: wanted a mapping, found a list"},
	{"patch of something else", `{name: a, grow: {naem: x}}`, "g.yaml:1:18: grow.naem: cannot be patched here: did you mean name?"},
	{"two at once", `{name: [], size: x}`, "g.yaml:1:8: name: wanted a text, found a list\ng.yaml:1:18: size: wanted a whole number, found the text \"x\""},
}

func TestInvalid(t *testing.T) {
	for _, c := range invalid {
		t.Run(c.name, func(t *testing.T) {
			n, problems := Parse("g.yaml", []byte(c.text))
			problems = append(problems, decoder().Decode(n, &garden{})...)
			if got := problems.Sorted().Error(); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestSchemaAgreesWithDecode(t *testing.T) {
	schema := compile(t, decoder(), &garden{})
	for _, c := range invalid {
		n, _ := Parse("g.yaml", []byte(c.text))
		err := schema.Validate(plain(t, n))
		if known := !strings.HasPrefix(c.name, "-"); known != (err != nil) {
			t.Errorf("%s: the schema says %v", c.name, err)
		}
	}
	for _, text := range []string{
		`{name: a}`, `{name: 7, size: 9, share: 1, open: true, water: 3/s, soil: clay, flags: {a: 1, b: c}, gates: {a: true}, note: 3}`,
		`{name: a, beds: [{name: b, rose: {thorns: 0}, dug: 1}, {name: c, moss: {}, sown: 1}]}`,
		`{name: a, grow: {dug: null, rose: {thorns: null}}}`,
	} {
		n, problems := Parse("g.yaml", []byte(text))
		if problems = append(problems, decoder().Decode(n, &garden{})...); len(problems) > 0 && !strings.Contains(text, "grow") {
			t.Errorf("%s: %v", text, problems)
		}
		// A patch needs its element's key only within a list; here it has none.
		if err := schema.Validate(plain(t, n)); err != nil && !strings.Contains(text, "grow") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func compile(t *testing.T, d Decoder, root any) *jsonschema.Schema {
	t.Helper()
	text, err := d.Schema(root, "https://example.com/garden.json", "garden")
	if err != nil {
		t.Fatal(err)
	}
	return golden.Schema(t, text)
}

// plain returns a node as a JSON decoder would have read it.
func plain(t *testing.T, n *Node) any {
	t.Helper()
	switch n.Kind {
	case Map:
		m := map[string]any{}
		for _, f := range n.Fields {
			m[f.Name] = plain(t, f.Value)
		}
		return m
	case List:
		l := []any{}
		for _, item := range n.Items {
			l = append(l, plain(t, item))
		}
		return l
	case Int, Float:
		return json.Number(strings.Replace(strings.Replace(n.Text, "0x", "", 1), ".nan", "0", 1))
	case Bool:
		return n.Text == "true"
	case Null, Refused:
		return nil
	}
	return n.Text
}

func TestNearest(t *testing.T) {
	words := []string{"eventChurn", "list", "nodes", "deployments", "p99", "p99.9"}
	for word, want := range map[string]string{
		"eventchurn": "eventChurn", "evetnChurn": "eventChurn", "lists": "list", "node": "nodes", "lsit": "list",
		"p999": "p99", "deployment": "deployments", "x": "", "": "", "watch": "", strings.Repeat("list", 1000): "",
	} {
		if got, _ := Nearest(word, words); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestIndexPlacesWhatIsMissing(t *testing.T) {
	n, _ := Parse("g.yaml", []byte("a:\n  b:\n  - name: x\n    c: 1\n  - d: 2\n"))
	ix := NewIndex(n)
	for key, want := range map[string]string{
		"a.b[0].c":       "g.yaml:4:8: a.b[x].c: m",
		"a.b[0].other.f": "g.yaml:3:5: a.b[x].other.f: m",
		"a.b[1].d":       "g.yaml:5:8: a.b[1].d: m",
		"a.b[7].d":       "g.yaml:3:3: a.b[7].d: m",
		"z.y":            "g.yaml:1:1: z.y: m",
		"z":              "g.yaml:1:1: z: m",
		"":               "g.yaml:1:1: m",
	} {
		if got := ix.Problem(key, "m").String(); got != want {
			t.Errorf("%q: got %q, want %q", key, got, want)
		}
	}
}

func TestYAMLReadsBackAsItWas(t *testing.T) {
	const text = `{a: "1", b: 1, c: "true", d: true, e: "", f: null, g: "null", h: [1.50, "x: y"], i: {}, j: 2001-01-01, k: "a\nb", "5": z, l: "\t"}`
	n, problems := Parse("a", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	out, err := n.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, problems := Parse("a", out)
	if len(problems) > 0 {
		t.Fatalf("%v in\n%s", problems, out)
	}
	if diff := cmp.Diff(plain(t, n), plain(t, again)); diff != "" {
		t.Errorf("%s\n%s", diff, out)
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range invalid {
		f.Add([]byte(c.text))
	}
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("a: b # c\n# d\n- x\n"))
	f.Add([]byte("? [a]\n: b\n<<: {c: d}\n--- \n..."))
	f.Fuzz(func(t *testing.T, src []byte) {
		n, problems := Parse("f.yaml", src)
		if n == nil {
			if len(problems) == 0 {
				t.Fatal("nothing was read, and nothing is wrong")
			}
			return
		}
		lines := strings.Count(strings.ReplaceAll(string(src), "\r", "\n"), "\n") + 2 // YAML knows further line breaks; none of them shortens a text
		lines += strings.Count(string(src), "\u0085") + strings.Count(string(src), "\u2028") + strings.Count(string(src), "\u2029")
		var g garden
		problems = append(problems, decoder().Decode(n, &g)...)
		for _, p := range problems {
			if p.Message == "" || p.Line > lines {
				t.Errorf("of %d lines: %q", lines, p.String())
			}
		}
		if len(problems) > 0 {
			return
		}
		if g.Name == "" && n.Get("name").Text != "" || n.Get("size") != nil && (g.Size < 1 || g.Size > 9) {
			t.Errorf("accepted %+v", g)
		}
		out, err := n.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, problems := Parse("f.yaml", out)
		if problems = append(problems, decoder().Decode(again, &garden{})...); len(problems) > 0 {
			t.Errorf("accepted once, not again: %v\n%s", problems, out)
		}
	})
}
